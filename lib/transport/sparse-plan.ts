import type { Csr, NdArray, VectorLike } from '../core/arrays.js'
import { toFloat64 } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'

/** A plan held by its entries, and what a rounding has spread: the sum of both. */
export interface SparseEntries {
  csr: Csr
  /** C of each entry. */
  costs: Float64Array
  /** u vᵀ */
  spread?: { u: Float64Array; v: Float64Array }
}

/**
 * Entries that are listed line by line, with the numbers of the lines and entries that they have in the whole problem
 * (null where they are the same), as compressed rows of the whole.
 */
export function entriesOf(
  shape: [number, number],
  byRows: boolean,
  lists: { indptr: Int32Array; indices: Int32Array; data: Float64Array; costs: Float64Array },
  rows: Int32Array | null,
  columns: Int32Array | null,
): SparseEntries {
  const [n] = shape
  const count = lists.indptr[lists.indptr.length - 1]
  const [lineNumber, entryNumber] = byRows ? [rows, columns] : [columns, rows]
  const rowOf = (line: number, k: number) =>
    byRows ? (lineNumber?.[line] ?? line) : (entryNumber?.[lists.indices[k]] ?? lists.indices[k])
  const columnOf = (line: number, k: number) =>
    byRows ? (entryNumber?.[lists.indices[k]] ?? lists.indices[k]) : (lineNumber?.[line] ?? line)
  const indptr = new Int32Array(n + 1)
  const visit = (each: (row: number, column: number, k: number) => void) => {
    for (let line = 0; line + 1 < lists.indptr.length; line++) {
      for (let k = lists.indptr[line]; k < lists.indptr[line + 1]; k++) each(rowOf(line, k), columnOf(line, k), k)
    }
  }
  visit((row) => indptr[row + 1]++)
  for (let i = 0; i < n; i++) indptr[i + 1] += indptr[i]
  const next = indptr.slice(0, n)
  const indices = new Int32Array(count)
  const data = new Float64Array(count)
  const costs = new Float64Array(count)
  // Lines and entries ascend, and so do the columns of each row.
  visit((row, column, k) => {
    const at = next[row]++
    indices[at] = column
    data[at] = lists.data[k]
    costs[at] = lists.costs[k]
  })
  return { csr: { shape, indptr, indices, data }, costs }
}

/** Row and column sums. */
export function marginalsOf({ csr, spread }: SparseEntries): { rows: Float64Array; columns: Float64Array } {
  const [n, m] = csr.shape
  const rows = new Float64Array(n)
  const columns = new Float64Array(m)
  forEntries(csr, (i, j, k) => {
    rows[i] += csr.data[k]
    columns[j] += csr.data[k]
  })
  if (spread !== undefined) {
    const u = total(spread.u)
    const v = total(spread.v)
    for (let i = 0; i < n; i++) rows[i] += spread.u[i] * v
    for (let j = 0; j < m; j++) columns[j] += spread.v[j] * u
  }
  return { rows, columns }
}

export function forEntries({ shape, indptr, indices }: Csr, each: (i: number, j: number, k: number) => void): void {
  for (let i = 0; i < shape[0]; i++) for (let k = indptr[i]; k < indptr[i + 1]; k++) each(i, indices[k], k)
}

export function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0)
}

export function densePlan({ csr, spread }: SparseEntries): NdArray {
  const [n, m] = csr.shape
  const data = new Float64Array(n * m)
  if (spread !== undefined) {
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) data[i * m + j] = spread.u[i] * spread.v[j]
  }
  forEntries(csr, (i, j, k) => {
    data[i * m + j] += csr.data[k]
  })
  return { data, shape: [n, m] }
}

/** A copy with what was spread among the entries. */
export function sparsePlan({ csr, spread }: SparseEntries): Csr {
  const { shape, indptr, indices, data } = csr
  if (spread === undefined) return { shape, indptr: indptr.slice(), indices: indices.slice(), data: data.slice() }
  const [n, m] = shape
  const starts = new Int32Array(n + 1)
  const columns: number[] = []
  const values: number[] = []
  for (let i = 0; i < n; i++) {
    let k = indptr[i]
    for (let j = 0; j < m; j++) {
      const value = spread.u[i] * spread.v[j]
      const here = k < indptr[i + 1] && indices[k] === j
      if (!here && value === 0) continue
      columns.push(j)
      values.push(here ? value + data[k++] : value)
    }
    starts[i + 1] = columns.length
  }
  return { shape, indptr: starts, indices: Int32Array.from(columns), data: Float64Array.from(values) }
}

/** P x, or Pᵀ x. */
export function applyPlan(entries: SparseEntries, vector: VectorLike, transpose: boolean): Float64Array {
  const { csr, spread } = entries
  const [n, m] = csr.shape
  const x = toFloat64('v', vector)
  if (x.length !== (transpose ? n : m)) {
    throw new ExtremaError('ERR_SHAPE', `v: expected ${transpose ? n : m} numbers, got ${x.length}`)
  }
  const out = new Float64Array(transpose ? m : n)
  forEntries(csr, (i, j, k) => {
    if (transpose) out[j] += csr.data[k] * x[i]
    else out[i] += csr.data[k] * x[j]
  })
  if (spread !== undefined) {
    const [left, right] = transpose ? [spread.v, spread.u] : [spread.u, spread.v]
    const product = right.reduce((sum, value, k) => sum + value * x[k], 0)
    for (let k = 0; k < out.length; k++) out[k] += left[k] * product
  }
  return out
}
