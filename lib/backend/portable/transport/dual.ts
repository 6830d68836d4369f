import type { CsrParts, TransportProblemData } from '../../kernels.js'
import { isRelaxed } from '../../transport-relaxed.js'
import { exp } from '../math.js'
import { segmentLength, type Work } from '../work.js'
import type { Context } from './context.js'
import { Marginals } from './marginals.js'
import { PlanPass, planPass } from './plan-pass.js'
import { distance, innerProduct, sum } from './sums.js'

const armijo = 1e-4

/** Potentials with the row and column sums of their plan. */
export class DualPoint {
  readonly f: Float64Array
  readonly g: Float64Array
  readonly rowSum: Float64Array
  readonly columnSum: Float64Array
  /** (|P1 - a|_1 + |P^T 1 - b|_1) / mass */
  error = 0
  /** What is asked of the marginals, and its mass: the problem's own a and b, unless they are relaxed. */
  readonly a: Float64Array
  readonly b: Float64Array

  constructor(
    problem: TransportProblemData,
    public mass: number,
  ) {
    const { n, m, a, b } = problem
    const relaxed = isRelaxed(problem)
    this.f = new Float64Array(n)
    this.g = new Float64Array(m)
    this.rowSum = new Float64Array(n)
    this.columnSum = new Float64Array(m)
    this.a = relaxed ? new Float64Array(n) : a
    this.b = relaxed ? new Float64Array(m) : b
  }
}

/**
 * The concave dual of entropic transport, its gradient, and the line search of the Newton methods on it:
 *
 *     F(f, g) = a·f + b·g - epsilon sum P,   P = exp((f ⊕ g - C) / epsilon),   grad F = (a - P1, b - P^T 1).
 *
 * Where a marginal is relaxed by the penalty rho, rho sum a (1 - exp(-f / rho)) takes the place of a·f, and its derivative
 * a exp(-f / rho) that of a in the gradient.
 *
 * Directions (p, q) and gains of F are in units of epsilon.
 */
export class Dual {
  epsilon: number
  readonly marginals: Marginals
  point: DualPoint
  /** The gradient. */
  readonly x: Float64Array
  readonly y: Float64Array
  /** The direction. */
  readonly p: Float64Array
  readonly q: Float64Array
  /** Euclidean. */
  gradientNorm = 0
  /** Where to keep the plan of the last point that was evaluated. */
  store: Float64Array | null = null
  private trial: DualPoint
  private readonly rows: Float64Array
  private slope = 0
  private magnitude = 0

  constructor(private readonly context: Context) {
    const { problem, mass } = context
    const { n, m } = problem
    this.epsilon = context.settings.epsilon
    this.marginals = new Marginals(problem, this.epsilon)
    this.point = new DualPoint(problem, mass)
    this.trial = new DualPoint(problem, mass)
    this.rows = new Float64Array(4 * m)
    this.x = new Float64Array(n)
    this.y = new Float64Array(m)
    this.p = new Float64Array(n)
    this.q = new Float64Array(m)
  }

  /** Forms the plan of a point: its sums and error, and the plan itself where `store` points. One pass. */
  *evaluate(at: DualPoint): Work<void> {
    const { cost, report, monitor } = this.context
    const { marginals } = this
    const pass = new PlanPass(this.epsilon, at.f, at.g, this.rows)
    pass.rowSum = at.rowSum
    pass.columnSum = at.columnSum
    pass.store = this.store
    yield* planPass(cost, pass, monitor)
    report.passes++
    if (marginals.relaxed) at.mass = (marginals.a.demand(at.f, at.a) + marginals.b.demand(at.g, at.b)) / 2
    const error = distance(at.rowSum, at.a) + distance(at.columnSum, at.b)
    at.error = error === 0 ? 0 : error / at.mass // plans so small that they vanish are no error
  }

  /** Gradient at `point`. */
  differentiate(): void {
    const { point, x, y, marginals } = this
    const { a, b, mass } = point
    let squares = 0
    let terms = 0
    for (let i = 0; i < x.length; i++) {
      x[i] = a[i] - point.rowSum[i]
      squares += x[i] * x[i]
      terms += a[i] * Math.abs(point.f[i])
    }
    for (let j = 0; j < y.length; j++) {
      y[j] = b[j] - point.columnSum[j]
      squares += y[j] * y[j]
      terms += b[j] * Math.abs(point.g[j])
    }
    this.gradientNorm = Math.sqrt(squares)
    const perUnit = 1 / this.epsilon + 1 / marginals.a.penalty + 1 / marginals.b.penalty
    this.magnitude = terms * perUnit + mass
  }

  /** The first-order gain of the direction (p, q); false if it is no ascent. */
  setSlope(): boolean {
    this.slope = innerProduct(this.x, this.p) + innerProduct(this.y, this.q)
    return this.slope > 0 && Number.isFinite(this.slope)
  }

  /** Rounding hides the gain of the step: only the error can tell. */
  atRoundoff(): boolean {
    return this.slope < 1e-13 * this.magnitude
  }

  /** The relative error that rounding leaves in the sums of the plan, about. */
  roundoff(): number {
    return (1.1e-16 * this.magnitude) / this.point.mass
  }

  /**
   * The largest of the steps 1, 1/2, 1/4, … >= least that the kept entries S allow, or 0. With d = p ⊕ q
   *
   *     F(alpha) - F(0) = alpha slope - sum P (exp(alpha d) - 1 - alpha d),
   *
   * where all terms of the sum are >= 0: what those of S rule out need not be tried on the whole plan.
   */
  *allowedStep(kept: CsrParts, least: number): Work<number> {
    if (this.atRoundoff()) return 1
    const { p, q, slope } = this
    const { monitor } = this.context
    const count = kept.data.length
    const change = new Float64Array(count)
    let largest = 0
    for (let i = 0, next = segmentLength; i < p.length; i++) {
      largest = changes(kept, i, p[i], q, change, largest)
      if (kept.indptr[i + 1] < next) continue
      next = kept.indptr[i + 1] + segmentLength
      if (monitor.due()) yield
    }
    for (let alpha = 1; alpha >= least; alpha /= 2) {
      if (alpha * largest < 0.1) return alpha
      let loss = 0
      for (let start = 0; start < count; start += segmentLength) {
        loss += losses(kept.data, change, alpha, start, Math.min(start + segmentLength, count))
        if (monitor.due()) yield
      }
      if (alpha * slope * (1 - armijo) >= loss) return alpha
    }
    return 0
  }

  /** Armijo's rule with the steps alpha, alpha / 2, … >= least; `point` moves. Returns the step, 0 if none will do. */
  *search(alpha: number, least: number): Work<number> {
    const { p, q, epsilon, slope, magnitude, trial, point, marginals } = this
    for (; alpha >= least; alpha /= 2) {
      for (let i = 0; i < p.length; i++) trial.f[i] = point.f[i] + alpha * epsilon * p[i]
      for (let j = 0; j < q.length; j++) trial.g[j] = point.g[j] + alpha * epsilon * q[j]
      yield* this.evaluate(trial)
      if (!Number.isFinite(trial.error)) continue
      // The sums are compared row by row: their totals would cancel.
      const asked = marginals.a.gain(point.a, p, alpha) + marginals.b.gain(point.b, q, alpha)
      const gain = asked - sum(trial.rowSum.map((total, i) => total - point.rowSum[i]))
      const hidden = alpha * slope < 1e-13 * magnitude
      if (hidden ? trial.error < point.error : gain >= armijo * alpha * slope) {
        this.point = trial
        this.trial = point
        return alpha
      }
      if (hidden) break
    }
    return 0
  }
}

/** change_k = p_i + q_j for the entries k of row i; returns the largest size so far. */
function changes(
  { indptr, indices }: CsrParts,
  i: number,
  p: number,
  q: Float64Array,
  change: Float64Array,
  largest: number,
): number {
  for (let k = indptr[i]; k < indptr[i + 1]; k++) {
    const d = p + q[indices[k]]
    change[k] = d
    const size = Math.abs(d)
    if (size > largest) largest = size
  }
  return largest
}

/** sum_k P_k (exp(alpha d_k) - 1 - alpha d_k) */
function losses(data: Float64Array, change: Float64Array, alpha: number, start: number, end: number): number {
  let loss = 0
  for (let k = start; k < end; k++) {
    const d = alpha * change[k]
    loss += data[k] * (exp(d) - 1 - d)
  }
  return loss
}
