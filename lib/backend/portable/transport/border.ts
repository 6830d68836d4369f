import type { Border } from '../../transport-relaxed.js'
import { segmentLength } from '../work.js'
import type { CostRows } from './cost.js'

/**
 * A cost with one more row and column, or one of the two, for what stays in partial transport: as cheap as the cheapest
 * arc, the one between both forbidden.
 */
export class BorderedRows implements CostRows {
  readonly n: number
  readonly m: number
  readonly data: Float64Array
  offset = 0

  constructor(
    private readonly core: CostRows,
    { row, column }: Border,
    readonly borderCost: number,
  ) {
    this.n = core.n + Number(row)
    this.m = core.m + Number(column)
    this.data = new Float64Array(Math.min(this.m, segmentLength))
  }

  read(i: number, start: number, end: number): void {
    const { core, data, borderCost } = this
    this.offset = 0 - start // not -0, which is no integer
    const inCore = i < core.n
    const coreEnd = Math.min(end, core.m)
    if (inCore && start < coreEnd) {
      core.read(i, start, coreEnd)
      const { offset } = core
      for (let j = start; j < coreEnd; j++) data[j - start] = core.data[offset + j]
    } else {
      data.fill(borderCost, 0, Math.max(0, coreEnd - start))
    }
    if (end > core.m) data[core.m - start] = inCore ? borderCost : Number.POSITIVE_INFINITY
  }
}
