import { ExtremaError } from '../../../core/errors.js'
import { costEntry } from '../../cost-entry.js'
import type { CsrParts } from '../../kernels.js'
import { type ExactProblemData, isArcs } from '../../transport-exact.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import { BorderedRows } from './border.js'
import { type CostRows, openCost } from './cost.js'
import { costRange } from './cost-range.js'
import { columnTransform, rowTransform } from './transform-pass.js'

// Twin of native/transport/pricing.h and what implements it.

const infinity = Number.POSITIVE_INFINITY

export class Arcs {
  row: number[] = []
  column: number[] = []
  cost: number[] = []

  get size(): number {
    return this.row.length
  }

  add(row: number, column: number, cost: number): void {
    this.row.push(row)
    this.column.push(column)
    this.cost.push(cost)
  }
}

/** For each row, the `most` arcs of least C_ij - g_j among those below a limit. */
export interface PricePass {
  most: number
  /**
   * Row i looks at g[kind_i] (kind null: 0), and first at urgent[kind_i] (may be null), for which there is another limit.
   * -Infinity: no arc to that column.
   */
  kind: Uint8Array | null
  urgent: [Float64Array | null, Float64Array | null]
  g: [Float64Array, Float64Array]
  limit: Float64Array
  urgentLimit: number
  /** min_j (C_ij - g_j) */
  rowMin: Float64Array | null
}

/** The arcs of a problem, as the network simplex method asks for them. */
export interface ArcSource {
  /** Throws ERR_NOT_FINITE at NaN or -Infinity. */
  check(): Work<void>
  /** out_j = min_i (C_ij - f_i) */
  columnMinima(f: Float64Array, out: Float64Array): Work<void>
  /** out_i = min_j (C_ij - g_j) */
  rowMinima(g: Float64Array, out: Float64Array): Work<void>
  /**
   * f_i <- min_j (C_ij - g_j). The arcs of least C_ij - g_j of each row and of least C_ij - f_i of each column, by rows and
   * ascending columns. True: there are no others.
   */
  nearest(perRow: number, perColumn: number, g: Float64Array, f: Float64Array, out: Arcs): Work<boolean>
  /** Appends what the pass finds, row by row. */
  price(pass: PricePass, out: Arcs): Work<void>
  /** C_ij by itself, Infinity if there is no such arc. */
  cost(i: number, j: number): number
}

export function* openArcs(problem: ExactProblemData, monitor: Watch): Work<ArcSource> {
  const { n, m, cost, border } = problem
  if (isArcs(cost)) return new ListedArcs(n, m, cost, monitor)
  const core = yield* openCost(cost, monitor)
  const entry = costEntry(cost)
  if (border === undefined) return new MatrixArcs(core, core, entry, monitor)
  const bordered = (i: number, j: number) => {
    if (i < cost.n && j < cost.m) return entry(i, j)
    return i < cost.n || j < cost.m ? 0 : infinity
  }
  return new MatrixArcs(core, new BorderedRows(core, border, 0), bordered, monitor)
}

/** Ascending keys of the arcs found so far, `most` at most; of equal ones the first that came. */
class LeastArcs {
  readonly key: Float64Array
  readonly cost: Float64Array
  readonly index: Int32Array
  count = 0

  constructor(readonly most: number) {
    this.key = new Float64Array(most)
    this.cost = new Float64Array(most)
    this.index = new Int32Array(most)
  }

  /** The limit from now on. */
  insert(newKey: number, newCost: number, newIndex: number, limit: number): number {
    const { key, cost, index, most } = this
    let at = this.count < most ? this.count++ : most - 1
    for (; at > 0 && key[at - 1] > newKey; at--) {
      key[at] = key[at - 1]
      cost[at] = cost[at - 1]
      index[at] = index[at - 1]
    }
    key[at] = newKey
    cost[at] = newCost
    index[at] = newIndex
    return this.count < most ? limit : key[most - 1]
  }
}

/** The least of the segment, and what is below `limit` into `found`. */
function leastOfSegment(
  c: Float64Array,
  offset: number,
  g: Float64Array,
  start: number,
  end: number,
  limit: number,
  found: LeastArcs,
): number {
  let least = infinity
  let bound = found.count === found.most ? Math.min(limit, found.key[found.most - 1]) : limit
  for (let j = start; j < end; j++) {
    const key = c[offset + j] - g[j]
    if (key < least) least = key
    if (key < bound) bound = found.insert(key, c[offset + j], j, bound)
  }
  return least
}

class MatrixArcs implements ArcSource {
  private readonly n: number
  private readonly m: number

  constructor(
    /** `rows` without a border. */
    private readonly core: CostRows,
    private readonly rows: CostRows,
    readonly cost: (i: number, j: number) => number,
    private readonly monitor: Watch,
  ) {
    this.n = rows.n
    this.m = rows.m
  }

  *check(): Work<void> {
    yield* costRange(this.core, this.monitor)
  }

  columnMinima(f: Float64Array, out: Float64Array): Work<void> {
    return columnTransform(this.rows, f, out, this.monitor)
  }

  rowMinima(g: Float64Array, out: Float64Array): Work<void> {
    return rowTransform(this.rows, g, out, this.monitor)
  }

  *nearest(perRow: number, perColumn: number, g: Float64Array, f: Float64Array, out: Arcs): Work<boolean> {
    const { n, m, rows, monitor } = this
    const most = Math.min(perRow, m)
    const all = most === m
    const columns = new ColumnLists(all ? 0 : m, Math.min(perColumn, n))
    const found = new LeastArcs(most)
    const chosen: { column: number; cost: number }[][] = []
    for (let i = 0; i < n; i++) {
      found.count = 0
      f[i] = yield* this.leastOfRow(i, g, infinity, found)
      chosen.push(Array.from({ length: found.count }, (_, k) => ({ column: found.index[k], cost: found.cost[k] })))
      for (let start = 0; start < m && !all; start += segmentLength) {
        const end = Math.min(start + segmentLength, m)
        if (m > segmentLength) rows.read(i, start, end)
        columns.offer(rows.data, rows.offset, i, f[i], start, end)
        if (monitor.due()) yield
      }
    }
    columns.forEach((column, row, cost) => {
      chosen[row].push({ column, cost })
    })
    for (let i = 0; i < n; i++) {
      const arcs = chosen[i].sort((x, y) => x.column - y.column)
      arcs.forEach(({ column, cost }, k) => {
        if (k === 0 || column !== arcs[k - 1].column) out.add(i, column, cost)
      })
      if (monitor.due()) yield
    }
    return all
  }

  private *leastOfRow(i: number, g: Float64Array, limit: number, found: LeastArcs): Work<number> {
    const { m, rows, monitor } = this
    let least = infinity
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      rows.read(i, start, end)
      least = Math.min(least, leastOfSegment(rows.data, rows.offset, g, start, end, limit, found))
      if (monitor.due()) yield
    }
    return least
  }

  *price(pass: PricePass, out: Arcs): Work<void> {
    const found = new LeastArcs(pass.most)
    for (let i = 0; i < this.n; i++) {
      const kind = pass.kind === null ? 0 : pass.kind[i]
      const urgent = pass.urgent[kind]
      found.count = 0
      if (urgent !== null) yield* this.leastOfRow(i, urgent, pass.urgentLimit, found)
      if (found.count === 0) {
        const least = yield* this.leastOfRow(i, pass.g[kind], pass.limit[i], found)
        if (pass.rowMin !== null) pass.rowMin[i] = least
      }
      for (let k = 0; k < found.count; k++) out.add(i, found.index[k], found.cost[k])
    }
  }
}

/** The least arcs of every column. */
class ColumnLists {
  private readonly lists: LeastArcs[]
  private readonly limit: Float64Array

  constructor(m: number, most: number) {
    this.lists = Array.from({ length: m }, () => new LeastArcs(most))
    this.limit = new Float64Array(m).fill(infinity)
  }

  /** Row i, where C_ij - f is among the least. */
  offer(c: Float64Array, offset: number, i: number, f: number, start: number, end: number): void {
    const { limit, lists } = this
    for (let j = start; j < end; j++) {
      const key = c[offset + j] - f
      if (key < limit[j]) limit[j] = lists[j].insert(key, c[offset + j], i, limit[j])
    }
  }

  forEach(visit: (column: number, row: number, cost: number) => void): void {
    this.lists.forEach(({ count, index, cost }, j) => {
      for (let k = 0; k < count; k++) visit(j, index[k], cost[k])
    })
  }
}

class ListedArcs implements ArcSource {
  constructor(
    private readonly n: number,
    private readonly m: number,
    private readonly arcs: CsrParts,
    private readonly monitor: Watch,
  ) {}

  *check(): Work<void> {
    const { data } = this.arcs
    const bad = data.findIndex((c) => !(c > Number.NEGATIVE_INFINITY))
    if (bad < 0) return
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      `cost.data[${bad}]: expected a finite number (or Infinity for a forbidden arc), got ${data[bad]}`,
    )
  }

  *columnMinima(f: Float64Array, out: Float64Array): Work<void> {
    out.fill(infinity)
    yield* this.forRows((i, k) => {
      const j = this.arcs.indices[k]
      out[j] = Math.min(out[j], this.arcs.data[k] - f[i])
    })
  }

  *rowMinima(g: Float64Array, out: Float64Array): Work<void> {
    out.fill(infinity)
    yield* this.forRows((i, k) => {
      out[i] = Math.min(out[i], this.arcs.data[k] - g[this.arcs.indices[k]])
    })
  }

  private *forRows(visit: (i: number, k: number) => void): Work<void> {
    const { indptr } = this.arcs
    for (let i = 0; i < this.n; i++) {
      for (let k = indptr[i]; k < indptr[i + 1]; k++) visit(i, k)
      if (this.monitor.due()) yield
    }
  }

  *nearest(perRow: number, perColumn: number, g: Float64Array, f: Float64Array, out: Arcs): Work<boolean> {
    const { n, m } = this
    const { indices, data } = this.arcs
    yield* this.rowMinima(g, f)
    const all = data.length <= (perRow + perColumn) * (n + m)
    if (all) {
      yield* this.forRows((i, k) => {
        if (data[k] < infinity) out.add(i, indices[k], data[k])
      })
      return all
    }
    // An arc that is not beyond the perRow-th of its row or the perColumn-th of its column.
    const rows: number[][] = Array.from({ length: n }, () => [])
    const columns: number[][] = Array.from({ length: m }, () => [])
    yield* this.forRows((i, k) => {
      if (!(data[k] < infinity)) return
      rows[i].push(data[k] - g[indices[k]])
      columns[indices[k]].push(data[k] - f[i])
    })
    const rowLimit = rows.map((keys) => smallest(keys, perRow))
    const columnLimit = columns.map((keys) => smallest(keys, perColumn))
    yield* this.forRows((i, k) => {
      const c = data[k]
      const j = indices[k]
      if (c < infinity && (c - g[j] <= rowLimit[i] || c - f[i] <= columnLimit[j])) out.add(i, j, c)
    })
    return all
  }

  *price(pass: PricePass, out: Arcs): Work<void> {
    for (let i = 0; i < this.n; i++) {
      const kind = pass.kind === null ? 0 : pass.kind[i]
      const urgent = pass.urgent[kind]
      let found: Found[] = []
      if (urgent !== null) this.collect(i, urgent, pass.urgentLimit, found)
      if (found.length === 0) {
        const least = this.collect(i, pass.g[kind], pass.limit[i], found)
        if (pass.rowMin !== null) pass.rowMin[i] = least
      }
      found = found.sort((x, y) => x.key - y.key).slice(0, pass.most)
      for (const { arc } of found) out.add(i, this.arcs.indices[arc], this.arcs.data[arc])
      if (this.monitor.due()) yield
    }
  }

  /** Arcs of the row with C_ij - g_j < limit; returns the least C_ij - g_j. */
  private collect(i: number, g: Float64Array, limit: number, found: Found[]): number {
    const { indptr, indices, data } = this.arcs
    let least = infinity
    for (let arc = indptr[i]; arc < indptr[i + 1]; arc++) {
      const key = data[arc] - g[indices[arc]]
      if (key < least) least = key
      if (key < limit) found.push({ key, arc })
    }
    return least
  }

  cost(i: number, j: number): number {
    const { indptr, indices, data } = this.arcs
    let least = infinity
    for (let k = indptr[i]; k < indptr[i + 1]; k++) if (indices[k] === j) least = Math.min(least, data[k])
    return least
  }
}

interface Found {
  key: number
  arc: number
}

/** The number at this place from below, Infinity if there are not more. */
function smallest(values: number[], place: number): number {
  return values.length <= place ? infinity : values.sort((x, y) => x - y)[place - 1]
}
