import type { BackendName } from '../../backend/index.js'
import type { BridgeMixture } from '../../backend/transport-light-bridge.js'
import type { Transform } from './transform.js'

/** A fitted potential: a mixture of standardised data, and how to get back to the user's. */
export interface Model {
  /** In the user's units; the mixture's is over scale². */
  epsilon: number
  transform: Transform
  mixture: BridgeMixture
  threads: number
  backend: BackendName | undefined
}

export function logSumExp(values: Float64Array): number {
  const most = values.reduce((x, y) => Math.max(x, y))
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0))
}

/** All S_k: K × D, or K × D × D from their triangles. */
export function squareOf({ components, dimension: D, full, scales }: BridgeMixture): Float64Array {
  if (!full) return scales.slice()
  const out = new Float64Array(components * D * D)
  for (let k = 0; k < out.length; k += D * D) {
    for (let i = 0; i < D; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0
        for (let l = 0; l <= j; l++) sum += scales[k + i * D + l] * scales[k + j * D + l]
        out[k + i * D + j] = sum
        out[k + j * D + i] = sum
      }
    }
  }
  return out
}

/** out = S_k x, for the D numbers from x0 on. */
function multiply(
  { dimension: D, full }: BridgeMixture,
  scales: Float64Array,
  k: number,
  x: Float64Array,
  x0: number,
  out: Float64Array,
): void {
  for (let i = 0; i < D; i++) {
    if (full) {
      let sum = 0
      for (let j = 0; j < D; j++) sum += scales[(k * D + i) * D + j] * x[x0 + j]
      out[i] = sum
    } else {
      out[i] = scales[k * D + i] * x[x0 + i]
    }
  }
}

/**
 * The potential of the user's data, given all S_k: these stay, r_k becomes mean_1 + scale r_k - S_k mean_0, and log alpha_k takes what the
 * square gives besides.
 */
export function userParameters({ epsilon, transform, mixture }: Model, scales: Float64Array) {
  const { components: K, dimension: D } = mixture
  const { source, target, scale } = transform
  const means = new Float64Array(K * D)
  const logWeights = new Float64Array(K)
  const moved = new Float64Array(D)
  for (let k = 0; k < K; k++) {
    multiply(mixture, scales, k, source, 0, moved)
    let excess = 0
    for (let i = 0; i < D; i++) {
      const r = scale * mixture.means[k * D + i]
      means[k * D + i] = target[i] + r - moved[i]
      excess += (moved[i] - 2 * r) * source[i]
    }
    logWeights[k] = mixture.logWeights[k] + excess / (2 * epsilon)
  }
  const total = logSumExp(logWeights)
  return { logWeights: logWeights.map((value) => value - total), means }
}

/** r_k + S_k x0 in the user's units, of standardised points: n × K × D. */
export function meansOf({ transform, mixture }: Model, scales: Float64Array, x: Float64Array): Float64Array {
  const { components: K, dimension: D } = mixture
  const out = new Float64Array(x.length * K)
  const moved = new Float64Array(D)
  for (let b = 0; b < x.length; b += D) {
    for (let k = 0; k < K; k++) {
      multiply(mixture, scales, k, x, b, moved)
      for (let i = 0; i < D; i++) {
        out[b * K + k * D + i] = transform.target[i] + transform.scale * (mixture.means[k * D + i] + moved[i])
      }
    }
  }
  return out
}

/** sum_k w_k (epsilon S_k + (m_k - m) (m_k - m)ᵀ) of standardised points, in the user's units: n × D × D. */
export function conditionalCovariance(
  model: Model,
  scales: Float64Array,
  x: Float64Array,
  weights: Float64Array,
): Float64Array {
  const { components: K, dimension: D, full } = model.mixture
  const out = new Float64Array(x.length * D)
  const mean = new Float64Array(D)
  for (let b = 0; b < x.length / D; b++) {
    const means = meansOf(model, scales, x.subarray(b * D, (b + 1) * D))
    mean.fill(0)
    for (let k = 0; k < K; k++) {
      for (let i = 0; i < D; i++) mean[i] += weights[b * K + k] * means[k * D + i]
    }
    for (let k = 0; k < K; k++) {
      const w = weights[b * K + k]
      for (let i = 0; i < D; i++) {
        const row = (b * D + i) * D
        const offset = w * (means[k * D + i] - mean[i])
        for (let j = 0; j < D; j++) out[row + j] += offset * (means[k * D + j] - mean[j])
        if (!full) out[row + i] += w * model.epsilon * scales[k * D + i]
        else for (let j = 0; j < D; j++) out[row + j] += w * model.epsilon * scales[(k * D + i) * D + j]
      }
    }
  }
  return out
}
