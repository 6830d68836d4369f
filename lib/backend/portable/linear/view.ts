import type { MatrixData } from '../../linear-dense.js'
import type { Watch, Work } from '../work.js'
import { addScaled, dot } from './matrix.js'

// Products with a dense or sparse matrix: the twin of native/linear/normal-products.cc.

type Clock = Pick<Watch, 'due'>

/** How many rows to handle between two looks at the clock. */
function stride({ rows, columns, dense, indptr }: MatrixData): number {
  const perRow = dense === null ? (indptr as Int32Array)[rows] / rows : columns
  return Math.max(1, Math.floor(4096 / Math.max(1, perRow)))
}

export function rowDot(a: MatrixData, i: number, x: Float64Array): number {
  if (a.dense !== null) return dot(a.dense, i * a.columns, x, 0, a.columns)
  const [indptr, indices, values] = [a.indptr as Int32Array, a.indices as Int32Array, a.values as Float64Array]
  let sum = 0
  for (let k = indptr[i]; k < indptr[i + 1]; k++) sum += values[k] * x[indices[k]]
  return sum
}

/** out[at + j] += factor A_ij */
export function addRow(a: MatrixData, i: number, factor: number, out: Float64Array, at = 0): void {
  if (a.dense !== null) {
    addScaled(factor, a.dense, i * a.columns, out, at, a.columns)
    return
  }
  const [indptr, indices, values] = [a.indptr as Int32Array, a.indices as Int32Array, a.values as Float64Array]
  for (let k = indptr[i]; k < indptr[i + 1]; k++) out[at + indices[k]] += factor * values[k]
}

/** Calls entry(column, value) for the entries of row i that may be nonzero. */
export function eachEntry(a: MatrixData, i: number, entry: (column: number, value: number) => void): void {
  if (a.dense !== null) {
    for (let j = 0; j < a.columns; j++) entry(j, a.dense[i * a.columns + j])
    return
  }
  const [indptr, indices, values] = [a.indptr as Int32Array, a.indices as Int32Array, a.values as Float64Array]
  for (let k = indptr[i]; k < indptr[i + 1]; k++) entry(indices[k], values[k])
}

/** out = Aᵀ (A x) */
export function* normalProduct(a: MatrixData, x: Float64Array, out: Float64Array, clock: Clock): Work<void> {
  out.fill(0)
  const step = stride(a)
  for (let i = 0; i < a.rows; i++) {
    addRow(a, i, rowDot(a, i, x), out)
    if (i % step === 0 && clock.due()) yield
  }
}

/** out = Aᵀ (b - A x). Returns |b - A x|². */
export function* residualProduct(
  a: MatrixData,
  b: Float64Array,
  x: Float64Array,
  out: Float64Array,
  clock: Clock,
): Work<number> {
  out.fill(0)
  const step = stride(a)
  let squares = 0
  for (let i = 0; i < a.rows; i++) {
    const r = b[i] - rowDot(a, i, x)
    squares += r * r
    addRow(a, i, r, out)
    if (i % step === 0 && clock.due()) yield
  }
  return squares
}
