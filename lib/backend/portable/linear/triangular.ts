import type { TriangularJob } from '../../linear-dense.js'
import type { Watch, Work } from '../work.js'
import { addScaled } from './matrix.js'

/** Substitution, on all columns of the right-hand side at once. */
export function* triangularSolve(job: Omit<TriangularJob, 'threads'>, monitor: Pick<Watch, 'due'>): Work<void> {
  const { n, pitch, a, lower, transpose, unit, columns, b } = job
  // The transpose of a lower triangle is an upper one, solved from the end.
  const forward = lower !== transpose
  for (let step = 0; step < n; step++) {
    const i = forward ? step : n - 1 - step
    const row = i * columns
    if (!unit) {
      const pivot = a[i * pitch + i]
      for (let c = row; c < row + columns; c++) b[c] /= pivot
    }
    const from = forward ? i + 1 : 0
    const to = forward ? n : i
    for (let j = from; j < to; j++) {
      const entry = transpose ? a[i * pitch + j] : a[j * pitch + i]
      if (entry !== 0) addScaled(-entry, b, row, b, j * columns, columns)
    }
    if (monitor.due()) yield
  }
}
