import type { MarginalDivergence } from '../../transport-relaxed.js'

/** Totals that agree to this part of their sum leave a translation where it is. */
const equal = 1e-12
const rounding = 4 * Number.EPSILON
const doublings = 200
const bisections = 64

/** w + log w = x. Fritsch, Shafer, Crowley 1973 (Algorithm 443): of fourth order from any reasonable start. */
export function wrightOmega(x: number): number {
  const exponential = Math.exp(x)
  if (x < -37) return exponential
  if (x > 1e100) return x - Math.log(x)
  let w = x < 1 ? exponential / (1 + exponential) : x - Math.log(x) * (1 - 1 / x)
  for (let k = 0; k < 3; k++) {
    const r = x - w - Math.log(w)
    const t = 1 + w
    const s = 2 * t * (t + (2 * r) / 3)
    w *= 1 + ((r / t) * (s - r)) / (s - 2 * r)
  }
  return w
}

/**
 * One side's marginal, kept or under a penalty other than Kullback-Leibler's (that one is a `Marginal`):
 *
 * - total variation, rho |P1 - w|_1, asks for w while |f| < rho, and is indifferent at the bounds
 * - least squares, (rho / 2) |P1 - w|², asks for max(0, w - f / rho)
 *
 * With the entropic term epsilon KL(P | a bᵀ) instead of epsilon sum P (log P - 1), the potentials F here are
 * f + epsilon log w, as everywhere in the passes.
 */
export class Penalty {
  readonly size: number
  /** F - f */
  readonly offset: Float64Array
  private epsilon = 0
  private readonly logWeight: Float64Array
  private readonly leftOutNodes: Uint8Array
  private readonly isVariation: boolean

  constructor(
    kind: MarginalDivergence,
    readonly rho: number,
    readonly weight: Float64Array,
    private readonly productReference: boolean,
  ) {
    this.isVariation = kind === 'tv'
    this.size = weight.length
    this.offset = new Float64Array(weight.length)
    this.logWeight = weight.map(Math.log)
    this.leftOutNodes = new Uint8Array(weight.length)
  }

  get relaxed(): boolean {
    return this.rho < Number.POSITIVE_INFINITY
  }

  setEpsilon(epsilon: number): void {
    this.epsilon = epsilon
    if (!this.productReference) return
    for (let i = 0; i < this.size; i++) this.offset[i] = epsilon * this.logWeight[i]
  }

  /** A node that every arc is forbidden to: nothing can be sent there, and its potential stays where that is best. */
  leaveOut(i: number): void {
    this.leftOutNodes[i] = 1
  }

  leftOut(i: number): boolean {
    return this.leftOutNodes[i] === 1
  }

  /** f + offset within the bounds of total variation. */
  clamped(i: number, F: number): number {
    if (!this.isVariation || !this.relaxed) return F
    return Math.min(Math.max(F, this.offset[i] - this.rho), this.offset[i] + this.rho)
  }

  /** The F at which nothing is asked for. */
  nothing(i: number): number {
    return this.offset[i] + (this.isVariation ? this.rho : this.rho * this.weight[i])
  }

  /**
   * The block update: the F whose row sum is what it asks for, where `open` is F - epsilon log(row sum) of any F (the prox
   * of the penalty; a clamp for total variation, Wright's omega function for least squares).
   */
  update(i: number, open: number): number {
    const kept = this.epsilon * this.logWeight[i] + open
    if (!this.relaxed) return kept
    if (this.isVariation) return this.clamped(i, kept)
    return this.offset[i] + this.leastSquares(this.weight[i], kept - this.offset[i])
  }

  /** The f with exp((f - kept) / epsilon) w = w - f / rho. */
  private leastSquares(w: number, kept: number): number {
    const { rho, epsilon } = this
    const top = rho * w
    let f = top - epsilon * wrightOmega(Math.log(top / epsilon) + (top - kept) / epsilon)
    if (Math.abs(f) > 0.5 * top) return f
    // f has lost digits to a large penalty: Newton on f = kept + epsilon log(1 - f / top) brings them back.
    for (let k = 0; k < 2; k++) {
      f -= (f - kept - epsilon * Math.log1p(-f / top)) / (1 + epsilon / (top - f))
    }
    return f
  }

  /** What F asks for, given the sum of its row: a supergradient of `value`. */
  demand(i: number, F: number, total: number): number {
    const { rho, offset } = this
    const w = this.weight[i]
    if (!this.relaxed) return w
    if (!this.isVariation) return Math.max(0, w - (F - offset[i]) / rho)
    if (F >= offset[i] + rho) return Math.min(total, w)
    if (F <= offset[i] - rho) return Math.max(total, w)
    return w
  }

  /** What least squares ask for is known to the digits of w and F only. */
  rounding(i: number): number {
    if (!this.relaxed || this.isVariation) return 0
    return rounding * (this.weight[i] + Math.abs(this.offset[i]) / this.rho)
  }

  /** How far the sum of the row is from what F asks for. */
  missed(i: number, F: number, total: number): number {
    const distance = Math.abs(total - this.demand(i, F, total))
    return distance <= this.rounding(i) ? 0 : distance
  }

  /** Minus the second derivative of `value`, times epsilon; infinite where a bound holds F. */
  bend(i: number, F: number, total: number): number {
    const { rho, offset, weight } = this
    if (!this.relaxed) return 0
    if (!this.isVariation) return this.demand(i, F, total) > 0 ? this.epsilon / rho : 0
    const above = F >= offset[i] + rho && total <= weight[i]
    const below = F <= offset[i] - rho && total >= weight[i]
    return above || below ? Number.POSITIVE_INFINITY : 0
  }

  /** The dual's own term: min over p >= 0 of penalty(p) + f p. */
  value(i: number, F: number): number {
    const { rho } = this
    const w = this.weight[i]
    const f = F - this.offset[i]
    if (!this.relaxed) return w * f
    if (this.isVariation) {
      const slack = 1e-12 * (rho + Math.abs(this.offset[i]))
      return f < -rho - slack ? Number.NEGATIVE_INFINITY : w * Math.min(Math.max(f, -rho), rho)
    }
    const inner = Math.min(f, rho * w)
    return inner * (w - inner / (2 * rho))
  }

  /** value(to) - value(from) without cancellation, both within the bounds. */
  gain(i: number, from: number, to: number): number {
    const { rho } = this
    const w = this.weight[i]
    if (!this.relaxed || this.isVariation) return w * (to - from)
    const top = rho * w
    const start = Math.min(from - this.offset[i], top)
    const change = start < top ? Math.min(to - from, top - start) : Math.min(0, to - this.offset[i] - top)
    return change * (w - (start + change / 2) / rho)
  }

  penalty(i: number, total: number): number {
    if (!this.relaxed) return 0
    const missing = total - this.weight[i]
    return this.isVariation ? this.rho * Math.abs(missing) : (this.rho / 2) * missing * missing
  }

  /** penalty(total) + f total - value(f) >= 0; for a kept marginal f (total - w). */
  gap(i: number, F: number, total: number): number {
    const { rho } = this
    const w = this.weight[i]
    const f = F - this.offset[i]
    const missing = total - w
    if (!this.relaxed) return f * missing
    if (this.isVariation) return Math.max(0, missing > 0 ? rho + f : rho - f) * Math.abs(missing)
    const asked = w - f / rho
    return asked >= 0 ? (rho / 2) * (total - asked) ** 2 : total * ((rho / 2) * total + f - rho * w)
  }

  /** The sum of what F + t asks for. */
  asked(F: Float64Array, t: number): number {
    const { rho, weight, offset } = this
    let total = 0
    for (let i = 0; i < F.length; i++) {
      if (this.leftOut(i)) continue
      if (!this.relaxed) total += weight[i]
      else if (this.isVariation) total += F[i] + t < offset[i] + rho ? weight[i] : 0
      else total += Math.max(0, weight[i] - (F[i] + t - offset[i]) / rho)
    }
    return total
  }

  /** The least t that leaves F + t within the lower bounds of total variation. */
  leastTranslation(F: Float64Array): number {
    let least = Number.NEGATIVE_INFINITY
    if (!this.relaxed || !this.isVariation) return least
    for (let i = 0; i < F.length; i++) {
      if (!this.leftOut(i)) least = Math.max(least, this.offset[i] - this.rho - F[i])
    }
    return Math.min(least, 0)
  }
}

/** The t that maximises the dual along (F + t, G - t), which leaves the plan as it is; a bisection on its slope. */
export function bestTranslation(a: Penalty, F: Float64Array, b: Penalty, G: Float64Array, epsilon: number): number {
  const slope = (t: number) => a.asked(F, t) - b.asked(G, -t)
  const first = slope(0)
  let least = equal * (a.asked(F, 0) + b.asked(G, 0))
  for (let i = 0; i < a.size; i++) least += a.rounding(i)
  for (let j = 0; j < b.size; j++) least += b.rounding(j)
  if (!(Math.abs(first) > least)) return 0
  const sign = Math.sign(first)
  const bound = first > 0 ? -b.leastTranslation(G) : -a.leastTranslation(F) // of |t|
  let inner = 0
  let outer = epsilon
  for (let k = 0; ; k++) {
    outer = Math.min(outer, bound)
    if (!(sign * slope(sign * outer) > 0)) break
    if (outer === bound || k === doublings) return sign * outer
    inner = outer
    outer *= 2
  }
  for (let k = 0; k < bisections; k++) {
    const middle = inner + (outer - inner) / 2
    if (sign * slope(sign * middle) > 0) inner = middle
    else outer = middle
  }
  return sign * inner
}
