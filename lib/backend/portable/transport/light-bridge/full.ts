import type { BridgeMixture, BridgeShape } from '../../../transport-light-bridge.js'
import { BLOCK, LOG_TWO_PI, type Side } from './mixture.js'
import { addProduct, addTransposedProduct, divideLower, divideUpper, dot, productTransposed } from './products.js'

/** For each component a block of points moved and multiplied or divided by its triangle: K × BLOCK × D. */
abstract class Triangular implements Side {
  protected readonly components: number
  protected readonly dimension: number
  protected readonly moved: Float64Array
  protected mixture!: BridgeMixture
  /** Per component: the count, D and D × D numbers. */
  readonly sumSize: number

  constructor({ components, dimension }: BridgeShape) {
    this.components = components
    this.dimension = dimension
    this.moved = new Float64Array(components * BLOCK * dimension)
    this.sumSize = components * (1 + dimension + dimension * dimension)
  }

  prepare(mixture: BridgeMixture): void {
    this.mixture = mixture
  }

  abstract logits(x: Float64Array, rows: number, out: Float64Array): void
  abstract add(x: Float64Array, rows: number, weights: Float64Array, sums: Float64Array): void
  abstract differentiate(sums: Float64Array, factor: number, gradient: Float64Array): void
}

/** y = Lᵀx: the logit is log alpha + (|y|² + 2 rᵀx) / (2 epsilon), its derivative by L is tril(x yᵀ) / epsilon. */
export class FullSource extends Triangular {
  logits(x: Float64Array, rows: number, out: Float64Array): void {
    const { components: K, dimension: D, moved } = this
    const { epsilon, logWeights, means, scales } = this.mixture
    productTransposed(means, x, K, rows, D, 2, out, BLOCK)
    for (let k = 0; k < K; k++) {
      for (let b = 0; b < rows; b++) {
        const y = (k * BLOCK + b) * D
        moved.fill(0, y, y + D)
        for (let i = 0; i < D; i++) {
          const value = x[b * D + i]
          const row = (k * D + i) * D
          for (let j = 0; j <= i; j++) moved[y + j] += value * scales[row + j]
        }
        const at = k * BLOCK + b
        out[at] = logWeights[k] + (out[at] + dot(moved, y, moved, y, D)) / (2 * epsilon)
      }
    }
  }

  add(x: Float64Array, rows: number, weights: Float64Array, sums: Float64Array): void {
    const { components: K, dimension: D, moved } = this
    addProduct(weights, BLOCK, x, K, rows, D, sums, K)
    for (let k = 0; k < K; k++) {
      for (let b = 0; b < rows; b++) {
        const p = weights[k * BLOCK + b]
        const y = (k * BLOCK + b) * D
        sums[k] += p
        for (let i = y; i < y + D; i++) moved[i] *= p
      }
      addTransposedProduct(x, 0, moved, k * BLOCK * D, D, rows, D, sums, K + K * D + k * D * D)
    }
  }

  differentiate(sums: Float64Array, factor: number, gradient: Float64Array): void {
    const { components: K, dimension: D } = this
    const scale = factor / this.mixture.epsilon
    for (let k = 0; k < K; k++) {
      gradient[k] += factor * sums[k]
      for (let i = k * D; i < (k + 1) * D; i++) {
        gradient[K + i] += scale * sums[K + i]
        const row = K + K * D + i * D
        for (let j = 0; j <= i - k * D; j++) gradient[row + j] += scale * sums[row + j]
      }
    }
  }
}

/**
 * z = L⁻¹(x - r): the logit is log alpha - log |2 pi epsilon S| / 2 - |z|² / (2 epsilon), its derivative by r is
 * L⁻ᵀ z / epsilon, by L it is tril(L⁻ᵀ (z zᵀ / epsilon - I)).
 */
export class FullTarget extends Triangular {
  logits(x: Float64Array, rows: number, out: Float64Array): void {
    const { components: K, dimension: D, moved } = this
    const { epsilon, logWeights, means, scales } = this.mixture
    const logScale = (D * (LOG_TWO_PI + Math.log(epsilon))) / 2
    for (let k = 0; k < K; k++) {
      let constant = logWeights[k] - logScale
      for (let i = 0; i < D; i++) constant -= Math.log(scales[(k * D + i) * D + i])
      for (let b = 0; b < rows; b++) {
        const z = (k * BLOCK + b) * D
        for (let i = 0; i < D; i++) moved[z + i] = x[b * D + i] - means[k * D + i]
        divideLower(scales, k * D * D, D, moved, z)
        out[k * BLOCK + b] = constant - dot(moved, z, moved, z, D) / (2 * epsilon)
      }
    }
  }

  add(_: Float64Array, rows: number, weights: Float64Array, sums: Float64Array): void {
    const { components: K, dimension: D, moved } = this
    for (let k = 0; k < K; k++) {
      for (let b = 0; b < rows; b++) {
        const q = weights[k * BLOCK + b]
        const z = (k * BLOCK + b) * D
        sums[k] += q
        for (let i = 0; i < D; i++) {
          const value = q * moved[z + i]
          sums[K + k * D + i] += value
          const row = K + K * D + (k * D + i) * D
          for (let j = 0; j <= i; j++) sums[row + j] += value * moved[z + j]
        }
      }
    }
  }

  differentiate(sums: Float64Array, factor: number, gradient: Float64Array): void {
    const { components: K, dimension: D } = this
    const { epsilon, scales } = this.mixture
    for (let k = 0; k < K; k++) {
      const l = k * D * D
      const mean = K + k * D
      const square = K + K * D + l
      gradient[k] += factor * sums[k]
      divideUpper(scales, l, D, sums, mean)
      for (let i = mean; i < mean + D; i++) gradient[i] += (factor * sums[i]) / epsilon
      for (let i = 0; i < D; i++) {
        for (let j = 0; j < i; j++) {
          const value = sums[square + i * D + j] / epsilon
          sums[square + i * D + j] = value
          sums[square + j * D + i] = value
        }
        sums[square + i * D + i] = sums[square + i * D + i] / epsilon - sums[k]
      }
      for (let j = 0; j < D; j++) divideUpper(scales, l, D, sums, square + j, D)
      for (let i = 0; i < D; i++) {
        for (let j = 0; j <= i; j++) gradient[square + i * D + j] += factor * sums[square + i * D + j]
      }
    }
  }
}
