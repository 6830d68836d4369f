import { ExtremaError } from '../../../core/errors.js'
import { type CholeskyJob, factorField } from '../../linear-dense.js'
import type { Watch, Work } from '../work.js'
import {
  checkSymmetric,
  dot,
  probe,
  relativeDifference,
  scanMatrix,
  timesVector,
  transposedTimesVector,
} from './matrix.js'

export function* cholesky(job: CholeskyJob, monitor: Watch): Work<void> {
  const { n, a, factor, report } = job
  const { largest, rowSum } = yield* scanMatrix('matrix', a, n, n, monitor)
  yield* checkSymmetric('matrix', a, n, largest, monitor)
  const row = yield* factorRows(a, n, factor, monitor)
  if (row >= 0) {
    throw new ExtremaError(
      'ERR_NOT_POSITIVE',
      `matrix: expected a positive definite matrix, got one whose leading ${row + 1} rows and columns are not`,
    )
  }
  const z = probe(n)
  const inner = yield* transposedTimesVector(factor, n, n, z, monitor)
  const left = yield* timesVector(factor, n, n, inner, monitor)
  report[factorField.residual] = relativeDifference(left, yield* timesVector(a, n, n, z, monitor), rowSum)
}

/**
 * Row by row: L_ij = (A_ij - L_i · L_j) / L_jj, from the lower triangle of a. Returns the first row whose pivot is not
 * positive, or -1.
 */
export function* factorRows(
  a: Float64Array,
  n: number,
  factor: Float64Array,
  monitor: Pick<Watch, 'due' | 'progress'>,
): Work<number> {
  factor.fill(0)
  for (let i = 0; i < n; i++) {
    const row = i * n
    for (let j = 0; j < i; j++) {
      factor[row + j] = (a[row + j] - dot(factor, row, factor, j * n, j)) / factor[j * n + j]
      if (j % 64 === 0 && monitor.due()) yield
    }
    const pivot = a[row + i] - dot(factor, row, factor, row, i)
    if (!(pivot > 0)) return i
    factor[row + i] = Math.sqrt(pivot)
    monitor.progress(i, 0)
    if (monitor.due()) yield
  }
  return -1
}
