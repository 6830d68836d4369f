import type { InverseDiagonalJob, InverseEntriesJob } from '../../curvature.js'
import type { Clock, Work } from '../work.js'
import { entriesOf, partsOf, solveLower } from './blocks.js'

const columnsAtOnce = 64

/** What rounding takes below one unit counts as that unit: diagonal entries are positive. */
const leastShare = Number.EPSILON / 2

function squaredColumns(b: Float64Array, m: number, n: number, out: Float64Array, at: number): void {
  out.fill(0, at, at + n)
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[at + j] += b[i * n + j] * b[i * n + j]
}

/** rows: [F⁻¹]_jj = (1 - |L⁻¹ g_j|² / m) / λ with the column g_j; columns: |L⁻¹ e_j|². */
export function* diagonal(job: InverseDiagonalJob, clock: Clock): Work<void> {
  const { rows, form, factors, damping, divisor, out } = job
  const { m, d, block } = rows
  for (const { index, from, width } of partsOf(rows)) {
    for (let start = 0; start < width; start += columnsAtOnce) {
      const n = Math.min(columnsAtOnce, width - start)
      const at = from + start
      if (form === 'columns') {
        // L⁻¹ e_j starts at place j.
        const size = width - start
        const units = new Float64Array(size * n)
        for (let j = 0; j < n; j++) units[j * n + j] = 1
        yield* solveLower(factors, (index * block + start) * block + start, size, block, units, n, clock)
        squaredColumns(units, size, n, out, at)
        continue
      }
      const g = entriesOf(rows)
      const columns = new Float64Array(m * n)
      for (let i = 0; i < m; i++) columns.set(g.subarray(i * d + at, i * d + at + n), i * n)
      yield* solveLower(factors, index * m * m, m, m, columns, n, clock)
      squaredColumns(columns, m, n, out, at)
      for (let j = at; j < at + n; j++) out[j] = Math.max(1 - out[j] / divisor, leastShare) / damping
    }
  }
}

export function* entries(job: InverseEntriesJob, clock: Clock): Work<void> {
  const { order, pitch, factor, columns, places, damping, divisor, out } = job
  const k = places.length
  const solved = columns === null ? new Float64Array(order * k) : columns.slice()
  if (columns === null) for (let j = 0; j < k; j++) solved[places[j] * k + j] = 1
  yield* solveLower(factor, 0, order, pitch, solved, k, clock)
  out.fill(0)
  for (let i = 0; i < order; i++) {
    const row = i * k
    for (let a = 0; a < k; a++) {
      const value = solved[row + a]
      if (value !== 0) for (let b = 0; b <= a; b++) out[a * k + b] += value * solved[row + b]
    }
    if (clock.due()) yield
  }
  for (let a = 0; a < k; a++) {
    for (let b = 0; b <= a; b++) {
      let value = out[a * k + b]
      if (columns !== null) {
        // Two of the k may be the same coordinate.
        const isSame = places[a] === places[b]
        value = (isSame ? Math.max(1 - value / divisor, leastShare) : -value / divisor) / damping
      }
      out[a * k + b] = value
      out[b * k + a] = value
    }
  }
}
