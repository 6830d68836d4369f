import type { DescentData } from '../../descent.js'

/** log(1 + exp(z)) */
const softplus = (z: number) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))

/** φ_r of a row with one margin a_rᵀ x: squares and the logistic loss; or with one for each class: softmax. */
export class RowLoss {
  constructor(private readonly data: DescentData) {}

  /** Bound of the second derivative in the margins c and d: 1, ¼, ½ (δ - 1/k) (Böhning). */
  bound(c: number, d: number): number {
    const { loss, classes } = this.data
    if (loss === 'least-squares') return 1
    if (loss === 'logistic') return 0.25
    return 0.5 * ((c === d ? 1 : 0) - 1 / classes)
  }

  /** The second derivative itself, from the slopes of all rows. */
  second(r: number, slopes: Float64Array, c: number, d: number): number {
    const { loss, target, classes } = this.data
    if (loss === 'least-squares') return 1
    const s = slopes[r * classes + c]
    if (loss === 'logistic') {
      const p = Math.abs(s)
      return p * (1 - p)
    }
    const p = s + (target[r] === c ? 1 : 0)
    const q = slopes[r * classes + d] + (target[r] === d ? 1 : 0)
    return c === d ? p * (1 - p) : -p * q
  }

  /** φ_r at its margins, those of all rows; its slopes go to `slopes` from `at`. */
  evaluate(r: number, margins: Float64Array, slopes: Float64Array, at: number): number {
    const { loss, target, classes } = this.data
    if (loss === 'least-squares') {
      const residual = margins[r] - target[r]
      slopes[at] = residual
      return 0.5 * residual * residual
    }
    if (loss === 'logistic') {
      const z = -target[r] * margins[r]
      slopes[at] = -target[r] / (1 + Math.exp(-z))
      return softplus(z)
    }
    const from = r * classes
    let largest = margins[from]
    for (let c = 1; c < classes; c++) largest = Math.max(largest, margins[from + c])
    let sum = 0
    for (let c = 0; c < classes; c++) {
      const e = Math.exp(margins[from + c] - largest)
      slopes[at + c] = e
      sum += e
    }
    const own = target[r]
    for (let c = 0; c < classes; c++) slopes[at + c] = slopes[at + c] / sum - (c === own ? 1 : 0)
    return largest - margins[from + own] + Math.log(sum)
  }
}
