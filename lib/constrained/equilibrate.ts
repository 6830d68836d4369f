import type { SystemMatrix } from '../backend/constrained.js'

/** Enough for a near optimum: the limit of the iteration is not the best there is. */
const sweeps = 20

/**
 * d > 0 such that A diag(d), its rows scaled to length one as row projections do, has columns of about the same length: the
 * scaling of Sinkhorn, Knopp 1967 for the squared entries.
 */
export function columnScales({ rows, columns, data, indptr, indices }: SystemMatrix): Float64Array {
  const squares = new Float64Array(columns).fill(1)
  const rowSums = new Float64Array(rows)
  const columnSums = new Float64Array(columns)
  const visit = (use: (i: number, j: number, square: number) => void) => {
    for (let i = 0; i < rows; i++) {
      const begin = indptr === null ? i * columns : indptr[i]
      const end = indptr === null ? begin + columns : indptr[i + 1]
      for (let k = begin; k < end; k++) use(i, indices === null ? k - begin : indices[k], data[k] * data[k])
    }
  }
  for (let sweep = 0; sweep < sweeps; sweep++) {
    rowSums.fill(0)
    columnSums.fill(0)
    visit((i, j, square) => {
      rowSums[i] += square * squares[j]
    })
    visit((i, j, square) => {
      if (rowSums[i] > 0) columnSums[j] += square / rowSums[i]
    })
    for (let j = 0; j < columns; j++) squares[j] = columnSums[j] > 0 ? 1 / columnSums[j] : 1
  }
  return squares.map(Math.sqrt)
}

/** A diag(d) */
export function withColumns(matrix: SystemMatrix, d: Float64Array): SystemMatrix {
  const { columns, indices } = matrix
  const data = matrix.data.map((value, k) => value * d[indices === null ? k % columns : indices[k]])
  return { ...matrix, data }
}
