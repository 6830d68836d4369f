import type { PlanVjpJob, PlanWeight, PointGradientJob, SoftTransformJob } from '../../transport-derivatives.js'
import type { Watch, Work } from '../work.js'
import { type Context, openContext, status } from './context.js'
import { type CostRows, openCost } from './cost.js'
import { DenseOperator } from './dense-operator.js'
import { PlanPass, planPass } from './plan-pass.js'
import { type NewtonSystem, type PlanOperator, SchurSolver } from './schur.js'
import { SparseOperator } from './sparse-operator.js'
import { sum } from './sums.js'
import { ThresholdPass, thresholdPass } from './threshold-pass.js'
import { columnTransform, rowTransform } from './transform-pass.js'
import { WeightedPass, weightedPass } from './weighted-pass.js'

/** Entries of the plan that are less than this part of their row and column are below its rounding. */
const theta = 1e-17
/** Of the mass, in the threshold of a row or column. */
const leastShare = 1e-20
/** More kept entries than this part make a sparse matrix no cheaper, unless they are few. */
const keptFraction = 0.1
const keptPerLine = 64
const mostKept = 2 ** 26
/** Of the mean diagonal. */
const shiftShare = 1e-14
const mostRefinements = 4
/** Of conjugate gradients: what is left is rounding. */
const leastTolerance = 1e-15

function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns)
  for (let j = 0; j < rows; j++) for (let k = 0; k < columns; k++) out[k * rows + j] = matrix[j * columns + k]
  return out
}

const finiteOrZero = (value: number) => (Number.isFinite(value) ? value : 0)

function* softRows(cost: CostRows, epsilon: number, g: Float64Array, out: Float64Array, monitor: Watch): Work<void> {
  yield* rowTransform(cost, g, out, monitor)
  const pass = new PlanPass(epsilon, out.map(finiteOrZero), g)
  const rowSum = new Float64Array(cost.n)
  pass.rowSum = rowSum
  yield* planPass(cost, pass, monitor)
  for (let i = 0; i < out.length; i++) if (Number.isFinite(out[i])) out[i] -= epsilon * Math.log(rowSum[i])
}

function* softColumns(cost: CostRows, epsilon: number, f: Float64Array, out: Float64Array, monitor: Watch): Work<void> {
  yield* columnTransform(cost, f, out, monitor)
  const pass = new PlanPass(epsilon, f, out.map(finiteOrZero))
  const columnSum = new Float64Array(cost.m)
  pass.columnSum = columnSum
  yield* planPass(cost, pass, monitor)
  for (let j = 0; j < out.length; j++) if (Number.isFinite(out[j])) out[j] -= epsilon * Math.log(columnSum[j])
}

export function* softTransform(job: SoftTransformJob, monitor: Watch): Work<void> {
  const cost = yield* openCost(job.cost, monitor)
  const transform = job.transpose ? softColumns : softRows
  yield* transform(cost, job.epsilon, job.potential, job.out, monitor)
}

function weigh(pass: WeightedPass, weight: PlanWeight, m: number): void {
  pass.weighted = true
  pass.dense = weight.dense
  pass.left = weight.left
  pass.rank = weight.rank
  if (weight.right !== null) pass.rightTransposed = transposed(weight.right, m, weight.rank)
}

export function* pointGradient(job: PointGradientJob, monitor: Watch): Work<void> {
  const { n, m, d, metric, x } = job.cost
  const cost = yield* openCost(job.cost, monitor)
  const pass = new WeightedPass(job.epsilon, job.f, job.g)
  if (job.alpha !== null) {
    weigh(pass, job.weight, m)
    pass.scale = 1 / job.epsilon
    pass.sign = -1
    pass.alpha = job.alpha
    pass.beta = job.beta
  }
  pass.gradient = job.out
  pass.dimension = d
  yield* weightedPass(cost, pass, monitor)
  if (metric !== 'cosine') return
  for (let i = 0; i < n; i++) {
    let squares = 0
    for (let k = 0; k < d; k++) squares += x[i * d + k] ** 2
    for (let k = 0; k < d; k++) job.out[i * d + k] /= Math.sqrt(squares)
  }
}

function norm(values: Float64Array): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += Math.abs(values[i])
  return total
}

const withoutWeight = (value: number) => value === Number.NEGATIVE_INFINITY

class Vjp {
  iterations = 0
  residual = 0
  status: number = status.iterationLimit
  private readonly f: Float64Array
  private readonly g: Float64Array
  private readonly diagonalA: Float64Array
  private readonly diagonalB: Float64Array
  private readonly x: Float64Array
  private readonly y: Float64Array

  constructor(
    private readonly context: Context,
    private readonly job: PlanVjpJob,
  ) {
    const { n, m, border } = job.problem
    const borderCost = finiteOrZero(context.range.least)
    this.f = job.f.slice()
    this.g = job.g.slice()
    // Those of a border count from its cost.
    if (border?.row) this.f[n - 1] += borderCost
    if (border?.column) this.g[m - 1] += borderCost
    this.diagonalA = new Float64Array(n)
    this.diagonalB = new Float64Array(m)
    this.x = new Float64Array(n)
    this.y = new Float64Array(m)
  }

  *solve(): Work<void> {
    const { context, job, x, y, diagonalA, diagonalB } = this
    const { u, v, tolerance, maxIterations } = job
    const { cost, monitor, problem } = context
    const right = this.weighted()
    right.rowSum = x
    right.columnSum = y
    yield* weightedPass(cost, right, monitor)
    const size = norm(x) + norm(y)
    const system = { diagonalA, diagonalB, x, y }
    const plan = yield* this.prepare(system)
    const schur = new SchurSolver(problem.n, problem.m)
    const p = new Float64Array(problem.n)
    const q = new Float64Array(problem.m)
    u.fill(0)
    v.fill(0)
    // Corrections for what is left of the right hand side, so that the residual is that of the plan itself.
    const target = Math.max(tolerance / 4, leastTolerance) * size
    let left = size
    for (let round = 0; left > tolerance * size; round++) {
      const most = maxIterations - this.iterations
      if (most <= 0 || monitor.expired() || round === mostRefinements) break
      this.iterations += yield* schur.solve(plan, system, target, most, p, q, monitor)
      for (let i = 0; i < u.length; i++) u[i] += p[i]
      for (let j = 0; j < v.length; j++) v[j] += q[j]
      const before = left
      left = yield* this.rest(right)
      monitor.progress(this.iterations, left / size)
      if (!(left < before / 2)) break
    }
    this.residual = size === 0 ? 0 : left / size
    if (this.residual <= tolerance) this.status = status.converged
    else if (monitor.expired()) this.status = status.timeLimit
    else if (this.iterations < maxIterations) this.status = status.stalled
    yield* this.completeRows()
    yield* this.completeColumns()
  }

  *writeCostGradient(out: Float64Array): Work<void> {
    const pass = this.weighted()
    pass.scale = 1 / this.job.epsilon
    pass.sign = -1
    pass.alpha = this.job.u
    pass.beta = this.job.v
    pass.store = out
    yield* weightedPass(this.context.cost, pass, this.context.monitor)
  }

  private weighted(f = this.f, g = this.g): WeightedPass {
    const { n, m, border } = this.job.problem
    const pass = new WeightedPass(this.job.epsilon, f, g)
    weigh(pass, this.job.weight, m)
    pass.coreN = n - Number(border?.row ?? false)
    pass.coreM = m - Number(border?.column ?? false)
    return pass
  }

  /** The diagonals, and the off-diagonal block: by its entries where they are few, else whole. */
  private *prepare(system: NewtonSystem): Work<PlanOperator> {
    const { context, job, f, g } = this
    const { diagonalA, diagonalB } = system
    const { cost, monitor, problem } = context
    const { n, m } = problem
    const sums = new PlanPass(job.epsilon, f, g)
    sums.rowSum = diagonalA
    sums.columnSum = diagonalB
    yield* planPass(cost, sums, monitor)
    const mass = sum(diagonalA)
    const pass = new ThresholdPass(job.epsilon, f, g, Math.log(theta))
    pass.rowLog = diagonalA.map((total) => Math.log(Math.max(total, leastShare * mass) / m))
    pass.columnLog = diagonalB.map((total) => Math.log(Math.max(total, leastShare * mass) / n))
    pass.most = Math.min(Math.max(Math.floor(keptFraction * n * m), keptPerLine * (n + m)), mostKept)
    const kept = yield* thresholdPass(cost, pass, monitor)
    const shift = (shiftShare * mass) / Math.max(n, m)
    for (let i = 0; i < n; i++) diagonalA[i] += job.bendA[i] + shift
    for (let j = 0; j < m; j++) diagonalB[j] += job.bendB[j] + shift
    if (kept !== null) return yield* SparseOperator.of(kept, n, m, system, monitor)
    let store: Float64Array | null = null
    if (problem.metric === 'dense') {
      store = new Float64Array(n * m)
      const storing = new PlanPass(job.epsilon, f, g)
      storing.store = store
      yield* planPass(cost, storing, monitor)
    }
    return new DenseOperator(context, { epsilon: job.epsilon, store, point: { f, g } }, system)
  }

  /** x, y <- the right hand side less the system at (u, v); returns its norm. */
  private *rest(right: WeightedPass): Work<number> {
    const { context, job, f, g, x, y, diagonalA, diagonalB } = this
    const { u, v } = job
    yield* weightedPass(context.cost, right, context.monitor)
    const forward = new Float64Array(u.length)
    const backward = new Float64Array(v.length)
    const product = new PlanPass(job.epsilon, f, g)
    product.columnWeight = v
    product.scaling = 'given'
    product.scale = u
    product.rowSum = forward
    product.columnSum = backward
    yield* planPass(context.cost, product, context.monitor)
    for (let i = 0; i < u.length; i++) x[i] -= diagonalA[i] * u[i] + forward[i]
    for (let j = 0; j < v.length; j++) y[j] -= diagonalB[j] * v[j] + backward[j]
    return norm(x) + norm(y)
  }

  /**
   * A little weight at a node that has none goes where its row, scaled to a sum of one, says:
   * u_i = sum_j P_ij (G_ij - v_j).
   */
  private *completeRows(): Work<void> {
    const { context, job, f, g } = this
    if (!f.some(withoutWeight)) return
    const soft = new Float64Array(f.length)
    yield* softRows(context.cost, job.epsilon, g, soft, context.monitor)
    onlyMissing(soft, f)
    const own = new Float64Array(f.length)
    const pass = this.weighted(soft, g)
    pass.beta = job.v.map((value) => -value)
    pass.rowSum = own
    yield* weightedPass(context.cost, pass, context.monitor)
    for (let i = 0; i < f.length; i++) if (withoutWeight(f[i])) job.u[i] = own[i]
  }

  private *completeColumns(): Work<void> {
    const { context, job, f, g } = this
    if (!g.some(withoutWeight)) return
    const soft = new Float64Array(g.length)
    yield* softColumns(context.cost, job.epsilon, f, soft, context.monitor)
    onlyMissing(soft, g)
    const own = new Float64Array(g.length)
    const pass = this.weighted(f, soft)
    pass.alpha = job.u.map((value) => -value)
    pass.columnSum = own
    yield* weightedPass(context.cost, pass, context.monitor)
    for (let j = 0; j < g.length; j++) if (withoutWeight(g[j])) job.v[j] = own[j]
  }
}

/** Leaves the soft potentials of nodes without weight that some arc is allowed to. */
function onlyMissing(soft: Float64Array, potential: Float64Array): void {
  for (let i = 0; i < soft.length; i++) {
    if (!withoutWeight(potential[i]) || soft[i] === Number.POSITIVE_INFINITY) soft[i] = Number.NEGATIVE_INFINITY
  }
}

export function* planVjp(job: PlanVjpJob, monitor: Watch): Work<void> {
  const settings = {
    epsilon: job.epsilon,
    tolerance: job.tolerance,
    maxIterations: job.maxIterations,
    threads: job.threads,
    float32: false,
    certificate: false,
    paper: false,
    sinkhornIterations: 0,
    sparsity: 0,
  }
  const { problem, f, g } = job
  const context = yield* openContext({ problem, settings, f, g, history: null }, monitor, true)
  const vjp = new Vjp(context, job)
  yield* vjp.solve()
  if (job.costGradient !== null) yield* vjp.writeCostGradient(job.costGradient)
  job.report.set([vjp.status, vjp.iterations, vjp.residual])
}
