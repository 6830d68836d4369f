import type { BridgeMixture, BridgeShape } from '../../../transport-light-bridge.js'
import { exp } from '../../math.js'
import { scaleSize } from './mixture.js'

/**
 * The coordinates theta that an optimiser moves freely: log alpha_k, r_k / sqrt(epsilon), and log(S_k - floor); full: L_k
 * with log(L_ii - sqrt(floor)) on the diagonal. The floor keeps components from collapsing onto repeated points, where the
 * likelihood has no bound.
 */
export class Coordinates {
  readonly mixture: BridgeMixture
  readonly #floor: number
  readonly #root: number

  constructor(shape: BridgeShape, floor: number) {
    const { components, dimension } = shape
    this.mixture = {
      ...shape,
      logWeights: new Float64Array(components),
      means: new Float64Array(components * dimension),
      scales: new Float64Array(components * scaleSize(shape)),
    }
    this.#floor = floor
    this.#root = Math.sqrt(floor)
  }

  expand(theta: Float64Array): BridgeMixture {
    const { components: K, dimension: D, full, epsilon, logWeights, means, scales } = this.mixture
    const unit = Math.sqrt(epsilon)
    const start = K + K * D
    logWeights.set(theta.subarray(0, K))
    for (let i = 0; i < K * D; i++) means[i] = unit * theta[K + i]
    if (full) {
      scales.set(theta.subarray(start))
      for (let i = 0; i < K * D; i++) scales[i * D + (i % D)] = this.#root + exp(theta[start + i * D + (i % D)])
    } else {
      for (let i = 0; i < K * D; i++) scales[i] = this.#floor + exp(theta[start + i])
    }
    return this.mixture
  }

  /** Derivatives by log alpha, r and S (full: L) of the expanded mixture become those by theta. */
  pull(gradient: Float64Array): void {
    const { components: K, dimension: D, full, epsilon, scales } = this.mixture
    const unit = Math.sqrt(epsilon)
    const start = K + K * D
    for (let i = K; i < start; i++) gradient[i] *= unit
    for (let i = 0; i < K * D; i++) {
      if (full) gradient[start + i * D + (i % D)] *= scales[i * D + (i % D)] - this.#root
      else gradient[start + i] *= scales[i] - this.#floor
    }
  }
}
