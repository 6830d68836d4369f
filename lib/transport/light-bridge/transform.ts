import { ExtremaError } from '../../core/errors.js'
import type { Points } from './points.js'

/**
 * How data become what the model is fitted to: centred, each side by its own mean, and divided by one number. Bridges
 * keep their form: with x = mean + scale z, X_t = mean_t + scale Z_t for mean_t = (1 - t) mean_0 + t mean_1, and epsilon
 * is divided by scale². Without it, distances from the origin would cost digits of all exponents.
 */
export interface Transform {
  source: Float64Array
  target: Float64Array
  scale: number
}

const leastVariance = 1e-12

/** Means of both sides, and as scale the root mean square of the standard deviations of all their coordinates. */
export function standardize(source: Points, target: Points, epsilon: number): Transform {
  const first = meanAndVariance(source)
  const second = meanAndVariance(target)
  const variance = (first.variance + second.variance) / 2
  if (!Number.isFinite(variance)) {
    throw new ExtremaError('ERR_NOT_FINITE', `source, target: expected points of finite variance, got ${variance}`)
  }
  // Points without any spread leave epsilon as the only length there is.
  const square = Math.max(variance, leastVariance * epsilon)
  return { source: first.mean, target: second.mean, scale: Math.sqrt(square) }
}

/** The mean and the mean over the coordinates of their variances. */
function meanAndVariance({ data, rows, columns }: Points): { mean: Float64Array; variance: number } {
  const mean = new Float64Array(columns)
  for (let k = 0; k < data.length; k++) mean[k % columns] += data[k] / rows
  let variance = 0
  for (let k = 0; k < data.length; k++) variance += (data[k] - mean[k % columns]) ** 2 / data.length
  return { mean, variance }
}

/** (x - mean) / scale of each row. */
export function toStandard(data: Float64Array, mean: Float64Array, scale: number): Float64Array {
  const columns = mean.length
  const out = new Float64Array(data.length)
  for (let i = 0; i < data.length; i += columns) {
    for (let l = 0; l < columns; l++) out[i + l] = (data[i + l] - mean[l]) / scale
  }
  return out
}

/** mean + scale z of each row, in place. */
export function fromStandard(data: Float64Array, mean: Float64Array, scale: number): Float64Array {
  const columns = mean.length
  for (let i = 0; i < data.length; i += columns) {
    for (let l = 0; l < columns; l++) data[i + l] = mean[l] + scale * data[i + l]
  }
  return data
}

/** The mean at time t. */
export function meanAt({ source, target }: Transform, t: number): Float64Array {
  return source.map((mean, l) => mean + t * (target[l] - mean))
}
