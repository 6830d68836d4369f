import { ExtremaError } from '../../../core/errors.js'
import type { TransportProblemData } from '../../kernels.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import { sum } from './sums.js'

/** Whether a plan without mass on forbidden arcs (C_ij = +Infinity) exists; throws ERR_INFEASIBLE, naming a cut, if not. */
export function* checkFeasible(problem: TransportProblemData, monitor: Watch): Work<void> {
  const { a, b, n, m, border } = problem
  // With a border, what is to move between the nodes themselves.
  const mass = sum(a, 0, border?.row ? n - 1 : n) - (border?.column ? b[m - 1] : 0)
  const flow = new Flow(problem, 1e-12 * mass)
  yield* flow.run(monitor)
  const lonely = yield* flow.findLonely(monitor)
  const missing = lonely > 0 ? lonely : sum(flow.supply)
  if (lonely === 0 && missing <= 1e-9 * mass) return
  const short = (value: number) => Number(value.toPrecision(6))
  if (border !== undefined) {
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      `mass: expected at most ${short(mass - missing)}, which the allowed (finite) arcs can move, got ${short(mass)}`,
    )
  }
  const rows = members(flow.rows)
  const columns = members(flow.columns)
  const supply = rows.reduce((total, i) => total + problem.a[i], 0)
  const demand = columns.reduce((total, j) => total + problem.b[j], 0)
  const reached = columns.length === 0 ? 'no column' : `only columns ${firstOf(columns)} that take ${demand.toFixed(6)}`
  throw new ExtremaError(
    'ERR_INFEASIBLE',
    `cost: expected allowed (finite) arcs for all mass; rows ${firstOf(rows)} supply ${Number(supply.toPrecision(6))} but reach ${reached}`,
  )
}

/**
 * Maximum flow from rows (supplies a) to columns (demands b) over the allowed arcs, by augmenting paths after a greedy
 * start. Only arcs with flow are stored; searches strike off columns as they reach them.
 */
class Flow {
  /** What is left; after `run`, `rows` and `columns` are the source side of a minimum cut. */
  readonly supply: Float64Array
  readonly rows: Uint8Array
  readonly columns: Uint8Array
  private readonly demand: Float64Array
  /** Flow into each column, by row. */
  private readonly into: Map<number, number>[]
  private readonly rowParent: Int32Array
  private readonly columnParent: Int32Array

  constructor(
    private readonly problem: TransportProblemData,
    private readonly least: number,
  ) {
    const { n, m, a, b } = problem
    this.supply = a.slice()
    this.demand = b.slice()
    this.into = Array.from({ length: m }, () => new Map())
    this.rows = new Uint8Array(n)
    this.columns = new Uint8Array(m)
    this.rowParent = new Int32Array(n)
    this.columnParent = new Int32Array(m)
  }

  *run(monitor: Watch): Work<void> {
    const { supply, demand } = this
    for (let i = 0; i < supply.length; i++) {
      for (let j = 0; j < demand.length && supply[i] > 0; j++) {
        if (demand[j] <= 0 || !this.allowed(i, j)) continue
        const amount = Math.min(supply[i], demand[j])
        this.addFlow(i, j, amount)
        supply[i] -= amount
        demand[j] -= amount
      }
      if (monitor.due()) yield
    }
    while (yield* this.augment(monitor)) {
      if (monitor.due()) yield
    }
  }

  /** A node that no arc leads to, however little its weight: returns that and marks the cut, or 0. */
  *findLonely(monitor: Watch): Work<number> {
    const { rows, columns } = this
    const { a, b } = this.problem
    const reached = new Uint8Array(columns.length)
    for (let i = 0; i < rows.length; i++) {
      let any = false
      for (let j = 0; j < columns.length; j++) {
        if (!this.allowed(i, j)) continue
        any = true
        reached[j] = 1
      }
      if (!any) {
        rows.fill(0)
        rows[i] = 1
        columns.fill(0)
        return a[i]
      }
      if (monitor.due()) yield
    }
    const j = reached.indexOf(0)
    if (j < 0) return 0
    rows.fill(1)
    columns.set(reached)
    return b[j]
  }

  private allowed(i: number, j: number): boolean {
    const { x, n, m, border } = this.problem
    const coreM = m - Number(border?.column ?? false)
    const inCore = i < n - Number(border?.row ?? false)
    if (!inCore || j >= coreM) return inCore || j < coreM
    return x[i * coreM + j] < Number.POSITIVE_INFINITY
  }

  private addFlow(i: number, j: number, amount: number): void {
    this.into[j].set(i, (this.into[j].get(i) ?? 0) + amount)
  }

  /** A breadth-first search from all rows with supply left to a column with demand left; moves flow along the path. */
  private *augment(monitor: Watch): Work<boolean> {
    const { supply, demand, rows, columns, rowParent, columnParent, least } = this
    rows.fill(0)
    columns.fill(0)
    const queue: number[] = []
    for (let i = 0; i < rows.length; i++) {
      if (supply[i] <= least) continue
      rows[i] = 1
      rowParent[i] = -1
      queue.push(i)
    }
    let open = Int32Array.from(columns, (_, j) => j)
    let work = 0
    for (let head = 0; head < queue.length; head++) {
      const i = queue[head]
      let left = 0
      work += open.length
      for (const j of open) {
        if (!this.allowed(i, j)) {
          open[left++] = j
          continue
        }
        columns[j] = 1
        columnParent[j] = i
        if (demand[j] > least) {
          this.moveAlong(j)
          return true
        }
        for (const [row, flow] of this.into[j]) {
          if (rows[row] === 1 || flow <= 0) continue
          rows[row] = 1
          rowParent[row] = j
          queue.push(row)
        }
      }
      open = open.subarray(0, left)
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
    return false
  }

  private moveAlong(last: number): void {
    const { supply, demand, rowParent, columnParent, into } = this
    let amount = demand[last]
    let i = columnParent[last]
    for (; rowParent[i] >= 0; i = columnParent[rowParent[i]]) amount = Math.min(amount, into[rowParent[i]].get(i) ?? 0)
    amount = Math.min(amount, supply[i])
    supply[i] -= amount
    demand[last] -= amount
    for (let j = last; ; ) {
      const row = columnParent[j]
      this.addFlow(row, j, amount)
      if (rowParent[row] < 0) return
      j = rowParent[row]
      this.addFlow(row, j, -amount)
    }
  }
}

function members(flags: Uint8Array): number[] {
  const found: number[] = []
  flags.forEach((flag, k) => {
    if (flag === 1) found.push(k)
  })
  return found
}

function firstOf(list: number[]): string {
  return list.length <= 5 ? list.join(', ') : `${list.slice(0, 5).join(', ')}, …`
}
