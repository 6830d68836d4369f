import { ExtremaError } from '../../../core/errors.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import type { CostRows } from './cost.js'
import { PointCloudRows } from './point-cloud.js'

export interface CostRange {
  least: number
  most: number
  /** Some entries are +Infinity. */
  forbids: boolean
}

/** Range of the finite entries of C, for points a bound of it. Throws ERR_NOT_FINITE at NaN or -Infinity. */
export function* costRange(cost: CostRows, monitor: Watch): Work<CostRange> {
  if (cost instanceof PointCloudRows) {
    if (Number.isFinite(cost.diameter)) return { least: 0, most: cost.diameter, forbids: false }
    throw new ExtremaError('ERR_NOT_FINITE', 'cost: the distances between the points overflow; rescale the coordinates')
  }
  const range = { least: Number.POSITIVE_INFINITY, most: Number.NEGATIVE_INFINITY, forbids: false }
  let work = 0
  for (let i = 0; i < cost.n; i++) {
    for (let start = 0; start < cost.m; start += segmentLength) {
      const end = Math.min(start + segmentLength, cost.m)
      cost.read(i, start, end)
      const bad = extend(range, cost.data, cost.offset, start, end)
      if (bad >= 0) {
        throw new ExtremaError(
          'ERR_NOT_FINITE',
          `cost[${i}][${bad}]: expected a finite number (or Infinity for a forbidden arc), got ${cost.data[cost.offset + bad]}`,
        )
      }
      work += end - start
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
  }
  return range
}

/** Column of the first entry that is NaN or -Infinity, or -1. */
function extend(range: CostRange, data: Float64Array, offset: number, start: number, end: number): number {
  let { least, most } = range
  for (let j = start; j < end; j++) {
    const c = data[offset + j]
    if (!(c > Number.NEGATIVE_INFINITY)) return j
    if (c < least) least = c
    if (c === Number.POSITIVE_INFINITY) range.forbids = true
    else if (c > most) most = c
  }
  range.least = least
  range.most = most
  return -1
}
