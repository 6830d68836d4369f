// Partial transport as a balanced problem with a border: one more row and column take what stays (Caffarelli, McCann 2010;
// Chapel, Alaya, Gasso 2020, arXiv 2002.08276). The arc between both is forbidden, so that exactly `mass` moves.

import type { TransportProblemData } from '../../kernels.js'
import { type PartialJob, unbalancedField } from '../../transport-relaxed.js'
import type { Watch, Work } from '../work.js'
import { type Context, openContext, status } from './context.js'
import { PlanPass, planPass } from './plan-pass.js'
import { sinkhornNewtonAdaptive } from './sinkhorn-newton-sparse.js'
import { innerProduct, sum } from './sums.js'
import { columnTransform, rowTransform } from './transform-pass.js'

/** Less than this part of a side's weights left over counts as nothing: the side has no border. */
const nothing = 1e-12

/** The weights of one side and what of them stays. */
class Weights {
  readonly core: Float64Array
  readonly stays: number

  constructor(given: Float64Array, mass: number) {
    const total = sum(given)
    this.stays = total - mass > nothing * total ? total - mass : 0
    const factor = this.stays > 0 ? 1 : mass / total
    this.core = given.map((weight) => factor * weight)
  }
}

/** The values, and `last` behind them where there is a border. */
function extended(values: Float64Array, border: boolean, last: number): Float64Array {
  const out = new Float64Array(values.length + (border ? 1 : 0))
  out.set(values)
  if (border) out[values.length] = last
  return out
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
}

/** The bordered problem, with its potentials in f and g. */
class Bordered {
  readonly problem: TransportProblemData
  readonly f: Float64Array
  readonly g: Float64Array
  readonly a: Weights
  readonly b: Weights

  constructor(
    private readonly core: TransportProblemData,
    private readonly mass: number,
  ) {
    this.a = new Weights(core.a, mass)
    this.b = new Weights(core.b, mass)
    const border = { row: this.b.stays > 0, column: this.a.stays > 0 }
    const a = extended(this.a.core, border.row, this.b.stays)
    const b = extended(this.b.core, border.column, this.a.stays)
    this.problem = { ...core, n: a.length, m: b.length, a, b, border }
    this.f = new Float64Array(a.length)
    this.g = new Float64Array(b.length)
  }

  /** Potentials with a border from those of the caller. */
  enter(borderCost: number, coreF: Float64Array, coreG: Float64Array, price: number): void {
    const { f, g, core } = this
    for (let i = 0; i < core.n; i++) f[i] = coreF[i]
    for (let j = 0; j < core.m; j++) g[j] = coreG[j] + price
    if (f.length > core.n) f[core.n] = borderCost - price
    if (g.length > core.m) g[core.m] = borderCost
  }

  /** And back; returns the price. */
  leave(borderCost: number, coreF: Float64Array, coreG: Float64Array): number {
    const { n, m } = this.core
    const f = this.f.subarray(0, n)
    const g = this.g.subarray(0, m)
    // A side that moves altogether has no border; its price is the least that leaves no potential positive.
    const columnPrice = this.g.length > m ? this.g[m] - borderCost : -largest(f)
    const rowPrice = this.f.length > n ? this.f[n] - borderCost : -largest(g)
    for (let i = 0; i < n; i++) coreF[i] = f[i] + columnPrice
    for (let j = 0; j < m; j++) coreG[j] = g[j] + rowPrice
    return -rowPrice - columnPrice
  }

  *measure(context: Context, job: PartialJob): Work<number> {
    const { core, mass, f, g, a, b } = this
    const { cost, report, monitor, settings } = context
    const { epsilon } = settings
    const rows = new Float64Array(f.length)
    const rowCost = new Float64Array(f.length)
    const columns = new Float64Array(g.length)
    const pass = new PlanPass(epsilon, f, g)
    pass.scaling = 'given'
    pass.scale = new Float64Array(f.length).fill(1, 0, core.n)
    pass.columnWeight = new Float64Array(g.length).fill(1, 0, core.m)
    pass.rowSum = rows
    pass.rowCost = rowCost
    pass.columnSum = columns
    yield* planPass(cost, pass, monitor)
    const moved = sum(rows, 0, core.n)
    report.value = sum(rowCost, 0, core.n)
    job.rowSum.set(rows.subarray(0, core.n))
    job.columnSum.set(columns.subarray(0, core.m))
    report.marginalError = 0
    report.regularizedValue = mass * job.price[0] - epsilon * moved
    const side = (sums: Float64Array, potential: Float64Array, weights: Weights) => {
      let error = 0
      let stays = 0
      for (let i = 0; i < sums.length; i++) {
        const rest = weights.stays > 0 ? Math.exp(potential[i] / epsilon) : 0
        error += Math.abs(sums[i] + rest - weights.core[i])
        stays += rest
      }
      report.marginalError += (error + Math.abs(stays - weights.stays)) / mass
      report.regularizedValue += innerProduct(weights.core, potential) - epsilon * stays
    }
    side(job.rowSum, job.f, a)
    side(job.columnSum, job.g, b)
    return moved
  }

  /**
   * Bounds of the problem without its entropic terms: of the primal by capping rows and columns and spreading what is
   * missing over what they have left (Altschuler, Weed, Rigollet 2017), of the dual by c-transforms.
   */
  *certify(context: Context, borderCost: number): Work<void> {
    const { core, mass, problem, f, g, a, b } = this
    const { cost, report, monitor, settings } = context
    const { n, m } = core
    const x = new Float64Array(problem.n)
    const y = new Float64Array(problem.m)
    const columns = new Float64Array(problem.m)
    const capRows = new PlanPass(settings.epsilon, f, g)
    capRows.scaling = 'capped'
    capRows.a = extended(a.core, problem.n > n, 0)
    capRows.scale = x
    capRows.columnWeight = new Float64Array(problem.m).fill(1, 0, m)
    capRows.columnSum = columns
    yield* planPass(cost, capRows, monitor)
    for (let j = 0; j < m; j++) y[j] = columns[j] > b.core[j] ? b.core[j] / columns[j] : 1

    const rows = new Float64Array(problem.n)
    const rowCost = new Float64Array(problem.n)
    const capColumns = new PlanPass(settings.epsilon, f, g)
    capColumns.columnWeight = y
    capColumns.rowSum = rows
    capColumns.rowCost = rowCost
    yield* planPass(cost, capColumns, monitor)
    let moved = 0
    let total = 0
    let roomA = 0
    let roomB = 0
    for (let i = 0; i < n; i++) {
      moved += x[i] * rows[i]
      total += x[i] * rowCost[i]
      x[i] = Math.max(0, a.core[i] - x[i] * rows[i])
      roomA += x[i]
    }
    for (let j = 0; j < m; j++) {
      y[j] = Math.max(0, b.core[j] - y[j] * columns[j])
      roomB += y[j]
    }

    const dualG = new Float64Array(problem.m) // g_j <- min_i (C_ij - f_i)
    yield* columnTransform(cost, f, dualG, monitor)
    const dualF = new Float64Array(problem.n) // f_i <- min_j (C_ij - g_j), and the cost of the rank-one correction
    yield* rowTransform(cost, dualG, dualF, monitor, y, rowCost)
    const missing = mass - moved
    if (missing > 0 && roomA > 0 && roomB > 0) {
      for (let i = 0; i < n; i++) total += x[i] === 0 ? 0 : rowCost[i] * (x[i] / roomA) * (missing / roomB)
    } else if (missing < 0) {
      total *= mass / moved
    }
    report.primal = total
    report.dual = innerProduct(problem.a, dualF) + innerProduct(problem.b, dualG) - borderCost * (a.stays + b.stays)
  }
}

export function* partial(job: PartialJob, monitor: Watch): Work<void> {
  const { problem: core, mass, f, g, price } = job
  const bordered = new Bordered(core, mass)
  const { problem } = bordered
  const settings = { ...job.settings, float32: false, paper: false, sinkhornIterations: 0, sparsity: 0 }
  settings.tolerance *= mass / sum(problem.a) // the error counts relative to what moves
  const start = { problem, settings, f: bordered.f, g: bordered.g, history: job.history }
  const context = yield* openContext(start, monitor)
  const { report } = context
  const borderCost = Number.isFinite(context.range.least) ? context.range.least : 0
  const nonzero = (value: number) => value !== 0
  if (price[0] !== 0 || f.some(nonzero) || g.some(nonzero)) bordered.enter(borderCost, f, g, price[0])
  yield* sinkhornNewtonAdaptive(context)
  price[0] = bordered.leave(borderCost, f, g)
  bordered.enter(borderCost, f, g, price[0]) // measured is what is returned, with its rounding
  const moved = yield* bordered.measure(context, job)
  const { tolerance } = job.settings
  if (report.marginalError <= tolerance) report.status = status.converged
  else if (report.status === status.converged) report.status = status.stalled
  if (settings.certificate) yield* bordered.certify(context, borderCost)
  report.write(job.report)
  job.report[unbalancedField.mass] = moved
}
