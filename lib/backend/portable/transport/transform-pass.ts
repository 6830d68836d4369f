import { segmentLength, type Watch, type Work } from '../work.js'
import type { CostRows } from './cost.js'
import { costDot, largest, lower } from './rows.js'

// The c-transforms: sweeps over the rows of C.

/** out_i = min_j (C_ij - g_j). With `rowCost` also sum_j C_ij w_j over w_j != 0. */
export function* rowTransform(
  cost: CostRows,
  g: Float64Array,
  out: Float64Array,
  monitor: Watch,
  w: Float64Array | null = null,
  rowCost: Float64Array | null = null,
): Work<void> {
  const { n, m } = cost
  let work = 0
  for (let i = 0; i < n; i++) {
    let most = Number.NEGATIVE_INFINITY
    let sumCost = 0
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      cost.read(i, start, end)
      most = Math.max(most, largest(cost.data, cost.offset, g, start, end))
      if (w !== null) sumCost += costDot(cost.data, cost.offset, w, 0, start, end)
      work += end - start
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
    out[i] = -most
    if (rowCost !== null) rowCost[i] = sumCost
  }
}

/** out_j = min_i (C_ij - f_i) */
export function* columnTransform(cost: CostRows, f: Float64Array, out: Float64Array, monitor: Watch): Work<void> {
  const { n, m } = cost
  out.fill(Number.POSITIVE_INFINITY)
  let work = 0
  for (let i = 0; i < n; i++) {
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      cost.read(i, start, end)
      lower(cost.data, cost.offset, f[i], out, start, end)
      work += end - start
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
  }
}
