import type { CsrData } from '../backend/linear-sparse.js'
import { type Clock, type Step, segment } from '../backend/portable/linear/step.js'
import { type Csr, checkBuffer, checkFinite, toFloat64 } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'

/** Compressed sparse columns: `indptr` has columns + 1 offsets, `indices` are rows, ascending within a column. */
export interface Csc extends Csr {
  format: 'csc'
}

/** Entries of a sparse matrix in any order; those at the same place are added. */
export interface Triplets {
  shape: readonly [number, number]
  rows: ArrayLike<number>
  columns: ArrayLike<number>
  values: ArrayLike<number>
}

const mostLines = 2 ** 31 - 2

export function checkShape(name: string, shape: unknown): [number, number] {
  const list = typeof shape === 'object' && shape !== null ? Array.from(shape as ArrayLike<unknown>) : []
  const isWhole = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 1 && (n as number) <= mostLines
  if (list.length === 2 && list.every(isWhole)) return list as [number, number]
  const came = list.length > 0 ? `[${list}]` : describe(shape)
  throw new ExtremaError('ERR_SHAPE', `${name}.shape: expected two whole numbers >= 1, got ${came}`)
}

function toInt32(name: string, value: unknown): Int32Array {
  if (value instanceof Int32Array) {
    checkBuffer(name, value)
    // Copied: an index must not change under a kernel.
    return value.slice()
  }
  const length = (value as { length?: unknown } | null | undefined)?.length
  if (typeof value !== 'object' || !Number.isSafeInteger(length)) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected an Int32Array, got ${describe(value)}`)
  }
  const list = value as ArrayLike<number>
  const out = new Int32Array(list.length)
  for (let k = 0; k < out.length; k++) {
    out[k] = list[k]
    if (out[k] === list[k]) continue
    throw new ExtremaError('ERR_SHAPE', `${name}[${k}]: expected a whole number below 2³¹, got ${describe(list[k])}`)
  }
  return out
}

const csrNames: ReadonlySet<string> = new Set(['shape', 'indptr', 'indices', 'data', 'format'])

/** Compressed lines: rows, or columns if `format` says so; `rows` of the result are the lines. */
export function checkCompressed(name: string, value: Csr | Csc): CsrData {
  checkNames(name, value, csrNames)
  const isCsc = (value as Csc).format === 'csc'
  const shape = checkShape(name, value.shape)
  const [lines, width] = isCsc ? [shape[1], shape[0]] : shape
  const indptr = toInt32(`${name}.indptr`, value.indptr)
  const indices = toInt32(`${name}.indices`, value.indices)
  const data = toFloat64(`${name}.data`, value.data)
  if (indptr.length !== lines + 1) {
    throw new ExtremaError('ERR_SHAPE', `${name}.indptr: expected ${lines + 1} offsets, got ${indptr.length}`)
  }
  if (indptr[0] !== 0) throw new ExtremaError('ERR_SHAPE', `${name}.indptr[0]: expected 0, got ${indptr[0]}`)
  const count = indptr[lines]
  for (let i = 0; i < lines; i++) {
    if (indptr[i + 1] >= indptr[i]) continue
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}.indptr[${i + 1}]: expected offsets that do not fall, got ${indptr[i + 1]} after ${indptr[i]}`,
    )
  }
  if (indices.length !== count) {
    throw new ExtremaError('ERR_SHAPE', `${name}.indices: expected ${count} to match indptr, got ${indices.length}`)
  }
  if (data.length !== count) {
    throw new ExtremaError('ERR_SHAPE', `${name}.data: expected ${count} numbers to match indptr, got ${data.length}`)
  }
  for (let i = 0; i < lines; i++) {
    let last = -1
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      const j = indices[k]
      if (j > last && j < width) {
        last = j
        continue
      }
      const wanted = j < 0 || j >= width ? `an index from 0 to ${width - 1}` : 'ascending indices within a line'
      throw new ExtremaError('ERR_SHAPE', `${name}.indices[${k}]: expected ${wanted}, got ${j}`)
    }
  }
  checkFinite(`${name}.data`, data)
  return { rows: lines, columns: width, indptr, indices, data }
}

/** A CSR matrix of entries in any order; entries at the same place are added, and zeros are kept. */
export function fromTriplets(triplets: Triplets): Csr {
  if (typeof triplets !== 'object' || triplets === null) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `triplets: expected { shape, rows, columns, values }, got ${describe(triplets)}`,
    )
  }
  checkNames('triplets', triplets, tripletNames)
  const [rows, columns] = checkShape('triplets', triplets.shape)
  const i = checkPlaces('rows', triplets.rows, rows)
  const j = checkPlaces('columns', triplets.columns, columns)
  const values = checkFinite('values', toFloat64('values', triplets.values))
  if (i.length !== values.length || j.length !== values.length) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `triplets: expected rows, columns and values of one length, got ${i.length}, ${j.length} and ${values.length}`,
    )
  }
  // By columns, then stably by rows: two counting sorts.
  const byColumn = countingOrder(j, columns)
  const order = countingOrder(i, rows, byColumn)
  const indptr = new Int32Array(rows + 1)
  const indices = new Int32Array(values.length)
  const data = new Float64Array(values.length)
  let count = 0
  let line = 0
  for (const k of order) {
    while (line < i[k]) indptr[++line] = count
    if (count > indptr[line] && indices[count - 1] === j[k]) {
      data[count - 1] += values[k]
    } else {
      indices[count] = j[k]
      data[count++] = values[k]
    }
  }
  while (line < rows) indptr[++line] = count
  return { shape: [rows, columns], indptr, indices: indices.slice(0, count), data: data.slice(0, count) }
}

const tripletNames: ReadonlySet<string> = new Set(['shape', 'rows', 'columns', 'values'])

function checkPlaces(name: string, value: ArrayLike<number>, length: number): Int32Array {
  const places = toInt32(name, value)
  for (let k = 0; k < places.length; k++) {
    if (places[k] >= 0 && places[k] < length) continue
    throw new ExtremaError('ERR_SHAPE', `${name}[${k}]: expected a place from 0 to ${length - 1}, got ${places[k]}`)
  }
  return places
}

/** The places of `keys` (or those of `of`) in ascending order of their key, equal ones as they came. */
function countingOrder(keys: Int32Array, most: number, of?: Int32Array): Int32Array {
  const next = new Int32Array(most + 1)
  for (const key of keys) next[key + 1]++
  for (let key = 0; key < most; key++) next[key + 1] += next[key]
  const order = new Int32Array(keys.length)
  for (let t = 0; t < keys.length; t++) {
    const k = of === undefined ? t : of[t]
    order[next[keys[k]]++] = k
  }
  return order
}

/** The rows of the transpose, which are the columns of the matrix. */
export function* flipSteps({ rows, columns, indptr, indices, data }: CsrData, watch: Clock): Step<CsrData> {
  const out: CsrData = {
    rows: columns,
    columns: rows,
    indptr: new Int32Array(columns + 1),
    indices: new Int32Array(data.length),
    data: new Float64Array(data.length),
  }
  for (let from = 0; from < indices.length; from += segment) {
    const end = Math.min(indices.length, from + segment)
    for (let k = from; k < end; k++) out.indptr[indices[k] + 1]++
    if (watch.due()) yield
  }
  for (let j = 0; j < columns; j++) out.indptr[j + 1] += out.indptr[j]
  const next = out.indptr.slice()
  for (let i = 0, seen = 0; i < rows; i++) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      const at = next[indices[k]]++
      out.indices[at] = i
      out.data[at] = data[k]
    }
    if (indptr[i + 1] + i - seen < segment) continue
    seen = indptr[i + 1] + i
    if (watch.due()) yield
  }
  return out
}

/** {@link flipSteps} at once. */
export function flip(matrix: CsrData): CsrData {
  return flipSteps(matrix, { due: () => false }).next().value as CsrData
}

/** The transpose of a CSR matrix, as a CSR matrix. */
export function transpose(matrix: Csr): Csr {
  if (typeof matrix !== 'object' || matrix === null) {
    throw new ExtremaError('ERR_SHAPE', `matrix: expected a CSR matrix, got ${describe(matrix)}`)
  }
  const checked = checkCompressed('matrix', matrix)
  const { indptr, indices, data } = (matrix as Csc).format === 'csc' ? checked : flip(checked)
  const [rows, columns] = matrix.shape
  return { shape: [columns, rows], indptr, indices, data }
}
