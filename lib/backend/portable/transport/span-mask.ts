import { segmentLength, type Watch, type Work } from '../work.js'
import type { PointCloudRows } from './point-cloud.js'

// Twin of native/transport/span-mask.cc.

/** Points of a block: an aligned run, which lies in a small box where the points are in the order of a tree. */
export const blockSize = 32
/** Sums of at least this share of their weight keep their digits. */
export const margin = 1e-4

interface Side {
  count: number
  blocks: number
  /** d × blocks */
  least: Float64Array
  most: Float64Array
  /** Logarithm of the least weight. */
  logWeight: Float64Array
  /** The largest. */
  potential: Float64Array
}

/**
 * Which pairs of blocks of points a sweep may leave out: those in which no entry can reach delta min(a_I / m, b_J / n),
 * with the least weights of either block. Then a row whose sum is a_i, and a column whose sum is b_j, lose at most the
 * share delta. Of other sums the pass asks afterwards.
 */
export class SpanMask {
  /** Entries that the last mask leaves out. */
  skipped = 0
  private readonly rows: Side
  private readonly columns: Side
  /** Of each block of rows the columns that are to be formed: begin, end, begin, end, … */
  private readonly spans: number[][]

  constructor(
    private readonly cost: PointCloudRows,
    a: Float64Array,
    b: Float64Array,
  ) {
    this.rows = measure(cost.n, cost.d, cost.x, cost.d, 1, a)
    this.columns = measure(cost.m, cost.d, cost.yT, 1, cost.m, b)
    this.spans = Array.from({ length: this.rows.blocks }, () => [])
  }

  /** The columns of row i that are to be formed. */
  of(i: number): readonly number[] {
    return this.spans[Math.floor(i / blockSize)]
  }

  *rebuild(f: Float64Array, g: Float64Array, epsilon: number, delta: number, monitor: Watch): Work<void> {
    const { rows, columns, spans } = this
    reach(rows, f)
    reach(columns, g)
    const [logN, logM, logDelta] = [rows.count, columns.count, delta].map(Math.log)
    this.skipped = 0
    let work = 0
    for (let I = 0; I < rows.blocks; I++) {
      const kept = spans[I]
      kept.length = 0
      let formed = 0
      for (let J = 0; J < columns.blocks; J++) {
        const least = Math.min(rows.logWeight[I] - logM, columns.logWeight[J] - logN) + logDelta
        // Written so that what is no number is formed.
        if (rows.potential[I] + columns.potential[J] - this.leastCost(I, J) < epsilon * least) continue
        const begin = J * blockSize
        const end = Math.min(begin + blockSize, columns.count)
        formed += end - begin
        if (kept.length > 0 && kept[kept.length - 1] === begin) kept[kept.length - 1] = end
        else kept.push(begin, end)
      }
      this.skipped += (Math.min((I + 1) * blockSize, rows.count) - I * blockSize) * (columns.count - formed)
      work += columns.blocks
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
  }

  /** Between the boxes of two blocks. Unit vectors: 1 - x·y = |x - y|² / 2. */
  private leastCost(I: number, J: number): number {
    const { rows, columns, cost } = this
    let total = 0
    for (let k = 0; k < cost.d; k++) {
      const row = k * rows.blocks + I
      const column = k * columns.blocks + J
      const gap = Math.max(rows.least[row] - columns.most[column], columns.least[column] - rows.most[row], 0)
      total += cost.metric === 'cityblock' ? gap : gap * gap
    }
    if (cost.metric === 'cosine') return total / 2
    return cost.metric === 'euclidean' ? Math.sqrt(total) : total
  }
}

function measure(
  count: number,
  d: number,
  points: Float64Array,
  pointStep: number,
  coordinateStep: number,
  weights: Float64Array,
): Side {
  const blocks = Math.ceil(count / blockSize)
  const side: Side = {
    ...{ count, blocks, potential: new Float64Array(blocks) },
    least: new Float64Array(d * blocks).fill(Number.POSITIVE_INFINITY),
    most: new Float64Array(d * blocks).fill(Number.NEGATIVE_INFINITY),
    logWeight: new Float64Array(blocks).fill(Number.POSITIVE_INFINITY),
  }
  for (let i = 0; i < count; i++) {
    const I = Math.floor(i / blockSize)
    for (let k = 0; k < d; k++) {
      const value = points[i * pointStep + k * coordinateStep]
      const at = k * blocks + I
      side.least[at] = Math.min(side.least[at], value)
      side.most[at] = Math.max(side.most[at], value)
    }
    side.logWeight[I] = Math.min(side.logWeight[I], Math.log(weights[i]))
  }
  return side
}

function reach({ count, potential }: Side, values: Float64Array): void {
  potential.fill(Number.NEGATIVE_INFINITY)
  for (let i = 0; i < count; i++) {
    const I = Math.floor(i / blockSize)
    potential[I] = Math.max(potential[I], values[i])
  }
}
