import type { FloatArray } from '../../../../core/arrays.js'
import type { UpdateKernels } from '../../../tensor-update.js'
import { lion } from './lion.js'
import { clip, combine, rankOne, sumOfSquares } from './norms.js'

function sgd(
  x: FloatArray,
  g: FloatArray,
  m: FloatArray | null,
  rate: number,
  momentum: number,
  nesterov: boolean,
  weightDecay: number,
  scale: number,
): void {
  for (let i = 0; i < x.length; i++) {
    let d = scale * g[i] + weightDecay * x[i]
    if (m !== null) {
      m[i] = momentum * m[i] + d
      d = nesterov ? d + momentum * m[i] : m[i]
    }
    x[i] -= rate * d
  }
}

function adam(
  x: FloatArray,
  g: FloatArray,
  m: FloatArray,
  v: FloatArray,
  beta1: number,
  beta2: number,
  rate: number,
  correction: number,
  epsilon: number,
  weightDecay: number,
  shrink: number,
  scale: number,
): void {
  const [rest1, rest2] = [1 - beta1, 1 - beta2]
  for (let i = 0; i < x.length; i++) {
    const d = scale * g[i] + weightDecay * x[i]
    m[i] = beta1 * m[i] + rest1 * d
    v[i] = beta2 * v[i] + rest2 * (d * d)
    x[i] = shrink * x[i] - rate * (m[i] / (correction * Math.sqrt(v[i]) + epsilon))
  }
}

function rmsprop(
  x: FloatArray,
  g: FloatArray,
  v: FloatArray,
  mean: FloatArray | null,
  m: FloatArray | null,
  alpha: number,
  rate: number,
  epsilon: number,
  momentum: number,
  weightDecay: number,
  scale: number,
): void {
  const rest = 1 - alpha
  for (let i = 0; i < x.length; i++) {
    let d = scale * g[i] + weightDecay * x[i]
    v[i] = alpha * v[i] + rest * (d * d)
    let variance = v[i]
    if (mean !== null) {
      mean[i] = alpha * mean[i] + rest * d
      // Rounding may take it below 0.
      variance = Math.max(variance - mean[i] * mean[i], 0)
    }
    d /= Math.sqrt(variance) + epsilon
    if (m !== null) {
      m[i] = momentum * m[i] + d
      d = m[i]
    }
    x[i] -= rate * d
  }
}

function lamb(
  x: FloatArray,
  g: FloatArray,
  m: FloatArray,
  v: FloatArray,
  beta1: number,
  beta2: number,
  rate: number,
  correction1: number,
  correction2: number,
  epsilon: number,
  weightDecay: number,
  scale: number,
): number {
  const [rest1, rest2] = [1 - beta1, 1 - beta2]
  const at = (i: number) => correction1 * (m[i] / (correction2 * Math.sqrt(v[i]) + epsilon)) + weightDecay * x[i]
  let [size, length] = [0, 0]
  for (let i = 0; i < x.length; i++) {
    const d = scale * g[i]
    m[i] = beta1 * m[i] + rest1 * d
    v[i] = beta2 * v[i] + rest2 * (d * d)
    const r = at(i)
    size += x[i] * x[i]
    length += r * r
  }
  const ratio = size > 0 && length > 0 ? Math.sqrt(size) / Math.sqrt(length) : 1
  for (let i = 0; i < x.length; i++) x[i] -= rate * ratio * at(i)
  return ratio
}

export const portableUpdate: UpdateKernels = { sumOfSquares, combine, clip, sgd, adam, rmsprop, lamb, lion, rankOne }
