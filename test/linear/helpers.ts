import { inner, type Rows, times } from '../helpers/matrices.js'
import { fill, random, randomNormal } from '../helpers/random.js'

export { eliminate, inner, product, type Rows, times, toCsr, transpose as flipped } from '../helpers/matrices.js'

export const norm = (x: ArrayLike<number>): number => Math.sqrt(inner(x, x))

/** ‖x - y‖ / ‖y‖ */
export const apart = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
  norm(Array.from(x, (value, i) => value - y[i])) / Math.max(1e-300, norm(y))

/** ‖b - A x‖ / ‖b‖ */
export const misfit = (a: Rows, x: ArrayLike<number>, b: ArrayLike<number>): number =>
  norm(times(a, x).map((value, i) => b[i] - value)) / norm(b)

/** An n × n matrix with the entries that `density` leaves, and a dominant diagonal of this sign. */
export function randomSparse(n: number, seed: number, density = 0.3): Rows {
  const next = random(seed)
  const a: Rows = Array.from({ length: n }, () =>
    Array.from({ length: n }, () => (next() < density ? 2 * next() - 1 : 0)),
  )
  a.forEach((row, i) => {
    row[i] = 1 + row.reduce((sum, value) => sum + Math.abs(value), 0)
  })
  return a
}

/** A symmetric positive definite one. */
export function randomDefinite(n: number, seed: number, density = 0.3): Rows {
  const a = randomSparse(n, seed, density)
  const s = a.map((row, i) => row.map((value, j) => (i === j ? 0 : (value + a[j][i]) / 2)))
  const next = random(seed + 1)
  s.forEach((row, i) => {
    row[i] = 0.05 + next() + row.reduce((sum, value) => sum + Math.abs(value), 0)
  })
  return s
}

/** The 5-point Laplacian of a height × width grid, by its definition. */
export function laplacian(height: number, width: number): Rows {
  const n = height * width
  const a: Rows = Array.from({ length: n }, () => new Array<number>(n).fill(0))
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const k = i * width + j
      a[k][k] = 4
      if (i > 0) a[k][k - width] = -1
      if (i + 1 < height) a[k][k + width] = -1
      if (j > 0) a[k][k - 1] = -1
      if (j + 1 < width) a[k][k + 1] = -1
    }
  }
  return a
}

export const normals = (n: number, seed: number): Float64Array => fill(n, randomNormal(seed))
