import type { CostData } from '../../kernels.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import { type CostRows, openCost } from './cost.js'

/**
 * What is done with a column's candidates: s and index at from <= i < to. False if they may not be all it takes: then it
 * is called again with all of the column, whose threshold is -Infinity then.
 */
export type Visit = (column: number, s: Float64Array, index: Int32Array, from: number, to: number) => boolean

/** Numbers in a block of candidates. */
const blockSize = 2 ** 18

/** The cost by columns, which may be its columns or its rows. */
export class Columns {
  private readonly s: Float64Array
  private readonly index: Int32Array
  private readonly counts: Int32Array
  private readonly alone: { s: Float64Array; index: Int32Array }

  private constructor(
    private readonly cost: CostRows,
    /** Whether columns are rows of `cost`. */
    private readonly asRows: boolean,
    readonly count: number,
    readonly length: number,
  ) {
    const size = asRows ? length : Math.max(Math.min(blockSize, count * length), length)
    this.s = new Float64Array(size)
    this.index = new Int32Array(size)
    this.counts = new Int32Array(count)
    this.alone = asRows
      ? { s: this.s, index: this.index }
      : { s: new Float64Array(length), index: new Int32Array(length) }
  }

  static *open(problem: CostData, byRows: boolean, monitor: Watch): Work<Columns> {
    const { n, m } = problem
    const [count, length] = byRows ? [n, m] : [m, n]
    if (problem.metric === 'dense' || byRows) {
      return new Columns(yield* openCost(problem, monitor), byRows, count, length)
    }
    // Distances are symmetric: the columns of the cost are rows of that between the points exchanged.
    const exchanged: CostData = { ...problem, n: m, m: n, x: problem.y!, y: problem.x }
    return new Columns(yield* openCost(exchanged, monitor), true, count, length)
  }

  /**
   * Visits every column with its candidates s_i = x_i - C_i > threshold, by ascending i. Room is made for `most` of them; a
   * column with more is visited whole, its threshold then -Infinity.
   */
  *visit(x: Float64Array, threshold: Float64Array, most: number, visit: Visit, monitor: Watch): Work<void> {
    if (this.asRows) {
      let work = 0
      for (let column = 0; column < this.count; column++) {
        const found = this.readRow(column, x, threshold[column])
        if (!visit(column, this.s, this.index, 0, found)) this.again(column, x, threshold, visit)
        work += this.length
        if (work < segmentLength) continue
        work = 0
        if (monitor.due()) yield
      }
      return
    }
    const room = Math.min(this.length, most)
    const width = Math.min(this.count, segmentLength, Math.max(1, Math.floor(blockSize / room)))
    for (let first = 0; first < this.count; first += width) {
      const last = Math.min(first + width, this.count)
      yield* this.readColumns(first, last, x, threshold, room, monitor)
      for (let column = first; column < last; column++) {
        const found = this.counts[column]
        const from = (column - first) * room
        if (found > room || !visit(column, this.s, this.index, from, from + found)) {
          this.again(column, x, threshold, visit)
        }
        if (monitor.due()) yield
      }
    }
  }

  private again(column: number, x: Float64Array, threshold: Float64Array, visit: Visit): void {
    threshold[column] = Number.NEGATIVE_INFINITY
    this.visitWhole(column, x, visit)
  }

  /** Visits one column with all entries. */
  visitWhole(column: number, x: Float64Array, visit: Visit): void {
    const { s, index } = this.alone
    const found = this.asRows ? this.readRow(column, x, Number.NEGATIVE_INFINITY) : this.readColumn(column, x)
    visit(column, s, index, 0, found)
  }

  private readRow(column: number, x: Float64Array, threshold: number): number {
    const { cost, s, index } = this
    let found = 0
    for (let start = 0; start < this.length; start += segmentLength) {
      const end = Math.min(start + segmentLength, this.length)
      cost.read(column, start, end)
      found = keepRow(cost.data, cost.offset, x, threshold, start, end, s, index, found)
    }
    return found
  }

  private readColumn(column: number, x: Float64Array): number {
    const { cost, alone } = this
    let found = 0
    for (let i = 0; i < this.length; i++) {
      cost.read(i, column, column + 1)
      const value = x[i] - cost.data[cost.offset + column]
      if (!(value > Number.NEGATIVE_INFINITY)) continue
      alone.s[found] = value
      alone.index[found++] = i
    }
    return found
  }

  private *readColumns(
    first: number,
    last: number,
    x: Float64Array,
    threshold: Float64Array,
    room: number,
    monitor: Watch,
  ): Work<void> {
    const { cost, s, index, counts } = this
    counts.fill(0, first, last)
    let work = 0
    for (let i = 0; i < this.length; i++) {
      cost.read(i, first, last)
      keepColumns(cost.data, cost.offset, i, x[i], threshold, first, last, s, index, counts, room)
      work += last - first
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
  }

  /** Range of the finite costs. */
  *range(monitor: Watch): Work<{ least: number; most: number }> {
    const x = new Float64Array(this.length)
    const threshold = new Float64Array(this.count).fill(Number.NEGATIVE_INFINITY)
    let least = Number.POSITIVE_INFINITY
    let most = Number.NEGATIVE_INFINITY
    const extend: Visit = (_line, s, _index, from, to) => {
      for (let i = from; i < to; i++) {
        if (-s[i] < least) least = -s[i]
        if (-s[i] > most) most = -s[i]
      }
      return true
    }
    yield* this.visit(x, threshold, this.length, extend, monitor)
    return { least, most }
  }
}

// One kind of array throughout, so that V8 compiles each loop once.

function keepRow(
  c: Float64Array,
  offset: number,
  x: Float64Array,
  threshold: number,
  start: number,
  end: number,
  s: Float64Array,
  index: Int32Array,
  found: number,
): number {
  for (let j = start; j < end; j++) {
    const value = x[j] - c[offset + j]
    if (!(value > threshold)) continue
    s[found] = value
    index[found++] = j
  }
  return found
}

function keepColumns(
  c: Float64Array,
  offset: number,
  i: number,
  x: number,
  threshold: Float64Array,
  first: number,
  last: number,
  s: Float64Array,
  index: Int32Array,
  counts: Int32Array,
  room: number,
): void {
  for (let j = first; j < last; j++) {
    const value = x - c[offset + j]
    if (!(value > threshold[j])) continue
    const count = counts[j]++
    if (count >= room) continue
    const at = (j - first) * room + count
    s[at] = value
    index[at] = i
  }
}
