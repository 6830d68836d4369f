import type { EntriesData } from '../backend/completion.js'
import { checkBuffer, type FloatArray, toVector, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'

/** Observed entries as triplets: values[k] stands in row rows[k] and column columns[k]. Every entry at most once. */
export interface Triplets {
  shape: readonly [rows: number, columns: number]
  rows: Int32Array | ArrayLike<number>
  columns: Int32Array | ArrayLike<number>
  values: VectorLike
  /** Weight >= 0 of every entry; entries of weight 0 count as not observed. Default: all 1. */
  weights?: VectorLike
}

/** The same in compressed sparse rows, with SciPy's names. */
export interface CsrEntries {
  shape: readonly [rows: number, columns: number]
  indptr: Int32Array | ArrayLike<number>
  indices: Int32Array | ArrayLike<number>
  data: VectorLike
  weights?: VectorLike
}

export type CompletionProblem = Triplets | CsrEntries

export interface CheckedEntries extends EntriesData {
  m: number
  n: number
}

/** Below this many bytes input is copied, so that the caller may go on using the memory. */
const copiedBytes = 2 ** 20
const mostEntries = 2 ** 31 - 1

/** The indices as an Int32Array, in place where they are one and large. Their range is the kernel's to check. */
export function toIndices(name: string, value: unknown): Int32Array {
  if (value instanceof Int32Array) {
    checkBuffer(name, value)
    return value.byteLength > copiedBytes ? value : value.slice()
  }
  const length = typeof value === 'object' && value !== null ? (value as ArrayLike<unknown>).length : undefined
  if (!Number.isSafeInteger(length)) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected an array of indices, got ${describe(value)}`)
  }
  const given = value as ArrayLike<unknown>
  const out = new Int32Array(given.length)
  for (let k = 0; k < out.length; k++) {
    const index = given[k]
    if (typeof index !== 'number' || !Number.isInteger(index) || Math.abs(index) > mostEntries) {
      throw new ExtremaError('ERR_SHAPE', `${name}[${k}]: expected a whole number, got ${describe(index)}`)
    }
    out[k] = index
  }
  return out
}

function toValues(name: string, value: VectorLike, count: number, match: string): FloatArray {
  const vector = toVector(name, value)
  if (vector.length !== count) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${count} numbers to match ${match}, got ${vector.length}`)
  }
  return vector.byteLength > copiedBytes ? vector : vector.slice()
}

function checkLength(name: string, indices: Int32Array, count: number, match: string): void {
  if (indices.length === count) return
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${count} indices to match ${match}, got ${indices.length}`)
}

function checkShape(shape: unknown): [number, number] {
  if (Array.isArray(shape) && shape.length === 2) {
    const [m, n] = shape
    if ([m, n].every((size) => Number.isInteger(size) && size > 0 && size <= mostEntries)) return [m, n]
  }
  const came = Array.isArray(shape) ? `[${shape}]` : describe(shape)
  throw new ExtremaError('ERR_SHAPE', `shape: expected two whole numbers > 0, got ${came}`)
}

export function checkEntries(problem: CompletionProblem): CheckedEntries {
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `problem: expected { shape, rows, columns, values }, CSR or chunks of ratings, got ${describe(problem)}`,
    )
  }
  const [m, n] = checkShape(problem.shape)
  const entries = 'indptr' in problem ? checkCsr(problem, m) : checkTriplets('', problem)
  if (entries.count === 0) {
    throw new ExtremaError('ERR_SHAPE', 'values: expected at least one observed entry, got none')
  }
  return { ...entries, m, n }
}

export function checkTriplets(
  prefix: string,
  { rows, columns, values, weights }: Omit<Triplets, 'shape'>,
): EntriesData {
  const vector = toVector(`${prefix}values`, values)
  const count = vector.length
  const entries = {
    count,
    rows: toIndices(`${prefix}rows`, rows),
    indptr: null,
    columns: toIndices(`${prefix}columns`, columns),
    values: toValues(`${prefix}values`, vector, count, 'values'),
    weights: weights === undefined ? null : toValues(`${prefix}weights`, weights, count, 'values'),
  }
  checkLength(`${prefix}rows`, entries.rows, count, 'values')
  checkLength(`${prefix}columns`, entries.columns, count, 'values')
  return entries
}

function checkCsr({ indptr, indices, data, weights }: CsrEntries, m: number): EntriesData {
  const values = toVector('data', data)
  const count = values.length
  const entries = {
    count,
    rows: null,
    indptr: toIndices('indptr', indptr),
    columns: toIndices('indices', indices),
    values: toValues('data', values, count, 'data'),
    weights: weights === undefined ? null : toValues('weights', weights, count, 'data'),
  }
  checkLength('indptr', entries.indptr, m + 1, `the shape (${m} rows)`)
  checkLength('indices', entries.columns, count, 'data')
  return entries
}

/** The row of every entry. */
export function rowsOf({ rows, indptr, count, m }: CheckedEntries): Int32Array {
  if (rows !== null) return rows
  const out = new Int32Array(count)
  if (indptr !== null) for (let i = 0; i < m; i++) out.fill(i, indptr[i], indptr[i + 1])
  return out
}

/** Entries by row, columns ascending: what {@link topK} leaves out. */
export function seenOf(entries: CheckedEntries): { indptr: Int32Array; indices: Int32Array } {
  const rows = rowsOf(entries)
  const { m, n, columns, count } = entries
  // By columns first, so that they come out ascending within the rows.
  const columnEnds = new Int32Array(n + 1)
  for (let k = 0; k < count; k++) columnEnds[columns[k] + 1]++
  for (let j = 0; j < n; j++) columnEnds[j + 1] += columnEnds[j]
  const order = new Int32Array(count)
  for (let k = 0; k < count; k++) order[columnEnds[columns[k]]++] = k
  const indptr = new Int32Array(m + 1)
  for (let k = 0; k < count; k++) indptr[rows[k] + 1]++
  for (let i = 0; i < m; i++) indptr[i + 1] += indptr[i]
  const next = indptr.slice()
  const indices = new Int32Array(count)
  for (let at = 0; at < count; at++) indices[next[rows[order[at]]]++] = columns[order[at]]
  return { indptr, indices }
}
