import type { Csr } from '../../lib/core/index.js'

// Small dense matrices as rows, done the plain way.

export type Rows = number[][]

export function identity(n: number, scale = 1): Rows {
  return Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? scale : 0)))
}

export function diagonal(values: ArrayLike<number>): Rows {
  return identity(values.length).map((row, i) => row.map((value) => value * values[i]))
}

export function transpose(a: Rows): Rows {
  return a[0].map((_, j) => a.map((row) => row[j]))
}

export function product(a: Rows, b: Rows): Rows {
  const columns = transpose(b)
  return a.map((row) => columns.map((column) => row.reduce((sum, value, k) => sum + value * column[k], 0)))
}

export function times(a: Rows, x: ArrayLike<number>): number[] {
  return a.map((row) => row.reduce((sum, value, k) => sum + value * x[k], 0))
}

export function inner(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i]
  return sum
}

/** a + factor b */
export function combined(a: Rows, factor: number, b: Rows): Rows {
  return a.map((row, i) => row.map((value, j) => value + factor * b[i][j]))
}

/** By Gauss and Jordan, with the largest pivot of each column. */
export function inverse(a: Rows): { inverse: Rows; determinant: number } {
  const n = a.length
  const work = a.map((row, i) => [...row, ...identity(n)[i]])
  let determinant = 1
  for (let k = 0; k < n; k++) {
    let pivot = k
    for (let i = k; i < n; i++) if (Math.abs(work[i][k]) > Math.abs(work[pivot][k])) pivot = i
    if (pivot !== k) {
      ;[work[k], work[pivot]] = [work[pivot], work[k]]
      determinant = -determinant
    }
    determinant *= work[k][k]
    work[k] = work[k].map((value) => value / work[k][k])
    for (let i = 0; i < n; i++) {
      const factor = work[i][k]
      if (i !== k && factor !== 0) work[i] = work[i].map((value, j) => value - factor * work[k][j])
    }
  }
  return { inverse: work.map((row) => row.slice(n)), determinant }
}

/** Eigenvalues of a symmetric matrix and, in columns, its eigenvectors, by Jacobi's rotations. */
export function symmetricEigen(matrix: Rows): { values: number[]; vectors: Rows } {
  const n = matrix.length
  const a = matrix.map((row) => [...row])
  const vectors = identity(n)
  for (let sweep = 0; sweep < 50; sweep++) {
    let off = 0
    for (let p = 0; p < n; p++) for (let q = 0; q < p; q++) off = Math.max(off, Math.abs(a[p][q]))
    if (off < 1e-15 * Math.max(...a.map((row, i) => Math.abs(row[i])))) break
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p][q] === 0) continue
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1))
        const c = 1 / Math.hypot(t, 1)
        const s = t * c
        for (const m of [a, vectors]) {
          for (let k = 0; k < n; k++) [m[k][p], m[k][q]] = [c * m[k][p] - s * m[k][q], s * m[k][p] + c * m[k][q]]
        }
        for (let k = 0; k < n; k++) [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]]
      }
    }
  }
  return { values: a.map((row, i) => row[i]), vectors }
}

/** f of a symmetric matrix. */
function symmetricFunction(matrix: Rows, f: (value: number) => number): Rows {
  const { values, vectors } = symmetricEigen(matrix)
  return product(product(vectors, diagonal(values.map(f))), transpose(vectors))
}

export function squareRoot(matrix: Rows): Rows {
  return symmetricFunction(matrix, (value) => Math.sqrt(Math.max(0, value)))
}

export function toRows(data: ArrayLike<number>, columns: number): Rows {
  return Array.from({ length: data.length / columns }, (_, i) =>
    Array.from({ length: columns }, (_, j) => data[i * columns + j]),
  )
}

/** Mean and covariance (over n, not n - 1) of rows. */
export function momentsOf(rows: ArrayLike<number>[]): { mean: number[]; covariance: Rows } {
  const d = rows[0].length
  const mean = Array.from({ length: d }, (_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length)
  const covariance = identity(d, 0)
  for (const row of rows) {
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) covariance[i][j] += ((row[i] - mean[i]) * (row[j] - mean[j])) / rows.length
    }
  }
  return { mean, covariance }
}

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

/** The entries that are not 0. */
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
    shape: [a.length, a[0]?.length ?? 0],
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  }
}
