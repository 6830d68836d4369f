import type { TensorData } from '../../tensor.js'
import type { FactorKernels } from '../../tensor-factor.js'
import { factorRows } from '../linear/cholesky.js'
import { eliminate } from '../linear/lu.js'
import { signOf, transposed, unitOf } from '../linear/matrix.js'
import { factorColumns, formQ } from '../linear/qr.js'
import { svdOf } from '../linear/svd.js'
import { triangularSolve as substitute } from '../linear/triangular.js'
import { symmetricEigen as eigenpairs } from '../linear/tridiagonal-eigen.js'
import { finish, unhurried } from '../work.js'
import { bandedOuter, bandedProduct } from './banded.js'

// The algorithms of the portable linear room, on one matrix after the other and in float64.

export const portableFactor: FactorKernels = {
  cholesky,
  triangularSolve,
  luFactor,
  luSolve,
  symmetricEigen,
  qr,
  svd,
  bandedProduct,
  bandedOuter,
}

/** Matrix p of a batch. */
function part(x: TensorData, p: number, size: number): Float64Array {
  return Float64Array.from(x.subarray(p * size, (p + 1) * size))
}

/** (A + Aᵀ) / 2 */
function symmetricPart(x: TensorData, p: number, n: number): Float64Array {
  const a = part(x, p, n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = 0.5 * (a[i * n + j] + a[j * n + i])
  }
  return a
}

function cholesky(out: TensorData, a: TensorData, batch: number, n: number): number {
  const factor = new Float64Array(n * n)
  for (let p = 0; p < batch; p++) {
    const row = finish(factorRows(symmetricPart(a, p, n), n, factor, unhurried))
    if (row >= 0) return p * n + row
    out.set(factor, p * n * n)
  }
  return -1
}

function triangularSolve(
  out: TensorData,
  a: TensorData,
  b: TensorData,
  batch: number,
  n: number,
  columns: number,
  lower: boolean,
  transpose: boolean,
  unit: boolean,
  strideA: number,
  strideB: number,
): number {
  for (let p = 0; p < batch; p++) {
    const matrix = Float64Array.from(a.subarray(p * strideA, p * strideA + n * n))
    if (!unit) for (let i = 0; i < n; i++) if (matrix[i * n + i] === 0) return p * n + i
    const x = Float64Array.from(b.subarray(p * strideB, p * strideB + n * columns))
    finish(substitute({ n, pitch: n, a: matrix, lower, transpose, unit, columns, b: x }, unhurried))
    out.set(x, p * n * columns)
  }
  return -1
}

function luFactor(factors: TensorData, permutation: Int32Array, a: TensorData, batch: number, n: number): number {
  let failed = -1
  for (let p = 0; p < batch; p++) {
    const matrix = part(a, p, n * n)
    finish(eliminate(matrix, n, permutation.subarray(p * n, (p + 1) * n), unhurried))
    for (let i = 0; i < n && failed < 0; i++) if (matrix[i * n + i] === 0) failed = p * n + i
    factors.set(matrix, p * n * n)
  }
  return failed
}

function luSolve(
  out: TensorData,
  factors: TensorData,
  permutation: Int32Array,
  b: TensorData,
  batch: number,
  n: number,
  columns: number,
  transpose: boolean,
  strideA: number,
  strideB: number,
): void {
  for (let p = 0; p < batch; p++) {
    const a = Float64Array.from(factors.subarray(p * strideA, p * strideA + n * n))
    const order = strideA === 0 ? permutation : permutation.subarray(p * n)
    const x = new Float64Array(n * columns)
    const row = (i: number): TensorData => b.subarray(p * strideB + i * columns, p * strideB + (i + 1) * columns)
    for (let i = 0; i < n; i++) x.set(row(transpose ? i : order[i]), i * columns)
    const job = { n, pitch: n, a, transpose, columns, b: x }
    for (const lower of transpose ? [false, true] : [true, false]) {
      finish(substitute({ ...job, lower, unit: lower }, unhurried))
    }
    for (let i = 0; i < n; i++) {
      const to = transpose ? order[i] : i
      out.set(x.subarray(i * columns, (i + 1) * columns), (p * n + to) * columns)
    }
  }
}

function symmetricEigen(values: TensorData, vectors: TensorData, a: TensorData, batch: number, n: number): void {
  for (let p = 0; p < batch; p++) {
    const found = finish(eigenpairs(symmetricPart(a, p, n), n, unhurried))
    values.set(found.values, p * n)
    for (let k = 0; k < n; k++) {
      const sign = signOf(found.vectors, k * n, n)
      for (let i = 0; i < n; i++) vectors[(p * n + i) * n + k] = sign * found.vectors[k * n + i]
    }
  }
}

function qr(q: TensorData, r: TensorData, a: TensorData, batch: number, m: number, n: number): void {
  const tau = new Float64Array(n)
  const permutation = new Int32Array(n)
  for (let p = 0; p < batch; p++) {
    const columns = transposed(part(a, p, m * n), m, n)
    finish(factorColumns(columns, m, n, tau, permutation, false, unhurried))
    const left = finish(formQ(columns, tau, m, n, unhurried))
    for (let j = 0; j < n; j++) {
      const sign = columns[j * m + j] < 0 ? -1 : 1
      for (let i = 0; i < m; i++) q[(p * m + i) * n + j] = sign * left[i * n + j]
      for (let k = 0; k < n; k++) r[(p * n + j) * n + k] = k < j ? 0 : sign * columns[k * m + j]
    }
  }
}

function svd(u: TensorData, s: TensorData, vt: TensorData, a: TensorData, batch: number, m: number, n: number): void {
  const k = Math.min(m, n)
  for (let p = 0; p < batch; p++) {
    const matrix = part(a, p, m * n)
    const largest = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const unit = largest === 0 ? 1 : unitOf(largest)
    const found = finish(
      svdOf(
        matrix.map((value) => value / unit),
        m,
        n,
        unhurried,
      ),
    )
    u.set(found.u, p * m * k)
    s.set(
      found.s.map((value) => value * unit),
      p * k,
    )
    vt.set(found.vt, p * k * n)
  }
}
