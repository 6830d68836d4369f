import type { EqualityConstrainedProblem } from '../../../lib/constrained/index.js'
import { generator } from '../../../lib/random/index.js'

/** Samples as rows of x, with labels of 1 and -1. */
export interface Labelled {
  x: Float64Array
  labels: Float64Array
}

/** Normal samples, their labels drawn from a logistic model. */
export function syntheticLabels(samples: number, n: number, seed = 1): Labelled {
  const draw = generator(seed)
  const truth = draw.normal(n)
  const x = draw.normal(samples * n)
  const labels = Float64Array.from({ length: samples }, (_, i) => {
    let sum = 0
    for (let j = 0; j < n; j++) sum += x[i * n + j] * truth[j]
    return draw.uniform() < 1 / (1 + Math.exp(-sum)) ? 1 : -1
  })
  return { x, labels }
}

/** Every feature with mean 0 and variance 1; those that never change become 0. */
export function standardized({ x, labels }: Labelled): Labelled {
  const n = x.length / labels.length
  const out = x.slice()
  for (let j = 0; j < n; j++) {
    let mean = 0
    for (let i = 0; i < labels.length; i++) mean += x[i * n + j] / labels.length
    let variance = 0
    for (let i = 0; i < labels.length; i++) variance += (x[i * n + j] - mean) ** 2 / labels.length
    for (let i = 0; i < labels.length; i++) out[i * n + j] = (x[i * n + j] - mean) / (Math.sqrt(variance) || 1)
  }
  return { x: out, labels }
}

/**
 * min (1/N) Σ log(1 + exp(-y_i x_iᵀw)) subject to M w = q, ten rows of normal entries, and ‖w‖² = 1, from ones. q is M times a
 * vector of length 1/2, so that the constraints have solutions whatever n.
 */
export function constrainedLogistic({ x, labels }: Labelled, rows = 10, seed = 2): EqualityConstrainedProblem {
  const samples = labels.length
  const n = x.length / samples
  const draw = generator(seed)
  const matrix = draw.normal(rows * n)
  const inner = draw.normal(n)
  const length = Math.sqrt(inner.reduce((sum, value) => sum + value * value, 0))
  const times = (w: Float64Array, r: number) => {
    let sum = 0
    for (let j = 0; j < n; j++) sum += matrix[r * n + j] * w[j]
    return sum
  }
  const q = Array.from({ length: rows }, (_, r) =>
    times(
      inner.map((value) => value / (2 * length)),
      r,
    ),
  )
  const margins = (w: Float64Array) =>
    labels.map((y, i) => {
      let sum = 0
      for (let j = 0; j < n; j++) sum += x[i * n + j] * w[j]
      return y * sum
    })
  return {
    x0: new Float64Array(n).fill(1),
    value: (w) =>
      margins(w).reduce((sum, t) => sum + Math.log1p(Math.exp(-Math.abs(t))) + Math.max(0, -t), 0) / samples,
    gradient: (w) => {
      const out = new Float64Array(n)
      margins(w).forEach((t, i) => {
        const factor = -labels[i] / (1 + Math.exp(t)) / samples
        for (let j = 0; j < n; j++) out[j] += factor * x[i * n + j]
      })
      return out
    },
    constraints: (w) => [...q.map((value, r) => times(w, r) - value), w.reduce((sum, v) => sum + v * v, -1)],
    jacobian: (w) => {
      const data = new Float64Array((rows + 1) * n)
      data.set(matrix)
      for (let j = 0; j < n; j++) data[rows * n + j] = 2 * w[j]
      return { data, shape: [rows + 1, n] }
    },
    hessian: (w, multipliers) => {
      const data = new Float64Array(n * n)
      margins(w).forEach((t, i) => {
        const p = 1 / (1 + Math.exp(t))
        const factor = (p * (1 - p)) / samples
        for (let j = 0; j < n; j++) {
          const row = factor * x[i * n + j]
          for (let k = 0; k < n; k++) data[j * n + k] += row * x[i * n + k]
        }
      })
      for (let j = 0; j < n; j++) data[j * n + j] += 2 * multipliers[rows]
      return { data, shape: [n, n] }
    },
  }
}
