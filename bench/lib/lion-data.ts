import { generator } from '../../lib/random/index.js'

/** ½ xᵀQ x − bᵀx, Q = B Bᵀ / n + I / 10, B and b normal. */
export interface BoxQuadratic {
  n: number
  value(x: Float64Array): number
  gradient(x: Float64Array): Float64Array
  /** An upper bound of the largest eigenvalue. */
  lipschitz: number
}

export function boxQuadratic(n: number, seed: number, pull = 1): BoxQuadratic {
  const rng = generator(seed)
  const B = rng.normal(n * n)
  const b = rng.normal(n).map((value) => pull * value)
  const Q = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < n; k++) Q[i * n + j] += (B[i * n + k] * B[j * n + k]) / n
    }
    Q[i * n + i] += 0.1
  }
  const gradient = (x: Float64Array): Float64Array => {
    const out = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) out[i] += Q[i * n + j] * x[j]
      out[i] -= b[i]
    }
    return out
  }
  let lipschitz = 0
  for (let i = 0; i < n; i++) {
    let row = 0
    for (let j = 0; j < n; j++) row += Math.abs(Q[i * n + j])
    lipschitz = Math.max(lipschitz, row)
  }
  return {
    n,
    lipschitz,
    gradient,
    value: (x) => gradient(x).reduce((sum, slope, i) => sum + (x[i] * (slope - b[i])) / 2, 0),
  }
}

/** The minimizer within |x_i| <= limit, by projected gradients. */
export function clippedMinimizer({ n, gradient, lipschitz }: BoxQuadratic, limit: number): Float64Array {
  const x = new Float64Array(n)
  for (let k = 0; k < 20_000; k++) {
    const g = gradient(x)
    for (let i = 0; i < n; i++) x[i] = Math.min(Math.max(x[i] - g[i] / lipschitz, -limit), limit)
  }
  return x
}
