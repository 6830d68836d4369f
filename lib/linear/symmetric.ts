import type { CsrData } from '../backend/linear-sparse.js'
import { type Clock, type Step, segment } from '../backend/portable/linear/step.js'
import { shapeText } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'

interface Difference {
  row: number
  /** Right of `row`. */
  column: number
  upper: number
  lower: number
}

/** A place where rows and columns of a square matrix differ, up to rounding errors; null if nowhere. */
export function* asymmetry({ rows, indptr, indices, data }: CsrData, watch: Clock): Step<Difference | null> {
  let most = 0
  for (let from = 0; from < data.length; from += segment) {
    const end = Math.min(data.length, from + segment)
    for (let k = from; k < end; k++) most = Math.max(most, Math.abs(data[k]))
    if (watch.due()) yield
  }
  const slack = 1e-12 * most
  // Entry (i, j) meets the next entry of row j: if all are met that is (j, i), as rows and indices ascend.
  const next = indptr.slice(0, rows)
  for (let i = 0, seen = 0; i < rows; i++) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      const j = indices[k]
      const at = next[j]++
      const met = at < indptr[j + 1] ? indices[at] : rows
      if (met === i && Math.abs(data[at] - data[k]) <= slack) continue
      if (met < i) return difference(j, met, data[at], 0)
      return difference(i, j, data[k], met === i ? data[at] : 0)
    }
    if (indptr[i + 1] + i - seen < segment) continue
    seen = indptr[i + 1] + i
    if (watch.due()) yield
  }
  return null
}

function difference(i: number, j: number, own: number, other: number): Difference {
  return i < j ? { row: i, column: j, upper: own, lower: other } : { row: j, column: i, upper: other, lower: own }
}

export function* checkSymmetric(name: string, matrix: CsrData, watch: Clock): Step<void> {
  if (matrix.rows !== matrix.columns) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a square one, got ${shapeText(matrix.rows, matrix.columns)}`)
  }
  const found = yield* asymmetry(matrix, watch)
  if (found === null) return
  const { row, column, upper, lower } = found
  throw new ExtremaError(
    'ERR_NOT_POSITIVE',
    `${name}[${row}][${column}]: expected a symmetric matrix, got ${upper} here and ${lower} at [${column}][${row}]`,
  )
}
