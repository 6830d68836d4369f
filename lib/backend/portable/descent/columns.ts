import type { MatrixData } from '../../descent.js'

/** A matrix by its columns: compressed, or dense with each column contiguous. */
export interface Columns {
  dense: Float64Array | null
  indptr: Int32Array
  indices: Int32Array
  data: Float64Array
}

const none = new Int32Array(0)

export function columnsOf({ rows, columns, dense, indptr, indices, data }: MatrixData): Columns {
  if (dense !== null) {
    const out = new Float64Array(rows * columns)
    for (let r = 0; r < rows; r++) for (let j = 0; j < columns; j++) out[j * rows + r] = dense[r * columns + j]
    return { dense: out, indptr: none, indices: none, data: out }
  }
  const nonzeros = indptr![rows]
  const start = new Int32Array(columns + 1)
  for (let k = 0; k < nonzeros; k++) start[indices![k] + 1]++
  for (let j = 0; j < columns; j++) start[j + 1] += start[j]
  const at = start.slice(0, columns)
  const where = new Int32Array(nonzeros)
  const values = new Float64Array(nonzeros)
  for (let r = 0; r < rows; r++) {
    for (let k = indptr![r]; k < indptr![r + 1]; k++) {
      const place = at[indices![k]]++
      where[place] = r
      values[place] = data![k]
    }
  }
  return { dense: null, indptr: start, indices: where, data: values }
}
