import { ExtremaError } from '../../../core/errors.js'
import type { CostData } from '../../kernels.js'
import { PointCloudRows } from './point-cloud.js'
import { segmentLength, type Watch, type Work } from './work.js'

/** The cost as the passes read it, a segment of a row at a time. */
export interface CostRows {
  readonly n: number
  readonly m: number
  /** After `read(i, start, end)`, C_ij is `data[offset + j]` for start <= j < end <= start + segmentLength. */
  data: Float64Array
  offset: number
  read(i: number, start: number, end: number): void
}

class Float64Rows implements CostRows {
  offset = 0
  constructor(
    readonly n: number,
    readonly m: number,
    readonly data: Float64Array,
  ) {}

  read(i: number): void {
    this.offset = i * this.m
  }
}

/** Converted a segment at a time, so that the loops of the passes meet one kind of array only. */
class Float32Rows implements CostRows {
  readonly data: Float64Array
  offset = 0
  constructor(
    readonly n: number,
    readonly m: number,
    private readonly source: Float32Array,
  ) {
    this.data = new Float64Array(Math.min(m, segmentLength))
  }

  read(i: number, start: number, end: number): void {
    const { source, data } = this
    const first = i * this.m + start
    const count = end - start
    for (let k = 0; k < count; k++) data[k] = source[first + k]
    this.offset = -start
  }
}

export function* openCost(cost: CostData, monitor: Watch): Work<CostRows> {
  if (cost.metric !== 'dense') return yield* PointCloudRows.open(cost, monitor)
  const { n, m, x } = cost
  return x instanceof Float64Array ? new Float64Rows(n, m, x) : new Float32Rows(n, m, x)
}

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
