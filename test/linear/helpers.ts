import type { Csr } from '../../lib/core/index.js'
import { fill, random, randomNormal } from '../helpers/random.js'

export type Rows = number[][]

/** A⁻¹ b by elimination with pivots. */
export function eliminate(a: Rows, b: ArrayLike<number>): number[] {
  const n = a.length
  const m = a.map((row, i) => [...row, b[i]])
  for (let k = 0; k < n; k++) {
    let pivot = k
    for (let i = k; i < n; i++) if (Math.abs(m[i][k]) > Math.abs(m[pivot][k])) pivot = i
    ;[m[k], m[pivot]] = [m[pivot], m[k]]
    for (let i = k + 1; i < n; i++) {
      const factor = m[i][k] / m[k][k]
      for (let j = k; j <= n; j++) m[i][j] -= factor * m[k][j]
    }
  }
  const x = new Array<number>(n).fill(0)
  for (let i = n - 1; i >= 0; i--) {
    let sum = m[i][n]
    for (let j = i + 1; j < n; j++) sum -= m[i][j] * x[j]
    x[i] = sum / m[i][i]
  }
  return x
}

export const times = (a: Rows, x: ArrayLike<number>): number[] =>
  a.map((row) => row.reduce((sum, value, j) => sum + value * x[j], 0))

export const flipped = (a: Rows): Rows => a[0].map((_, j) => a.map((row) => row[j]))

export const product = (a: Rows, b: Rows): Rows => a.map((row) => flipped(b).map((column) => inner(row, column)))

export const inner = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i]
  return sum
}

export const norm = (x: ArrayLike<number>): number => Math.sqrt(inner(x, x))

/** ‖b - A x‖ / ‖b‖ */
export const misfit = (a: Rows, x: ArrayLike<number>, b: ArrayLike<number>): number =>
  norm(times(a, x).map((value, i) => b[i] - value)) / norm(b)

export function toCsr(a: Rows): Csr {
  const indptr = [0]
  const indices: number[] = []
  const data: number[] = []
  for (const row of a) {
    row.forEach((value, j) => {
      if (value === 0) return
      indices.push(j)
      data.push(value)
    })
    indptr.push(indices.length)
  }
  return {
    shape: [a.length, a[0].length],
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  }
}

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
