import type { SystemMatrix } from '../backend/constrained.js'
import type { Clock, Work } from '../backend/portable/work.js'

/** Enough for a near optimum: the limit of the iteration is not the best there is. */
const sweeps = 20
/** Entries between two looks at the clock. */
const stretch = 16_384

/**
 * d > 0 such that A diag(d), its rows scaled to length one as row projections do, has columns of about the same length: the
 * scaling of Sinkhorn, Knopp 1967 for the squared entries.
 */
export function* columnScales(
  { rows, columns, data, indptr, indices }: SystemMatrix,
  clock: Clock,
): Work<Float64Array> {
  const squares = new Float64Array(columns).fill(1)
  const rowSums = new Float64Array(rows)
  const columnSums = new Float64Array(columns)
  function* visit(use: (i: number, j: number, square: number) => void): Work<void> {
    let seen = 0
    for (let i = 0; i < rows; i++) {
      const begin = indptr === null ? i * columns : indptr[i]
      const end = indptr === null ? begin + columns : indptr[i + 1]
      for (let k = begin; k < end; k++) use(i, indices === null ? k - begin : indices[k], data[k] * data[k])
      seen += end - begin + 1
      if (seen < stretch) continue
      seen = 0
      if (clock.due()) yield
    }
  }
  for (let sweep = 0; sweep < sweeps; sweep++) {
    rowSums.fill(0)
    columnSums.fill(0)
    yield* visit((i, j, square) => {
      rowSums[i] += square * squares[j]
    })
    yield* visit((i, j, square) => {
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
