import type { MatrixData } from '../backend/descent.js'
import {
  type Csr,
  checkBuffer,
  checkFinite,
  copyIfSmallFloat64,
  type MatrixLike,
  shapeText,
  toDenseMatrix,
} from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'

const isCsr = (value: unknown): value is Csr => typeof value === 'object' && value !== null && 'indptr' in value

/** A dense matrix, or compressed rows with ascending columns; finite, and not empty. */
export function checkMatrix(name: string, value: MatrixLike | Csr): MatrixData {
  const matrix = isCsr(value) ? checkCsr(name, value) : checkDense(name, value)
  if (matrix.rows === 0 || matrix.columns === 0) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}: expected a non-empty matrix, got ${shapeText(matrix.rows, matrix.columns)}`,
    )
  }
  return matrix
}

function checkDense(name: string, value: MatrixLike): MatrixData {
  const { data, rows, columns } = toDenseMatrix(name, value)
  checkFinite(name, data, { columns })
  return { rows, columns, dense: copyIfSmallFloat64(data), indptr: null, indices: null, data: null }
}

function checkCsr(name: string, { shape, indptr, indices, data }: Csr): MatrixData {
  const [rows, columns] = Array.isArray(shape) ? shape : [Number.NaN, Number.NaN]
  if (!Number.isSafeInteger(rows) || !Number.isSafeInteger(columns) || rows < 0 || columns < 0) {
    throw new ExtremaError('ERR_SHAPE', `${name}.shape: expected two whole numbers, got ${String(shape)}`)
  }
  if (!(indptr instanceof Int32Array) || !(indices instanceof Int32Array) || !(data instanceof Float64Array)) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}: expected { indptr: Int32Array, indices: Int32Array, data: Float64Array }, got other arrays`,
    )
  }
  for (const array of [indptr, indices, data]) checkBuffer(name, array)
  if (indptr.length !== rows + 1) {
    throw new ExtremaError('ERR_SHAPE', `${name}.indptr: expected ${rows + 1} offsets, got ${indptr.length}`)
  }
  const nonzeros = indptr[rows]
  if (indptr[0] !== 0 || nonzeros > indices.length || nonzeros > data.length) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}.indptr: expected offsets from 0 to at most ${Math.min(indices.length, data.length)}, got ${indptr[0]} to ${nonzeros}`,
    )
  }
  for (let i = 0; i < rows; i++) {
    if (indptr[i + 1] < indptr[i]) {
      throw new ExtremaError('ERR_SHAPE', `${name}.indptr[${i + 1}]: expected ascending offsets, got ${indptr[i + 1]}`)
    }
    for (let k = indptr[i], last = -1; k < indptr[i + 1]; k++) {
      const j = indices[k]
      if (j <= last || j >= columns) {
        throw new ExtremaError(
          'ERR_SHAPE',
          `${name}.indices[${k}]: expected ascending columns below ${columns} within a row, got ${j}`,
        )
      }
      if (!Number.isFinite(data[k])) {
        throw new ExtremaError('ERR_NOT_FINITE', `${name}.data[${k}]: expected a finite number, got ${data[k]}`)
      }
      last = j
    }
  }
  return { rows, columns, dense: null, indptr, indices, data }
}
