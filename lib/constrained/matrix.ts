import type { SystemMatrix } from '../backend/constrained.js'
import { System } from '../backend/portable/constrained/system.js'
import { type Csr, type MatrixLike, shapeText, toDenseMatrix } from '../core/arrays.js'
import { type ErrorCode, ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'

export type { SystemMatrix }

/** A copy of a dense or CSR matrix in float64, checked; `code` is that of entries that are not finite. */
export function toSystem(
  name: string,
  value: MatrixLike | Csr,
  code: ErrorCode,
  rows = -1,
  columns = -1,
): SystemMatrix {
  if (typeof value !== 'object' || value === null) refuse(code, name, 'a matrix', describe(value))
  const matrix = 'indptr' in value ? copyCsr(name, value) : copyDense(name, value)
  const right = (rows < 0 || matrix.rows === rows) && (columns < 0 || matrix.columns === columns)
  if (!right) {
    const came = shapeText(matrix.rows, matrix.columns)
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a ${shapeText(rows, columns)} matrix, got ${came}`)
  }
  for (let k = 0; k < matrix.data.length; k++) {
    if (!Number.isFinite(matrix.data[k])) refuse(code, name, 'finite entries', String(matrix.data[k]))
  }
  return matrix
}

function refuse(code: ErrorCode, name: string, expected: string, came: string): never {
  throw new ExtremaError(code, `${name}: expected ${expected}, got ${came}`)
}

function copyDense(name: string, value: MatrixLike): SystemMatrix {
  const { data, rows, columns } = toDenseMatrix(name, value)
  return { rows, columns, data: Float64Array.from(data), indptr: null, indices: null }
}

function copyCsr(name: string, { shape, indptr, indices, data }: Csr): SystemMatrix {
  const wrong = (expected: string, came: unknown): never => refuse('ERR_SHAPE', name, expected, String(came))
  if (!Array.isArray(shape) || shape.length !== 2 || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    wrong('a shape of two whole numbers', shape)
  }
  const [rows, columns] = shape
  if (indptr?.length !== rows + 1) wrong(`${rows + 1} offsets in indptr`, indptr?.length)
  const count = indptr[rows]
  if (indices?.length !== count || data?.length !== count) {
    wrong(`${count} indices and data`, `${indices?.length} and ${data?.length}`)
  }
  for (let i = 0; i < rows; i++) {
    if (!(indptr[0] === 0 && indptr[i] <= indptr[i + 1])) wrong('ascending offsets from 0 in indptr', `row ${i}`)
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      const ascends = k === indptr[i] || indices[k - 1] < indices[k]
      if (!(indices[k] >= 0 && indices[k] < columns && ascends)) {
        wrong(`ascending columns below ${columns} in every row`, `${indices[k]} in row ${i}`)
      }
    }
  }
  return {
    rows,
    columns,
    data: Float64Array.from(data),
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
  }
}

/** Compressed rows of a dense matrix, without its zeros. */
export function toSparse(matrix: SystemMatrix): SystemMatrix {
  if (matrix.indptr !== null) return matrix
  const { rows, columns, data } = matrix
  const count = data.reduce((sum, value) => sum + (value === 0 ? 0 : 1), 0)
  const indptr = new Int32Array(rows + 1)
  const indices = new Int32Array(count)
  const values = new Float64Array(count)
  let at = 0
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      if (data[i * columns + j] === 0) continue
      indices[at] = j
      values[at++] = data[i * columns + j]
    }
    indptr[i + 1] = at
  }
  return { rows, columns, data: values, indptr, indices }
}

export function toDense(matrix: SystemMatrix): SystemMatrix {
  if (matrix.indptr === null) return matrix
  const { rows, columns } = matrix
  const system = new System(matrix)
  const data = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) system.add(i, 1, data.subarray(i * columns, (i + 1) * columns))
  return { rows, columns, data, indptr: null, indices: null }
}

export function transposed(matrix: SystemMatrix): SystemMatrix {
  const { rows, columns, data, indptr, indices } = toSparse(matrix)
  const starts = new Int32Array(columns + 1)
  for (const j of indices!) starts[j + 1]++
  for (let j = 0; j < columns; j++) starts[j + 1] += starts[j]
  const next = starts.slice(0, columns)
  const out = new Float64Array(data.length)
  const places = new Int32Array(data.length)
  for (let i = 0; i < rows; i++) {
    for (let k = indptr![i]; k < indptr![i + 1]; k++) {
      const to = next[indices![k]]++
      places[to] = i
      out[to] = data[k]
    }
  }
  return { rows: columns, columns: rows, data: out, indptr: starts, indices: places }
}

export function frobenius({ data }: SystemMatrix): number {
  let sum = 0
  for (let k = 0; k < data.length; k++) sum += data[k] * data[k]
  return Math.sqrt(sum)
}

/** out += factor Aᵀ x */
export function addTransposed(matrix: SystemMatrix, x: Float64Array, factor: number, out: Float64Array): void {
  const system = new System(matrix)
  for (let i = 0; i < matrix.rows; i++) if (x[i] !== 0) system.add(i, factor * x[i], out)
}

/** A x */
export function product(matrix: SystemMatrix, x: Float64Array): Float64Array {
  const out = new Float64Array(matrix.rows)
  new System(matrix).multiply(x, out)
  return out
}

export function isSame(a: SystemMatrix, b: SystemMatrix): boolean {
  if ((a.indptr === null) !== (b.indptr === null) || a.data.length !== b.data.length) return false
  for (let k = 0; k < a.data.length; k++) if (a.data[k] !== b.data[k]) return false
  if (a.indices === null || b.indices === null || a.indptr === null || b.indptr === null) return true
  for (let k = 0; k < a.indices.length; k++) if (a.indices[k] !== b.indices[k]) return false
  for (let i = 0; i < a.indptr.length; i++) if (a.indptr[i] !== b.indptr[i]) return false
  return true
}

/** The largest |a_ij - a_ji|. */
export function asymmetry(matrix: SystemMatrix): number {
  const { rows, indptr, data } = matrix
  let most = 0
  if (indptr === null) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < i; j++) most = Math.max(most, Math.abs(data[i * rows + j] - data[j * rows + i]))
    }
    return most
  }
  const a = new System(matrix)
  const b = new System(transposed(matrix))
  const difference = new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    a.add(i, 1, difference)
    b.add(i, -1, difference)
    for (const system of [a, b]) {
      for (let k = system.begin(i); k < system.end(i); k++) {
        most = Math.max(most, Math.abs(difference[system.indices![k]]))
      }
    }
    a.clear(i, difference)
    b.clear(i, difference)
  }
  return most
}
