import type { CostData } from '../../kernels.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import { PointCloudRows } from './point-cloud.js'

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
    this.offset = 0 - start // not -0, which is no integer
  }
}

export function* openCost(cost: CostData, monitor: Watch): Work<CostRows> {
  const { n, m, metric, x } = cost
  if (metric !== 'dense') return yield* PointCloudRows.open(cost, metric, monitor)
  return x instanceof Float64Array ? new Float64Rows(n, m, x) : new Float32Rows(n, m, x)
}
