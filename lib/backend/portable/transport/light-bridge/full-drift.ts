import type { BridgeMixture, BridgeShape } from '../../../transport-light-bridge.js'
import type { MatchingGroup } from './matching.js'
import { BLOCK, type Drift, softmax } from './mixture.js'
import { addProduct, addTransposedProduct, cholesky, divideLower, divideUpper, dot } from './products.js'

/**
 * What the drift of a full mixture is at one time: u = C⁻¹ ((S - I) x + r) of each component, with the logit constant +
 * (xᵀu + xᵀC⁻¹r) / (2 epsilon), where C = (1 - t) I + t S.
 */
class FullTerms {
  readonly components: number
  readonly dimension: number
  readonly epsilon: number
  /** K × BLOCK × D: u of the rows. */
  readonly moved: Float64Array
  readonly weights: Float64Array
  readonly #constants: Float64Array
  readonly #means: Float64Array
  readonly #maps: Float64Array
  readonly #roots: Float64Array
  readonly #column: Float64Array
  readonly #logSum = new Float64Array(BLOCK)

  constructor({ components, dimension, epsilon }: BridgeShape) {
    this.components = components
    this.dimension = dimension
    this.epsilon = epsilon
    this.moved = new Float64Array(components * BLOCK * dimension)
    this.weights = new Float64Array(components * BLOCK)
    this.#constants = new Float64Array(components)
    this.#means = new Float64Array(components * dimension)
    this.#maps = new Float64Array(components * dimension * dimension)
    this.#roots = new Float64Array(components * dimension * dimension)
    this.#column = new Float64Array(dimension)
  }

  prepare({ logWeights, means, scales }: BridgeMixture, t: number): void {
    const { components: K, dimension: D, epsilon } = this
    const maps = this.#maps
    const roots = this.#roots
    for (let k = 0; k < K; k++) {
      const at = k * D * D
      for (let i = 0; i < D; i++) {
        for (let j = 0; j <= i; j++) {
          const s = dot(scales, at + i * D, scales, at + j * D, j + 1)
          const unit = i === j ? 1 : 0
          roots[at + i * D + j] = t * s + (1 - t) * unit
          maps[at + i * D + j] = s - unit
          maps[at + j * D + i] = s - unit
        }
      }
      cholesky(roots, at, D)
      let constant = logWeights[k]
      for (let i = 0; i < D; i++) constant -= Math.log(roots[at + i * D + i])
      this.#means.set(means.subarray(k * D, (k + 1) * D), k * D)
      divideLower(roots, at, D, this.#means, k * D)
      divideUpper(roots, at, D, this.#means, k * D)
      this.divide(k, maps, at)
      this.#constants[k] = constant - (t * dot(means, k * D, this.#means, k * D, D)) / (2 * epsilon)
    }
  }

  /** The D numbers from x0 on become C⁻¹ x. */
  divideVector(k: number, x: Float64Array, x0: number): void {
    const { dimension: D } = this
    divideLower(this.#roots, k * D * D, D, x, x0)
    divideUpper(this.#roots, k * D * D, D, x, x0)
  }

  /** The D × D matrix at `start` becomes C⁻¹ times it. */
  divide(k: number, matrix: Float64Array, start: number): void {
    const { dimension: D } = this
    const column = this.#column
    for (let j = 0; j < D; j++) {
      for (let i = 0; i < D; i++) column[i] = matrix[start + i * D + j]
      this.divideVector(k, column, 0)
      for (let i = 0; i < D; i++) matrix[start + i * D + j] = column[i]
    }
  }

  evaluate(x: Float64Array, rows: number, out: Float64Array): void {
    const { components: K, dimension: D, epsilon, moved, weights } = this
    for (let k = 0; k < K; k++) {
      const own = k * BLOCK * D
      for (let b = 0; b < rows; b++) {
        for (let i = 0; i < D; i++) moved[own + b * D + i] = this.#means[k * D + i]
      }
      // C⁻¹ and S commute, so the matrix is symmetric.
      const map = this.#maps.subarray(k * D * D, (k + 1) * D * D)
      addProduct(x, D, map, rows, D, D, moved, own)
      for (let b = 0; b < rows; b++) {
        const along = dot(x, b * D, moved, own + b * D, D) + dot(x, b * D, this.#means, k * D, D)
        weights[k * BLOCK + b] = this.#constants[k] + along / (2 * epsilon)
      }
    }
    softmax(weights, K, rows, this.#logSum)
    out.fill(0, 0, rows * D)
    for (let k = 0; k < K; k++) {
      for (let b = 0; b < rows; b++) {
        const w = weights[k * BLOCK + b]
        const own = (k * BLOCK + b) * D
        for (let i = 0; i < D; i++) out[b * D + i] += w * moved[own + i]
      }
    }
  }
}

export class FullDrift implements Drift {
  readonly #terms: FullTerms

  constructor(shape: BridgeShape) {
    this.#terms = new FullTerms(shape)
  }

  prepare(mixture: BridgeMixture, t: number): void {
    this.#terms.prepare(mixture, t)
  }

  evaluate(x: Float64Array, rows: number, out: Float64Array): void {
    this.#terms.evaluate(x, rows, out)
  }
}

export class FullGroup implements MatchingGroup {
  readonly #terms: FullTerms
  readonly #drift: Float64Array
  readonly #residuals: Float64Array
  readonly #along = new Float64Array(BLOCK)
  readonly #left: Float64Array
  readonly #right: Float64Array
  readonly #count: Float64Array
  readonly #byMean: Float64Array
  readonly #byMap: Float64Array
  readonly #square: Float64Array
  #mixture!: BridgeMixture
  #t = 0

  constructor(shape: BridgeShape) {
    const { components, dimension } = shape
    this.#terms = new FullTerms(shape)
    this.#drift = new Float64Array(BLOCK * dimension)
    this.#residuals = new Float64Array(BLOCK * dimension)
    this.#left = new Float64Array(BLOCK * dimension)
    this.#right = new Float64Array(BLOCK * dimension)
    this.#count = new Float64Array(components)
    this.#byMean = new Float64Array(components * dimension)
    this.#byMap = new Float64Array(components * dimension * dimension)
    this.#square = new Float64Array(components * dimension * dimension)
  }

  prepare(mixture: BridgeMixture, t: number): void {
    this.#mixture = mixture
    this.#t = t
    this.#terms.prepare(mixture, t)
    for (const sums of [this.#count, this.#byMean, this.#byMap, this.#square]) sums.fill(0)
  }

  add(x: Float64Array, y: Float64Array, rows: number, factor: number): number {
    const { components: K, dimension: D, epsilon, moved, weights } = this.#terms
    const { means } = this.#mixture
    const t = this.#t
    const g = this.#drift
    const e = this.#residuals
    this.#terms.evaluate(x, rows, g)
    let squares = 0
    for (let b = 0; b < rows; b++) {
      for (let i = b * D; i < (b + 1) * D; i++) {
        const residual = g[i] - y[i]
        squares += residual * residual
        e[i] = factor * residual
      }
      this.#along[b] = dot(e, b * D, g, b * D, D)
    }
    for (let k = 0; k < K; k++) {
      const own = k * BLOCK * D
      const left = this.#left
      const right = this.#right
      for (let b = 0; b < rows; b++) {
        const w = weights[k * BLOCK + b]
        const eta = w * (dot(e, b * D, moved, own + b * D, D) - this.#along[b])
        this.#count[k] += eta
        for (let i = 0; i < D; i++) {
          const at = b * D + i
          const offset = x[at] - t * means[k * D + i]
          left[at] = w * e[at]
          right[at] = eta * offset
          this.#byMean[k * D + i] += left[at] + right[at] / epsilon
          moved[own + at] = x[at] - t * moved[own + at]
        }
      }
      // sum w e (x - t u)'
      addTransposedProduct(left, 0, moved, own, D, rows, D, this.#byMap, k * D * D)
      // sum eta (x - t r) (x - t r)'
      for (let b = 0; b < rows; b++) {
        for (let i = 0; i < D; i++) moved[own + b * D + i] = x[b * D + i] - t * means[k * D + i]
      }
      addTransposedProduct(moved, own, right, 0, D, rows, D, this.#square, k * D * D)
    }
    return squares
  }

  /**
   * The derivative by S is the symmetric part of C⁻¹ (sum w e (x - t u)ᵀ) +
   * (C⁻¹ (sum eta (x - t r) (x - t r)ᵀ) C⁻¹ / epsilon - t (sum eta) C⁻¹) / 2.
   */
  finish(gradient: Float64Array): void {
    const terms = this.#terms
    const { components: K, dimension: D, epsilon } = terms
    const map = this.#byMap
    const square = this.#square
    for (let k = 0; k < K; k++) {
      const at = k * D * D
      gradient[k] += this.#count[k]
      terms.divideVector(k, this.#byMean, k * D)
      for (let i = k * D; i < (k + 1) * D; i++) gradient[K + i] += this.#byMean[i]
      // As C⁻¹ (… + (square C⁻¹ / epsilon - t count I) / 2), the square being symmetric.
      terms.divide(k, square, at)
      for (let i = 0; i < D; i++) {
        for (let j = 0; j < D; j++) map[at + i * D + j] += square[at + j * D + i] / (2 * epsilon)
        map[at + i * D + i] -= (this.#t * this.#count[k]) / 2
      }
      terms.divide(k, map, at)
      const byScale = K * (1 + D) + at
      for (let i = 0; i < D; i++) {
        for (let j = 0; j < D; j++) gradient[byScale + i * D + j] += (map[at + i * D + j] + map[at + j * D + i]) / 2
      }
    }
  }
}
