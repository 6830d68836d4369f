import type { BridgeMixture, BridgeShape } from '../../../transport-light-bridge.js'
import { BLOCK, features, LOG_TWO_PI, type Side } from './mixture.js'
import { addProduct, productTransposed } from './products.js'

/** Logits linear in x, x² and 1. */
abstract class Linear implements Side {
  protected readonly components: number
  protected readonly dimension: number
  protected readonly width: number
  protected readonly matrix: Float64Array
  protected mixture!: BridgeMixture
  readonly sumSize: number
  readonly #features: Float64Array

  constructor(shape: BridgeShape) {
    this.components = shape.components
    this.dimension = shape.dimension
    this.width = 2 * shape.dimension + 1
    this.sumSize = this.components * this.width
    this.matrix = new Float64Array(this.sumSize)
    this.#features = new Float64Array(BLOCK * this.width)
  }

  abstract prepare(mixture: BridgeMixture): void
  abstract differentiate(sums: Float64Array, factor: number, gradient: Float64Array): void

  logits(x: Float64Array, rows: number, out: Float64Array): void {
    features(x, rows, this.dimension, this.#features)
    productTransposed(this.matrix, this.#features, this.components, rows, this.width, 1, out, BLOCK)
  }

  add(_: Float64Array, rows: number, weights: Float64Array, sums: Float64Array): void {
    addProduct(weights, BLOCK, this.#features, this.components, rows, this.width, sums)
  }
}

export class DiagonalSource extends Linear {
  prepare(mixture: BridgeMixture): void {
    const { components, dimension, width, matrix } = this
    const { epsilon, logWeights, means, scales } = mixture
    this.mixture = mixture
    for (let k = 0; k < components; k++) {
      const row = k * width
      for (let i = 0; i < dimension; i++) {
        matrix[row + i] = means[k * dimension + i] / epsilon
        matrix[row + dimension + i] = scales[k * dimension + i] / (2 * epsilon)
      }
      matrix[row + 2 * dimension] = logWeights[k]
    }
  }

  differentiate(sums: Float64Array, factor: number, gradient: Float64Array): void {
    const { components, dimension, width } = this
    const { epsilon } = this.mixture
    for (let k = 0; k < components; k++) {
      const row = k * width
      for (let i = 0; i < dimension; i++) {
        const at = components + k * dimension + i
        gradient[at] += (factor / epsilon) * sums[row + i]
        gradient[at + components * dimension] += (factor / (2 * epsilon)) * sums[row + dimension + i]
      }
      gradient[k] += factor * sums[row + 2 * dimension]
    }
  }
}

export class DiagonalTarget extends Linear {
  prepare(mixture: BridgeMixture): void {
    const { components, dimension, width, matrix } = this
    const { epsilon, logWeights, means, scales } = mixture
    this.mixture = mixture
    const constant = dimension * (LOG_TWO_PI + Math.log(epsilon))
    for (let k = 0; k < components; k++) {
      const row = k * width
      let sum = constant
      for (let i = 0; i < dimension; i++) {
        const r = means[k * dimension + i]
        const s = scales[k * dimension + i]
        const precision = 1 / (epsilon * s)
        matrix[row + i] = r * precision
        matrix[row + dimension + i] = -precision / 2
        sum += r * r * precision + Math.log(s)
      }
      matrix[row + 2 * dimension] = logWeights[k] - sum / 2
    }
  }

  differentiate(sums: Float64Array, factor: number, gradient: Float64Array): void {
    const { components, dimension, width } = this
    const { epsilon, means, scales } = this.mixture
    for (let k = 0; k < components; k++) {
      const row = k * width
      const count = sums[row + 2 * dimension]
      for (let i = 0; i < dimension; i++) {
        const r = means[k * dimension + i]
        const s = scales[k * dimension + i]
        const precision = 1 / (epsilon * s)
        // Of x - r and of its square.
        const first = sums[row + i] - r * count
        const second = sums[row + dimension + i] - r * (sums[row + i] + first)
        const at = components + k * dimension + i
        gradient[at] += factor * first * precision
        gradient[at + components * dimension] += (factor * (second * precision - count)) / (2 * s)
      }
      gradient[k] += factor * count
    }
  }
}
