import type { CsrParts } from '../../kernels.js'
import { exp } from '../math.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import type { CostRows } from './cost.js'

/** Entries of the plan with log P_ij >= logTheta + min(rowLog_i, columnLog_j). */
export class ThresholdPass {
  /** n; both null for a bound of logTheta, one null for the other one alone. */
  rowLog: Float64Array | null = null
  /** m */
  columnLog: Float64Array | null = null
  /** Give up beyond this many entries. */
  most = 2 ** 31 - 1

  constructor(
    readonly epsilon: number,
    readonly f: Float64Array,
    readonly g: Float64Array,
    readonly logTheta: number,
  ) {}
}

/** Entries as they come, in memory that grows. */
class Collector {
  columns = new Int32Array(1024)
  values = new Float64Array(1024)
  count = 0

  makeRoom(more: number): void {
    if (this.count + more <= this.values.length) return
    const capacity = Math.max(2 * this.values.length, this.count + more)
    const { columns, values } = this
    this.columns = new Int32Array(capacity)
    this.columns.set(columns)
    this.values = new Float64Array(capacity)
    this.values.set(values)
  }
}

/** The kept entries by rows, or null where there are more than `most`. */
export function* thresholdPass(cost: CostRows, pass: ThresholdPass, monitor: Watch): Work<CsrParts | null> {
  const { n, m } = cost
  const { f, g, logTheta, rowLog, columnLog } = pass
  const inverse = 1 / pass.epsilon
  const kept = new Collector()
  const indptr = new Int32Array(n + 1)
  let work = 0
  for (let i = 0; i < n; i++) {
    const rowBound = rowLog === null ? (columnLog === null ? 0 : Number.POSITIVE_INFINITY) : rowLog[i]
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      cost.read(i, start, end)
      kept.makeRoom(end - start)
      if (columnLog === null) {
        keep(cost.data, cost.offset, f[i], g, inverse, logTheta + rowBound, start, end, kept)
      } else {
        keepRelative(cost.data, cost.offset, f[i], g, inverse, logTheta, rowBound, columnLog, start, end, kept)
      }
      if (kept.count > pass.most) return null
      work += end - start
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
    indptr[i + 1] = kept.count
  }
  return { indptr, indices: kept.columns.slice(0, kept.count), data: kept.values.slice(0, kept.count) }
}

// Exponents are compared, so that only kept entries pay for an exponential.

function keep(
  c: Float64Array,
  offset: number,
  f: number,
  g: Float64Array,
  inverse: number,
  bound: number,
  start: number,
  end: number,
  kept: Collector,
): void {
  const { columns, values } = kept
  let count = kept.count
  for (let j = start; j < end; j++) {
    const z = (f + g[j] - c[offset + j]) * inverse
    if (!(z >= bound) || z === Number.NEGATIVE_INFINITY) continue
    columns[count] = j
    values[count++] = exp(z)
  }
  kept.count = count
}

function keepRelative(
  c: Float64Array,
  offset: number,
  f: number,
  g: Float64Array,
  inverse: number,
  logTheta: number,
  rowLog: number,
  columnLog: Float64Array,
  start: number,
  end: number,
  kept: Collector,
): void {
  const { columns, values } = kept
  let count = kept.count
  for (let j = start; j < end; j++) {
    const z = (f + g[j] - c[offset + j]) * inverse
    const least = columnLog[j] < rowLog ? columnLog[j] : rowLog
    if (!(z >= logTheta + least) || z === Number.NEGATIVE_INFINITY) continue
    columns[count] = j
    values[count++] = exp(z)
  }
  kept.count = count
}
