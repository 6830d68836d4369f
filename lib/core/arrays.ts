import { ExtremaError } from './errors.js'

export type FloatArray = Float64Array | Float32Array

/** A vector: a typed array is used in place, anything else array-like is converted once. */
export type VectorLike = FloatArray | ArrayLike<number>

/** A strided view, row-major by default: scijs ndarrays and the package's own results have this form. */
export interface NdArrayLike {
  data: FloatArray | ArrayLike<number>
  shape: ArrayLike<number>
  stride?: ArrayLike<number>
  offset?: number
}

/** A matrix: a strided view or rows of numbers. */
export type MatrixLike = NdArrayLike | ArrayLike<ArrayLike<number>>

/** Dense row-major data, as results are returned. */
export interface NdArray<T extends FloatArray = Float64Array> {
  data: T
  shape: number[]
}

/** Compressed sparse rows, with SciPy's names. */
export interface Csr {
  shape: [number, number]
  /** rows + 1 offsets into `indices` and `data`. */
  indptr: Int32Array
  /** Column of each entry, ascending within a row. */
  indices: Int32Array
  data: Float64Array
}

/** A contiguous row-major matrix, as kernels take it. */
export interface DenseMatrix<T extends FloatArray = FloatArray> {
  data: T
  rows: number
  columns: number
}

function isFloatArray(value: unknown): value is FloatArray {
  return value instanceof Float64Array || value instanceof Float32Array
}

/** Refuses memory that can shrink or has gone away under a running kernel. */
export function checkBuffer(name: string, array: FloatArray | Int32Array): void {
  const buffer = array.buffer as ArrayBufferLike & { resizable?: boolean; growable?: boolean; detached?: boolean }
  if (buffer.resizable === true || buffer.growable === true) {
    throw new ExtremaError('ERR_BUFFER', `${name}: expected memory of fixed length, got a resizable buffer`)
  }
  if (buffer.byteLength === 0 && isDetached(buffer)) {
    throw new ExtremaError('ERR_BUFFER', `${name}: expected an array, got one whose buffer was transferred away`)
  }
}

function isDetached(buffer: ArrayBufferLike & { detached?: boolean }): boolean {
  if (buffer.detached !== undefined) return buffer.detached
  if (!(buffer instanceof ArrayBuffer)) return false
  try {
    new Uint8Array(buffer)
    return false
  } catch {
    return true
  }
}

/** The vector as a typed array, in place where it already is one. */
export function toVector(name: string, value: VectorLike): FloatArray {
  if (isFloatArray(value)) {
    checkBuffer(name, value)
    return value
  }
  return copyNumbers(name, value)
}

/** The vector in float64, in place where it already is. */
export function toFloat64(name: string, value: VectorLike): Float64Array {
  const vector = toVector(name, value)
  return vector instanceof Float64Array ? vector : Float64Array.from(vector)
}

/** Refuses NaN and infinities in a vector, or in a row-major matrix of so many `columns`. Returns the values. */
export function checkFinite<T extends FloatArray>(
  name: string,
  values: T,
  { columns, what = 'number' }: { columns?: number; what?: string } = {},
): T {
  for (let k = 0; k < values.length; k++) {
    if (Number.isFinite(values[k])) continue
    const place = columns === undefined ? `[${k}]` : `[${Math.floor(k / columns)}][${k % columns}]`
    throw new ExtremaError('ERR_NOT_FINITE', `${name}${place}: expected a finite ${what}, got ${values[k]}`)
  }
  return values
}

/** Below this many bytes input is copied, so that the caller may go on using the memory. */
const copiedBytes = 2 ** 20

export function copyIfSmall<T extends FloatArray>(data: T): T {
  if (data.byteLength > copiedBytes || !(data.buffer instanceof ArrayBuffer)) return data
  return (data.byteLength <= slabShare ? copyToSlab(data) : data.slice()) as T
}

/** The same in float64. */
export function copyIfSmallFloat64(data: FloatArray): Float64Array {
  return data instanceof Float64Array ? copyIfSmall(data) : Float64Array.from(data)
}

/** Tiny copies share a buffer, which nobody outside sees: a buffer of its own costs more than a small solve. */
const slabBytes = 2 ** 14
const slabShare = slabBytes / 8
let slab = new ArrayBuffer(slabBytes)
let slabUsed = 0

function copyToSlab(data: FloatArray): FloatArray {
  if (slabUsed + data.byteLength > slabBytes) {
    slab = new ArrayBuffer(slabBytes)
    slabUsed = 0
  }
  const offset = slabUsed
  slabUsed += Math.ceil(data.byteLength / 8) * 8
  const copy =
    data instanceof Float32Array
      ? new Float32Array(slab, offset, data.length)
      : new Float64Array(slab, offset, data.length)
  copy.set(data)
  return copy
}

function copyNumbers(name: string, values: ArrayLike<number>): Float64Array {
  if (!isArrayLike(values)) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a vector of numbers, got ${typeName(values)}`)
  }
  const out = new Float64Array(values.length)
  for (let i = 0; i < out.length; i++) {
    const value: unknown = values[i]
    if (typeof value !== 'number') {
      throw new ExtremaError('ERR_SHAPE', `${name}[${i}]: expected a number, got ${typeName(value)}`)
    }
    out[i] = value
  }
  return out
}

/** Whether the value has numbered entries: no more is asked of an array than that. */
function isArrayLike(value: unknown): value is ArrayLike<unknown> {
  if (typeof value !== 'object' || value === null) return false
  const { length } = value as { length?: unknown }
  return Number.isSafeInteger(length) && (length as number) >= 0
}

/** The matrix as contiguous row-major memory, in place where it already is. */
export function toDenseMatrix(name: string, value: MatrixLike): DenseMatrix {
  if (typeof value !== 'object' || value === null) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a matrix, got ${typeName(value)}`)
  }
  if ('shape' in value && 'data' in value) return fromView(name, value as NdArrayLike)
  if (isArrayLike(value)) return fromRows(name, value as ArrayLike<ArrayLike<number>>)
  throw new ExtremaError('ERR_SHAPE', `${name}: expected { data, shape } or rows of numbers, got ${typeName(value)}`)
}

function fromView(name: string, view: NdArrayLike): DenseMatrix {
  const [rows, columns] = matrixShape(name, view.shape)
  const source = isFloatArray(view.data) ? view.data : copyNumbers(`${name}.data`, view.data)
  checkBuffer(name, source)
  const [rowStride, columnStride] = strides(name, view.stride, columns)
  const { offset = 0 } = view
  if (!Number.isSafeInteger(offset)) {
    const came = typeof offset === 'number' ? offset : typeName(offset)
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a whole number for the offset, got ${came}`)
  }
  checkExtent(name, source.length, rows, columns, rowStride, columnStride, offset)
  const contiguous = (columnStride === 1 || columns === 1) && (rowStride === columns || rows === 1)
  if (contiguous) return { data: source.subarray(offset, offset + rows * columns), rows, columns }
  const data = source instanceof Float32Array ? new Float32Array(rows * columns) : new Float64Array(rows * columns)
  for (let i = 0, k = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) data[k++] = source[offset + i * rowStride + j * columnStride]!
  }
  return { data, rows, columns }
}

function matrixShape(name: string, shape: ArrayLike<number>): [number, number] {
  if (isArrayLike(shape) && shape.length === 2) {
    const [rows, columns] = [shape[0], shape[1]]
    if (Number.isSafeInteger(rows) && Number.isSafeInteger(columns) && rows >= 0 && columns >= 0) return [rows, columns]
  }
  throw new ExtremaError('ERR_SHAPE', `${name}: expected a shape of two whole numbers, got ${listText(shape)}`)
}

function strides(name: string, stride: ArrayLike<number> | undefined, columns: number): [number, number] {
  if (stride === undefined) return [columns, 1]
  if (isArrayLike(stride) && stride.length === 2) {
    const [down, across] = [stride[0], stride[1]]
    if (Number.isSafeInteger(down) && Number.isSafeInteger(across)) return [down, across]
  }
  throw new ExtremaError('ERR_SHAPE', `${name}: expected two whole numbers for strides, got ${listText(stride)}`)
}

function listText(value: unknown): string {
  return isArrayLike(value) ? `[${Array.from(value, String)}]` : typeName(value)
}

function checkExtent(
  name: string,
  length: number,
  rows: number,
  columns: number,
  rowStride: number,
  columnStride: number,
  offset: number,
): void {
  if (rows === 0 || columns === 0) return
  const acrossRows = (rows - 1) * rowStride
  const acrossColumns = (columns - 1) * columnStride
  const least = offset + Math.min(acrossRows, 0) + Math.min(acrossColumns, 0)
  const most = offset + Math.max(acrossRows, 0) + Math.max(acrossColumns, 0)
  if (least >= 0 && most < length) return
  throw new ExtremaError(
    'ERR_SHAPE',
    `${name}: expected data for shape ${rows}×${columns} (stride ${rowStride}, ${columnStride}; offset ${offset}), got ${length} numbers`,
  )
}

function fromRows(name: string, rows: ArrayLike<ArrayLike<number>>): DenseMatrix {
  const columns = rows.length === 0 ? 0 : (rows[0]?.length ?? 0)
  const data = new Float64Array(rows.length * columns)
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]
    if (typeof row !== 'object' || row === null || row.length !== columns) {
      const came = typeof row === 'object' && row !== null ? `${row.length} numbers` : typeName(row)
      throw new ExtremaError('ERR_SHAPE', `${name}[${i}]: expected a row of ${columns} numbers, got ${came}`)
    }
    for (let j = 0; j < columns; j++) {
      const entry: unknown = row[j]
      if (typeof entry !== 'number') {
        throw new ExtremaError('ERR_SHAPE', `${name}[${i}][${j}]: expected a number, got ${typeName(entry)}`)
      }
      data[i * columns + j] = entry
    }
  }
  return { data, rows: rows.length, columns }
}

/** The shape as it is written in messages: `3×4`. */
export function shapeText(rows: number, columns: number): string {
  return `${rows}×${columns}`
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value
}
