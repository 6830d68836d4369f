import { ExtremaError } from '../../../core/errors.js'
import type { TransportProblemData } from '../../kernels.js'
import type { Watch, Work } from '../work.js'
import type { CostRows } from './cost.js'
import { sum } from './sums.js'
import { columnTransform, rowTransform } from './transform-pass.js'

/**
 * One side's marginal as its potentials ask for it: the weights w themselves, or, where it is relaxed to the penalty
 * rho KL(P1 | w), w exp(-(f + t) / rho) with a translation t common to the side. With the entropic term
 * epsilon KL(P | a bᵀ) instead of epsilon sum P (log P - 1), the potentials here are those of the caller plus
 * epsilon log w.
 */
export class Marginal {
  /** The logarithm of what f = 0 asks for. */
  readonly logWeight: Float64Array
  private epsilon = 0
  private translation = 0
  private readonly leftOutNodes: Uint8Array
  private readonly work: Float64Array

  constructor(
    readonly weight: Float64Array,
    readonly penalty: number,
    private readonly productReference: boolean,
  ) {
    this.logWeight = new Float64Array(weight.length)
    this.leftOutNodes = new Uint8Array(weight.length)
    this.work = new Float64Array(weight.length)
  }

  get relaxed(): boolean {
    return this.penalty < Number.POSITIVE_INFINITY
  }

  /** Of the Sinkhorn update f <- damping (epsilon logWeight - epsilon log sum exp): rho / (rho + epsilon). */
  get damping(): number {
    return this.relaxed ? this.penalty / (this.penalty + this.epsilon) : 1
  }

  /** Of the dual with respect to f, times epsilon, per unit of demand. */
  get curvature(): number {
    return this.relaxed ? this.epsilon / this.penalty : 0
  }

  setEpsilon(epsilon: number): void {
    this.epsilon = epsilon
    this.setLogWeights()
  }

  setTranslation(t: number): void {
    this.translation = t
    if (this.relaxed) this.setLogWeights()
  }

  private setLogWeights(): void {
    const { weight, logWeight, leftOutNodes } = this
    const power = this.productReference ? 1 + this.curvature : 1
    const offset = this.relaxed ? this.translation / this.penalty : 0
    for (let i = 0; i < weight.length; i++) {
      logWeight[i] = leftOutNodes[i] === 1 ? Number.NEGATIVE_INFINITY : power * Math.log(weight[i]) - offset
    }
  }

  /** Leaves out a node that every arc is forbidden to: nothing is asked of it. */
  leaveOut(i: number): void {
    this.leftOutNodes[i] = 1
    this.logWeight[i] = Number.NEGATIVE_INFINITY
  }

  leftOut(i: number): boolean {
    return this.leftOutNodes[i] === 1
  }

  /** Writes what f asks for; returns its total. */
  demand(f: Float64Array, out: Float64Array): number {
    const { weight, penalty, logWeight } = this
    if (!this.relaxed) out.set(weight)
    else for (let i = 0; i < f.length; i++) out[i] = Math.exp(logWeight[i] - f[i] / penalty)
    return sum(out, 0, weight.length)
  }

  /** The logarithm of that total. */
  logTotal(f: Float64Array): number {
    const { weight, penalty, logWeight, work } = this
    if (!this.relaxed) return Math.log(sum(weight))
    let largest = Number.NEGATIVE_INFINITY
    for (let i = 0; i < f.length; i++) {
      work[i] = logWeight[i] - f[i] / penalty
      if (work[i] > largest) largest = work[i]
    }
    if (!Number.isFinite(largest)) return largest
    for (let i = 0; i < work.length; i++) work[i] = Math.exp(work[i] - largest)
    return largest + Math.log(sum(work))
  }

  /** What the dual's own term gains, in units of epsilon, by f += alpha epsilon p. */
  gain(demand: Float64Array, p: Float64Array, alpha: number): number {
    const { work, curvature } = this
    if (!this.relaxed) {
      for (let i = 0; i < p.length; i++) work[i] = demand[i] * p[i]
      return alpha * sum(work)
    }
    for (let i = 0; i < p.length; i++) work[i] = -demand[i] * Math.expm1(-alpha * curvature * p[i])
    return sum(work) / curvature
  }
}

/**
 * Both marginals. Potentials are f + t and g - t: a translation leaves the plan as it is, and where marginals are relaxed
 * there is a best one, kept apart from f and g because it grows with the penalties. Taking it along in each update removes
 * the slow mode of Sinkhorn's iteration: Séjourné, Vialard, Peyré 2022, "Faster Unbalanced Optimal Transport: Translation
 * invariant Sinkhorn and 1-D Frank-Wolfe" (arXiv 2201.00730).
 */
export class Marginals {
  readonly a: Marginal
  readonly b: Marginal
  translation = 0
  private epsilon: number

  constructor({ a, b, relaxation }: TransportProblemData, epsilon: number) {
    const product = relaxation?.productReference ?? false
    this.a = new Marginal(a, relaxation?.penaltyA ?? Number.POSITIVE_INFINITY, product)
    this.b = new Marginal(b, relaxation?.penaltyB ?? Number.POSITIVE_INFINITY, product)
    this.epsilon = epsilon
    this.setEpsilon(epsilon)
  }

  get relaxed(): boolean {
    return this.a.relaxed || this.b.relaxed
  }

  setEpsilon(epsilon: number): void {
    this.epsilon = epsilon
    this.a.setEpsilon(epsilon)
    this.b.setEpsilon(epsilon)
  }

  private move(t: number): void {
    this.translation += t
    this.a.setTranslation(this.translation)
    this.b.setTranslation(-this.translation)
  }

  /** The best translation for f and g. Both totals are to be the same: A exp(-t / rho_a) = B exp(t / rho_b). */
  translate(f: Float64Array, g: Float64Array): void {
    const t = (this.a.logTotal(f) - this.b.logTotal(g)) / (1 / this.a.penalty + 1 / this.b.penalty)
    if (Number.isFinite(t)) this.move(t)
  }

  /**
   * The best translation after an update of the rows' f (or the columns' g, with the roles exchanged), which moves with
   * it: less by t - damping t, so the totals agree where A exp(-t / (rho_a + epsilon)) = B exp(t / rho_b). Returns what is
   * to be added to the updated potential.
   */
  translateUpdated(rows: boolean, f: Float64Array, g: Float64Array): number {
    const { epsilon } = this
    const [updated, u, other, v] = rows ? [this.a, f, this.b, g] : [this.b, g, this.a, f]
    const t = (updated.logTotal(u) - other.logTotal(v)) / (1 / (updated.penalty + epsilon) + 1 / other.penalty)
    if (!Number.isFinite(t)) return 0
    this.move(rows ? t : -t)
    return updated.relaxed ? (-t * epsilon) / (updated.penalty + epsilon) : 0
  }

  /** Leaves out the relaxed nodes that every arc is forbidden to; throws ERR_INFEASIBLE for others. */
  *leaveOutIsolated(cost: CostRows, monitor: Watch): Work<void> {
    const rowLeast = new Float64Array(cost.n)
    const columnLeast = new Float64Array(cost.m)
    yield* rowTransform(cost, new Float64Array(cost.m), rowLeast, monitor)
    yield* columnTransform(cost, new Float64Array(cost.n), columnLeast, monitor)
    leaveOut(rowLeast, this.a, 'row')
    leaveOut(columnLeast, this.b, 'column')
  }
}

function leaveOut(least: Float64Array, marginal: Marginal, name: string): void {
  for (let i = 0; i < least.length; i++) {
    if (Number.isFinite(least[i])) continue
    if (!marginal.relaxed) {
      throw new ExtremaError(
        'ERR_INFEASIBLE',
        `cost: expected allowed (finite) arcs for all mass that has to move, got none in ${name} ${i}`,
      )
    }
    marginal.leaveOut(i)
  }
}
