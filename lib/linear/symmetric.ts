import type { CsrData } from '../backend/linear-sparse.js'
import { shapeText } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { flip } from './csr.js'

/** Where rows and columns differ, up to rounding errors; null if nowhere. */
export function asymmetry(matrix: CsrData): { row: number; column: number; upper: number; lower: number } | null {
  const other = flip(matrix)
  let most = 0
  for (const value of matrix.data) most = Math.max(most, Math.abs(value))
  for (let i = 0; i < matrix.rows; i++) {
    if (other.indptr[i + 1] !== matrix.indptr[i + 1]) return difference(matrix, other, i)
    for (let k = matrix.indptr[i]; k < matrix.indptr[i + 1]; k++) {
      const isSame = other.indices[k] === matrix.indices[k]
      if (!isSame || Math.abs(other.data[k] - matrix.data[k]) > 1e-12 * most) return difference(matrix, other, i)
    }
  }
  return null
}

function difference(matrix: CsrData, other: CsrData, i: number) {
  const row = new Map<number, number>()
  for (let k = matrix.indptr[i]; k < matrix.indptr[i + 1]; k++) row.set(matrix.indices[k], matrix.data[k])
  const column = new Map<number, number>()
  for (let k = other.indptr[i]; k < other.indptr[i + 1]; k++) column.set(other.indices[k], other.data[k])
  const places = [...row.keys(), ...column.keys()].filter((j) => row.get(j) !== column.get(j))
  const j = Math.min(...places)
  return { row: i, column: j, upper: row.get(j) ?? 0, lower: column.get(j) ?? 0 }
}

export function checkSymmetric(name: string, matrix: CsrData): void {
  if (matrix.rows !== matrix.columns) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a square one, got ${shapeText(matrix.rows, matrix.columns)}`)
  }
  const found = asymmetry(matrix)
  if (found === null) return
  const { row, column, upper, lower } = found
  throw new ExtremaError(
    'ERR_NOT_POSITIVE',
    `${name}[${row}][${column}]: expected a symmetric matrix, got ${upper} here and ${lower} at [${column}][${row}]`,
  )
}
