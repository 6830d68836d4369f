import type { DescentData } from '../../descent.js'

/** The separable rest of the objective: l1_i |x_i| within lower_i <= x_i <= upper_i. */
export class Terms {
  readonly l1: Float64Array
  readonly lower: Float64Array
  readonly upper: Float64Array
  /** Whether there is any. */
  readonly composite: boolean

  constructor({ l1, lower, upper }: Pick<DescentData, 'l1' | 'lower' | 'upper'>) {
    this.l1 = l1
    this.lower = lower
    this.upper = upper
    let composite = false
    for (let i = 0; i < l1.length; i++) {
      if (l1[i] > 0 || lower[i] > Number.NEGATIVE_INFINITY || upper[i] < Number.POSITIVE_INFINITY) composite = true
    }
    this.composite = composite
  }

  clip(i: number, x: number): number {
    return Math.min(this.upper[i], Math.max(this.lower[i], x))
  }

  /** argmin over z of ½ weight (z - x)² + l1_i |z| within the bounds. */
  prox(i: number, x: number, weight: number): number {
    const level = this.l1[i] / weight
    return this.clip(i, x > level ? x - level : x < -level ? x + level : 0)
  }

  /** The proximal step from x_i: argmin over d of g d + ½ weight d² + what the rest changes. */
  step(i: number, x: number, g: number, weight: number): number {
    return this.composite ? this.prox(i, x - g / weight, weight) - x : -g / weight
  }

  /** How much that step lowers its model. */
  decrease(i: number, x: number, g: number, weight: number): number {
    if (!this.composite) return (g * g) / (2 * weight)
    const d = this.prox(i, x - g / weight, weight) - x
    return -(g * d + 0.5 * weight * d * d + this.change(i, x, d))
  }

  /** l1_i (|x + d| - |x|), without cancellation where the sign stays. */
  change(i: number, x: number, d: number): number {
    const l1 = this.l1[i]
    if (l1 === 0) return 0
    const next = x + d
    if (x > 0 && next >= 0) return l1 * d
    return x < 0 && next <= 0 ? -l1 * d : l1 * (Math.abs(next) - Math.abs(x))
  }

  value(x: Float64Array): number {
    let sum = 0
    for (let i = 0; i < x.length; i++) if (this.l1[i] > 0) sum += this.l1[i] * Math.abs(x[i])
    return sum
  }

  /** At a bound, or 0 under an L1 term. */
  isActive(i: number, x: number): boolean {
    return (this.l1[i] > 0 && x === 0) || x === this.lower[i] || x === this.upper[i]
  }

  /** For an active coordinate: how far -g is from the border of the subdifferential of the rest at x. */
  distance(i: number, x: number, g: number): number {
    const atZero = this.l1[i] > 0 && x === 0
    const slope = this.l1[i] * Math.sign(x)
    const low = x === this.lower[i] ? Number.NEGATIVE_INFINITY : atZero ? -this.l1[i] : slope
    const high = x === this.upper[i] ? Number.POSITIVE_INFINITY : atZero ? this.l1[i] : slope
    return Math.max(0, Math.min(high + g, -g - low))
  }
}
