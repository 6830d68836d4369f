// Unbalanced transport with Kullback-Leibler penalties: the scaling iteration of Chizat, Peyré, Schmitzer, Vialard 2018
// (arXiv 1607.05816) in its translation invariant form (Séjourné, Vialard, Peyré 2022, arXiv 2201.00730), and the sparse
// Newton steps of sinkhornNewtonSparse on the same dual.

import { ExtremaError } from '../../../core/errors.js'
import { isRelaxed, type UnbalancedJob, unbalancedField } from '../../transport-relaxed.js'
import type { Watch, Work } from '../work.js'
import { certify } from './certificate.js'
import { type Context, openContext, status } from './context.js'
import { type Marginal, Marginals } from './marginals.js'
import { penalised } from './penalised.js'
import { PlanPass, planPass } from './plan-pass.js'
import { RelaxedSweep } from './relaxed-sweep.js'
import { sinkhornNewtonAdaptive } from './sinkhorn-newton-sparse.js'
import { sum } from './sums.js'
import { columnTransform, rowTransform } from './transform-pass.js'

/** Potential of a node that every arc is forbidden to, in penalties: exp(-nowhere) is zero. */
const nowhere = 1000

/** x log(x / y) - x + y for x, y >= 0 with the logarithm of y, without cancellation where they are close. */
function divergence(x: number, y: number, logY: number): number {
  if (x === 0) return y
  const d = (x - y) / y
  // y ((1 + d) log(1 + d) - d)
  if (Math.abs(d) < 1e-2) return y * d * d * (1 / 2 - d * (1 / 6 - d * (1 / 12 - d * (1 / 20 - d * (1 / 30 - d / 42)))))
  return Math.max(0, x * (Math.log(x) - logY) - x + y)
}

/** One side of a measured state. */
class Side {
  demanded = 0
  error = 0
  gap = 0
  dual = 0
  private readonly work: Float64Array
  private readonly demand: Float64Array

  constructor(
    private readonly marginal: Marginal,
    /** What the potentials of P's reference measure have more, per logarithm of the weights. */
    private readonly shift: number,
  ) {
    this.work = new Float64Array(marginal.weight.length)
    this.demand = new Float64Array(marginal.weight.length)
  }

  /** Potentials are `potential` + t. */
  measure(potential: Float64Array, t: number, total: Float64Array): void {
    const { marginal, work, demand } = this
    const { weight, penalty, logWeight, relaxed } = marginal
    this.demanded = marginal.demand(potential, demand)
    for (let i = 0; i < work.length; i++) work[i] = Math.abs(total[i] - demand[i])
    this.error = sum(work)
    // How far P is from optimal on this side: rho KL(P1 | demand), in the limit f·(P1 - a).
    for (let i = 0; i < work.length; i++) {
      work[i] = relaxed
        ? penalty * divergence(total[i], demand[i], logWeight[i] - potential[i] / penalty)
        : (potential[i] + t) * (total[i] - weight[i])
    }
    this.gap = sum(work)
    this.dual = this.value(potential, t)
  }

  /** sum rho w (1 - exp(-f / rho)), in the limit w·f, with f less the weights' part. */
  value(potential: Float64Array, t: number): number {
    const { marginal, work, shift } = this
    const { weight, penalty, relaxed } = marginal
    for (let i = 0; i < work.length; i++) {
      const f = potential[i] + t - shift * Math.log(weight[i])
      if (marginal.leftOut(i)) work[i] = penalty * weight[i]
      else work[i] = relaxed ? -penalty * weight[i] * Math.expm1(-f / penalty) : weight[i] * f
    }
    return sum(work)
  }

  /** rho KL(total | w) */
  penaltyOf(total: Float64Array): number {
    const { marginal, work } = this
    const { weight, penalty, relaxed } = marginal
    if (!relaxed) return 0
    for (let i = 0; i < work.length; i++) work[i] = divergence(total[i], weight[i], Math.log(weight[i]))
    return penalty * sum(work)
  }
}

interface UnbalancedFigures {
  dualValue: number
  gap: number
  mass: number
  translation: number
}

class Measure {
  private readonly a: Side
  private readonly b: Side
  private readonly rowCost: Float64Array
  readonly figures: UnbalancedFigures = { dualValue: 0, gap: 0, mass: 0, translation: 0 }

  constructor(
    private readonly context: Context,
    private readonly marginals: Marginals,
    private readonly rowSum: Float64Array,
    private readonly columnSum: Float64Array,
  ) {
    const { problem, settings } = context
    const shift = problem.relaxation?.productReference ? settings.epsilon : 0
    this.a = new Side(marginals.a, shift)
    this.b = new Side(marginals.b, shift)
    this.rowCost = new Float64Array(problem.n)
  }

  *state(f: Float64Array, g: Float64Array): Work<void> {
    const { context, marginals, rowSum, columnSum, rowCost, a, b, figures } = this
    const { problem, settings, cost, report, monitor, mass } = context
    const pass = new PlanPass(settings.epsilon, f, g)
    pass.rowSum = rowSum
    pass.rowCost = rowCost
    pass.columnSum = columnSum
    yield* planPass(cost, pass, monitor)
    marginals.translate(f, g)
    const t = marginals.translation
    a.measure(f, t, rowSum)
    b.measure(g, -t, columnSum)
    const error = a.error + b.error
    report.marginalError = error === 0 ? 0 : (2 * error) / (a.demanded + b.demanded)
    report.value = sum(rowCost)
    figures.mass = sum(rowSum)
    figures.translation = t
    const reference = problem.relaxation?.productReference ? mass * sum(problem.b) : 0
    figures.dualValue = a.dual + b.dual - settings.epsilon * (figures.mass - reference)
    figures.gap = a.gap + b.gap
    report.regularizedValue = figures.dualValue + figures.gap
  }

  /**
   * Bounds of the problem without its entropic term: of the primal by the plan, its rows (or columns) scaled where that
   * side is balanced; of the dual by c-transforms, translated.
   */
  *certify(f: Float64Array, g: Float64Array): Work<void> {
    const { context, marginals, rowSum, columnSum, rowCost } = this
    const { problem, settings, cost, report, monitor } = context
    const { n, m, a, b } = problem
    const x = rowSum.map((total, i) => (marginals.a.relaxed ? 1 : a[i] / total))
    const y = columnSum.map((total, j) => (marginals.b.relaxed ? 1 : b[j] / total))
    const rows = new Float64Array(n)
    const columns = new Float64Array(m)
    const pass = new PlanPass(settings.epsilon, f, g)
    pass.columnWeight = y
    pass.rowSum = rows
    pass.rowCost = rowCost
    pass.scaling = 'given'
    pass.scale = x
    pass.columnSum = columns
    yield* planPass(cost, pass, monitor)
    for (let i = 0; i < n; i++) {
      rows[i] *= x[i]
      rowCost[i] *= x[i]
    }
    for (let j = 0; j < m; j++) columns[j] *= y[j]
    const primal = sum(rowCost) + this.a.penaltyOf(rows) + this.b.penaltyOf(columns)
    report.primal = Number.isNaN(primal) ? Number.POSITIVE_INFINITY : primal

    // Potentials of the problem itself: less what its reference measure has put into them.
    const shift = problem.relaxation?.productReference ? settings.epsilon : 0
    const plainF = f.map((value, i) => value - shift * Math.log(a[i]))
    const dualG = new Float64Array(m) // g_j <- min_i (C_ij - f_i)
    yield* columnTransform(cost, plainF, dualG, monitor)
    for (let j = 0; j < m; j++) if (marginals.b.leftOut(j)) dualG[j] = 0 // no arc leads there
    const dualF = new Float64Array(n) // f_i <- min_j (C_ij - g_j)
    yield* rowTransform(cost, dualG, dualF, monitor)
    // Where penalties are small against epsilon, these may be far out; constants are feasible too.
    const constant = this.unregularisedDual(new Float64Array(n).fill(context.range.least), new Float64Array(m))
    report.dual = Math.max(this.unregularisedDual(dualF, dualG), constant)
  }

  private unregularisedDual(f: Float64Array, g: Float64Array): number {
    const { problem, settings } = this.context
    const { penaltyA, penaltyB } = problem.relaxation!
    const relaxation = { divergence: 'kl' as const, penaltyA, penaltyB, productReference: false }
    const plain = new Marginals({ ...problem, relaxation }, settings.epsilon)
    for (let i = 0; i < f.length; i++) if (this.marginals.a.leftOut(i)) plain.a.leaveOut(i)
    for (let j = 0; j < g.length; j++) if (this.marginals.b.leftOut(j)) plain.b.leaveOut(j)
    plain.translate(f, g)
    return new Side(plain.a, 0).value(f, plain.translation) + new Side(plain.b, 0).value(g, -plain.translation)
  }
}

export function* unbalanced(job: UnbalancedJob, monitor: Watch): Work<void> {
  const { problem, f, g, rowSum, columnSum } = job
  const settings = { ...job.settings, float32: false, paper: false, sinkhornIterations: 0, sparsity: 0 }
  const context = yield* openContext({ problem, settings, f, g, history: job.history }, monitor)
  if (isRelaxed(problem) && problem.relaxation.divergence !== 'kl') {
    yield* penalised(context, job)
    return
  }
  const { cost, range, report } = context
  const { epsilon, tolerance } = settings
  const marginals = new Marginals(problem, epsilon)
  if (marginals.relaxed && range.forbids) yield* marginals.leaveOutIsolated(cost, monitor)
  yield* sinkhornNewtonAdaptive(context)
  const measure = new Measure(context, marginals, rowSum, columnSum)
  yield* measure.state(f, g)

  if (marginals.relaxed && !monitor.expired()) {
    // Nodes with hardly any mass, which no Newton step looks at, get their potentials from a last sweep.
    const lastF = f.slice()
    const lastG = g.slice()
    const sweep = new RelaxedSweep(problem.n, problem.m)
    report.passes += yield* sweep.run(cost, marginals, epsilon, lastF, lastG, monitor, true)
    const before = report.marginalError
    yield* measure.state(lastF, lastG)
    if (report.marginalError <= Math.max(before, tolerance)) {
      f.set(lastF)
      g.set(lastG)
    } else {
      yield* measure.state(f, g)
    }
  }
  const { figures } = measure
  // The caller takes the reference measure's part out again.
  const shift = problem.relaxation.productReference ? epsilon : 0
  const leaveOut = (marginal: Marginal, potential: Float64Array, t: number) => {
    for (let i = 0; i < potential.length; i++) {
      if (!marginal.leftOut(i)) continue
      potential[i] = nowhere * marginal.penalty - t + shift * Math.log(marginal.weight[i])
    }
  }
  leaveOut(marginals.a, f, figures.translation)
  leaveOut(marginals.b, g, -figures.translation)
  if (!Number.isFinite(figures.mass) || !Number.isFinite(report.regularizedValue)) {
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      'cost, marginalPenalty: the mass of the plan overflows; raise the costs, the penalties or epsilon',
    )
  }
  if (report.marginalError <= tolerance) report.status = status.converged
  else if (report.status === status.converged) report.status = status.stalled
  if (settings.certificate) {
    if (marginals.relaxed) yield* measure.certify(f, g)
    else yield* certify(context)
  }
  report.write(job.report)
  for (const [name, index] of Object.entries(unbalancedField)) {
    job.report[index] = figures[name as keyof UnbalancedFigures]
  }
}
