import { fromData, type Tensor } from '../../lib/tensor/index.js'
import { randomNormal } from '../helpers/random.js'
import { shape } from './lion-kinds.js'

export interface Quadratic {
  n: number
  Q: number[][]
  b: number[]
  value(x: ArrayLike<number>): number
  gradient(x: ArrayLike<number>): Float64Array
  /** An upper bound of the largest eigenvalue. */
  lipschitz: number
}

/** ½ xᵀQ x − bᵀx with Q = B Bᵀ / n + I / 10 and normal B and b / pull: with 3 the minimum is far from the unit box. */
export function quadratic(n: number, seed: number, pull = 3): Quadratic {
  const next = randomNormal(seed)
  const B = Array.from({ length: n }, () => Array.from({ length: n }, next))
  const b = Array.from({ length: n }, () => pull * next())
  const Q = B.map((row, i) =>
    B.map((other, j) => row.reduce((sum, entry, k) => sum + entry * other[k], 0) / n + (i === j ? 0.1 : 0)),
  )
  const times = (x: ArrayLike<number>) => Q.map((row) => row.reduce((sum, entry, j) => sum + entry * x[j], 0))
  return {
    n,
    Q,
    b,
    value: (x) => times(x).reduce((sum, entry, i) => sum + x[i] * (entry / 2 - b[i]), 0),
    gradient: (x) => Float64Array.from(times(x), (entry, i) => entry - b[i]),
    lipschitz: Math.max(...Q.map((row) => row.reduce((sum, entry) => sum + Math.abs(entry), 0))),
  }
}

/** Twelve numbers as the 3 × 4 matrix of `lion-kinds`. */
export function matrixTensor(x: Float64Array): Tensor {
  return fromData(x, shape)
}
