import type { BridgeMixture, BridgeShape } from '../../../transport-light-bridge.js'
import type { MatchingGroup } from './matching.js'
import { BLOCK, type Drift, features, softmax } from './mixture.js'
import { addProduct, productTransposed } from './products.js'

/**
 * What the drift of a diagonal mixture is at one time: logits linear in the features x, x², 1 of a point, and for each
 * component a map linear in 1 and x, whose coefficients are r / C and (S - I) / C with C = (1 - t) I + t S.
 */
class DiagonalTerms {
  readonly components: number
  readonly dimension: number
  readonly width: number
  readonly maps: Float64Array
  readonly features: Float64Array
  readonly weights: Float64Array
  readonly #logits: Float64Array
  readonly #logSum = new Float64Array(BLOCK)
  readonly #means: Float64Array
  readonly #transposed: Float64Array

  constructor({ components, dimension }: BridgeShape) {
    this.components = components
    this.dimension = dimension
    this.width = 2 * dimension + 1
    this.maps = new Float64Array(components * 2 * dimension)
    this.features = new Float64Array(BLOCK * this.width)
    this.weights = new Float64Array(components * BLOCK)
    this.#logits = new Float64Array(components * this.width)
    this.#means = new Float64Array(BLOCK * 2 * dimension)
    this.#transposed = new Float64Array(BLOCK * components)
  }

  prepare({ epsilon, logWeights, means, scales }: BridgeMixture, t: number): void {
    const { components, dimension, width, maps } = this
    const logits = this.#logits
    for (let k = 0; k < components; k++) {
      const row = k * width
      const map = k * 2 * dimension
      let sum = 0
      for (let i = 0; i < dimension; i++) {
        const r = means[k * dimension + i]
        const s = scales[k * dimension + i]
        const c = 1 - t + t * s
        maps[map + i] = r / c
        maps[map + dimension + i] = (s - 1) / c
        logits[row + i] = maps[map + i] / epsilon
        logits[row + dimension + i] = maps[map + dimension + i] / (2 * epsilon)
        sum += Math.log(c) + (t * r * r) / (c * epsilon)
      }
      logits[row + 2 * dimension] = logWeights[k] - sum / 2
    }
  }

  evaluate(x: Float64Array, rows: number, out: Float64Array): void {
    const { components, dimension, width, weights } = this
    features(x, rows, dimension, this.features)
    productTransposed(this.#logits, this.features, components, rows, width, 1, weights, BLOCK)
    softmax(weights, components, rows, this.#logSum)
    for (let b = 0; b < rows; b++) {
      for (let k = 0; k < components; k++) this.#transposed[b * components + k] = weights[k * BLOCK + b]
    }
    this.#means.fill(0)
    addProduct(this.#transposed, components, this.maps, rows, components, 2 * dimension, this.#means)
    for (let b = 0; b < rows; b++) {
      const mean = b * 2 * dimension
      for (let i = 0; i < dimension; i++) {
        out[b * dimension + i] = this.#means[mean + i] + this.#means[mean + dimension + i] * x[b * dimension + i]
      }
    }
  }
}

export class DiagonalDrift implements Drift {
  readonly #terms: DiagonalTerms

  constructor(shape: BridgeShape) {
    this.#terms = new DiagonalTerms(shape)
  }

  prepare(mixture: BridgeMixture, t: number): void {
    this.#terms.prepare(mixture, t)
  }

  evaluate(x: Float64Array, rows: number, out: Float64Array): void {
    this.#terms.evaluate(x, rows, out)
  }
}

export class DiagonalGroup implements MatchingGroup {
  readonly #terms: DiagonalTerms
  readonly #drift: Float64Array
  readonly #residuals: Float64Array
  readonly #along = new Float64Array(BLOCK)
  readonly #eta: Float64Array
  readonly #byLogit: Float64Array
  readonly #byMap: Float64Array
  #mixture!: BridgeMixture
  #t = 0

  constructor(shape: BridgeShape) {
    const { components, dimension } = shape
    this.#terms = new DiagonalTerms(shape)
    this.#drift = new Float64Array(BLOCK * dimension)
    this.#residuals = new Float64Array(BLOCK * 2 * dimension)
    this.#eta = new Float64Array(components * BLOCK)
    this.#byLogit = new Float64Array(components * (2 * dimension + 1))
    this.#byMap = new Float64Array(components * 2 * dimension)
  }

  prepare(mixture: BridgeMixture, t: number): void {
    this.#mixture = mixture
    this.#t = t
    this.#terms.prepare(mixture, t)
    this.#byLogit.fill(0)
    this.#byMap.fill(0)
  }

  add(x: Float64Array, y: Float64Array, rows: number, factor: number): number {
    const { components, dimension, width, maps, features, weights } = this.#terms
    const g = this.#drift
    const residuals = this.#residuals
    const eta = this.#eta
    this.#terms.evaluate(x, rows, g)
    // The residuals e, next to e x.
    let squares = 0
    for (let b = 0; b < rows; b++) {
      let along = 0
      for (let i = 0; i < dimension; i++) {
        const at = b * dimension + i
        const e = g[at] - y[at]
        squares += e * e
        residuals[b * 2 * dimension + i] = factor * e
        residuals[b * 2 * dimension + dimension + i] = factor * e * x[at]
        along += factor * e * g[at]
      }
      this.#along[b] = along
    }
    // The derivative by the logit is w (e'u - e'g).
    productTransposed(maps, residuals, components, rows, 2 * dimension, 1, eta, BLOCK)
    for (let k = 0; k < components; k++) {
      for (let b = 0; b < rows; b++) {
        const at = k * BLOCK + b
        eta[at] = weights[at] * (eta[at] - this.#along[b])
      }
    }
    addProduct(eta, BLOCK, features, components, rows, width, this.#byLogit)
    addProduct(weights, BLOCK, residuals, components, rows, 2 * dimension, this.#byMap)
    return squares
  }

  finish(gradient: Float64Array): void {
    const { components, dimension, width } = this.#terms
    const { epsilon, means, scales } = this.#mixture
    const t = this.#t
    for (let k = 0; k < components; k++) {
      const h = k * width
      const a = k * 2 * dimension
      const count = this.#byLogit[h + 2 * dimension]
      for (let i = 0; i < dimension; i++) {
        const at = k * dimension + i
        const r = means[at]
        const s = scales[at]
        const c = 1 - t + t * s
        const byOne = this.#byMap[a + i]
        const byX = this.#byMap[a + dimension + i]
        // Of x - t r and of its square.
        const first = this.#byLogit[h + i] - t * r * count
        const second = this.#byLogit[h + dimension + i] - t * r * (this.#byLogit[h + i] + first)
        gradient[components + at] += (byOne + first / epsilon) / c
        gradient[components * (1 + dimension) + at] +=
          (byX - (t * (r * byOne + (s - 1) * byX)) / c) / c + (second / (epsilon * c) - t * count) / (2 * c)
      }
      gradient[k] += count
    }
  }
}
