import type { FloatArray } from '../../../core/arrays.js'
import { ExtremaError } from '../../../core/errors.js'
import { type AssignmentJob, assignmentField } from '../../transport-assignment.js'
import type { Watch, Work } from '../work.js'

/** Entries handled between two looks at the clock. */
const pollWork = 1 << 15
/** Rounds of augmenting row reduction, and how many steps for each free row one may take. */
const rounds = 2
const stepsPerRow = 16
const infinity = Number.POSITIVE_INFINITY

export function* assignment(job: AssignmentJob, monitor: Watch): Work<void> {
  const { n, m, cost, maximize, columns, f, g, report } = job
  const transposed = n > m
  const rows = Math.min(n, m)
  const width = Math.max(n, m)
  const turned = transposed ? yield* transpose(cost, n, m, monitor) : cost
  const solver = new Solver(turned, rows, width, maximize, transposed, monitor)
  yield* solver.run()

  const sign = maximize ? -1 : 1
  const own = transposed ? g : f
  const others = transposed ? f : g
  let primal = 0
  let dual = 0
  columns.fill(-1)
  for (let i = 0; i < rows; i++) {
    own[i] = sign * solver.least(i)
    dual += own[i]
    const j = solver.columnOf[i]
    if (j < 0) {
      primal = sign * infinity
      continue
    }
    primal += turned[i * width + j]
    if (transposed) columns[j] = i
    else columns[i] = j
    if (monitor.due()) yield
  }
  for (let j = 0; j < width; j++) {
    others[j] = sign * solver.v[j]
    dual += others[j]
  }
  report[assignmentField.timeLimit] = solver.timeLimit ? 1 : 0
  report[assignmentField.searches] = solver.searches
  report[assignmentField.primal] = primal
  report[assignmentField.dual] = dual
}

function* transpose(cost: FloatArray, n: number, m: number, monitor: Watch): Work<FloatArray> {
  const turned = cost instanceof Float32Array ? new Float32Array(n * m) : new Float64Array(n * m)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) turned[j * n + i] = cost[i * m + j]
    if (monitor.due()) yield
  }
  return turned
}

/**
 * R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment problems",
 * Computing 38 (1987), as native/transport/assignment.cc has it, step by step, so that ties end alike.
 */
class Solver {
  readonly columnOf: Int32Array
  readonly v: Float64Array
  searches = 0
  timeLimit = false
  private readonly rowOf: Int32Array
  private readonly key: Float64Array
  private readonly parent: Int32Array
  private readonly sign: number
  private free: number[] = []
  /** On how far a price may fall at once. */
  private limit = 0
  private work = 0
  private stopped = false
  /** The second least of the last `least`. */
  private second = 0

  constructor(
    private readonly cost: FloatArray,
    private readonly n: number,
    private readonly m: number,
    maximize: boolean,
    private readonly transposed: boolean,
    private readonly monitor: Watch,
  ) {
    this.sign = maximize ? -1 : 1
    this.v = new Float64Array(m)
    this.key = new Float64Array(m)
    this.parent = new Int32Array(m)
    this.columnOf = new Int32Array(n).fill(-1)
    this.rowOf = new Int32Array(m).fill(-1)
  }

  *run(): Work<void> {
    yield* this.checkCosts()
    if (this.n === this.m) yield* this.reduceColumns()
    if (!this.stopped) yield* this.reduceRows()
    for (let round = 0; round < rounds && this.free.length > 0 && !this.stopped; round++) yield* this.augmentRows()
    while (this.free.length > 0 && !this.stopped) {
      if (!(yield* this.augment(this.free[this.free.length - 1]))) break
      this.free.pop()
      this.searches++
      this.monitor.progress(this.searches, this.free.length)
    }
    this.timeLimit = this.columnOf.includes(-1)
    if (this.timeLimit) this.completeGreedily()
  }

  /** The least of sign c_j - v_j in row i; `second` becomes the second least. */
  least(i: number): number {
    const { cost, v, m, sign } = this
    const row = i * m
    let first = infinity
    let second = infinity
    for (let j = 0; j < m; j++) {
      const x = sign * cost[row + j] - v[j]
      if (x >= second) continue
      if (x < first) {
        second = first
        first = x
      } else {
        second = x
      }
    }
    this.second = second
    return first
  }

  /** The first column at or after `from` where sign c_j - v_j is `value`, m if there is none. */
  private find(i: number, value: number, from: number): number {
    const { cost, v, m, sign } = this
    const row = i * m
    let j = from
    while (j < m && sign * cost[row + j] - v[j] !== value) j++
    return j
  }

  /** Counts work; true when it is time to look at the clock. */
  private spend(work: number): boolean {
    this.work += work
    if (this.work < pollWork) return false
    this.work = 0
    this.stopped ||= this.monitor.expired()
    return this.monitor.due()
  }

  private *checkCosts(): Work<void> {
    const { cost, n, m, sign, transposed } = this
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        if (sign * cost[i * m + j] > Number.NEGATIVE_INFINITY) continue
        const place = transposed ? `cost[${j}][${i}]` : `cost[${i}][${j}]`
        const forbidden = sign > 0 ? 'Infinity' : '-Infinity'
        throw new ExtremaError(
          'ERR_NOT_FINITE',
          `${place}: expected a finite number (or ${forbidden} for a forbidden arc), got ${cost[i * m + j]}`,
        )
      }
      if (this.spend(m)) yield
    }
  }

  private *reduceColumns(): Work<void> {
    const { cost, n, m, sign, v, parent } = this
    v.fill(infinity)
    for (let i = 0; i < n && !this.stopped; i++) {
      const row = i * m
      for (let j = 0; j < m; j++) {
        const x = sign * cost[row + j]
        if (x >= v[j]) continue
        v[j] = x
        parent[j] = i
      }
      if (this.spend(m)) yield
    }
    if (this.stopped) {
      v.fill(0)
      return
    }
    for (let j = m - 1; j >= 0; j--) {
      if (v[j] === infinity) this.refuse(!this.transposed, [j], [])
      if (this.columnOf[parent[j]] < 0) this.assign(parent[j], j)
    }
  }

  /** See the native twin for `limit`. */
  private *reduceRows(): Work<void> {
    const { n, m, v, columnOf } = this
    const gap = new Float64Array(n)
    const positive: number[] = []
    for (let i = 0; i < n && !this.stopped; i++) {
      const first = this.least(i)
      if (first === infinity) this.refuse(this.transposed, [i], [])
      gap[i] = this.second - first
      if (gap[i] > 0 && gap[i] < infinity) positive.push(gap[i])
      if (this.spend(m)) yield
    }
    if (positive.length > 0) {
      const sorted = Float64Array.from(positive).sort()
      this.limit = 64 * sorted[Math.floor(sorted.length / 4)]
    }
    for (let i = 0; i < n; i++) {
      if (columnOf[i] < 0) this.free.push(i)
      else v[columnOf[i]] -= Math.min(gap[i], this.limit)
    }
  }

  private *augmentRows(): Work<void> {
    const { m, v, rowOf, columnOf, free } = this
    const left: number[] = []
    for (let steps = stepsPerRow * free.length; free.length > 0 && steps > 0 && !this.stopped; steps--) {
      if (this.spend(m)) yield
      if (this.stopped) break
      const i = free.pop() as number
      const first = this.least(i)
      const { second } = this
      let j = this.find(i, first, 0)
      const price = v[j] - Math.min(second - first, this.limit)
      const lowers = price < v[j]
      if (!lowers && rowOf[j] >= 0) {
        do {
          j = this.find(i, first, j + 1)
        } while (j < m && rowOf[j] >= 0)
        if (j === m) {
          left.push(i)
          continue
        }
      }
      if (lowers) v[j] = price
      const displaced = rowOf[j]
      this.assign(i, j)
      if (displaced < 0) continue
      columnOf[displaced] = -1
      free.push(displaced)
    }
    free.push(...left)
  }

  /** Dijkstra's search from a free row; false if it was stopped. */
  private *augment(start: number): Work<boolean> {
    const { cost, m, sign, v, key, parent, rowOf, columnOf } = this
    const scanned: number[] = []
    const distance: number[] = []
    key.fill(infinity)
    let length = 0
    let h = 0
    let end = m
    for (let i = start; ; ) {
      length = this.relax(i, h)
      if (length === infinity) this.refuse(this.transposed, [start, ...scanned.map((j) => rowOf[j])], scanned)
      if (this.spend(m)) yield
      if (this.stopped) return false
      const first = key.indexOf(length)
      end = first
      while (end >= 0 && rowOf[end] >= 0) end = key.indexOf(length, end + 1)
      if (end >= 0) break
      key[first] = Number.NEGATIVE_INFINITY
      scanned.push(first)
      distance.push(length)
      i = rowOf[first]
      h = sign * cost[i * m + first] - v[first] - length
    }
    for (let k = 0; k < scanned.length; k++) v[scanned[k]] += distance[k] - length
    for (let j = end; ; ) {
      const from = parent[j]
      const next = columnOf[from]
      this.assign(from, j)
      if (next < 0) return true
      j = next
    }
  }

  private relax(i: number, h: number): number {
    const { cost, m, sign, v, key, parent } = this
    const row = i * m
    let least = infinity
    for (let j = 0; j < m; j++) {
      let k = key[j]
      if (k === Number.NEGATIVE_INFINITY) continue
      const x = sign * cost[row + j] - v[j] - h
      if (x < k) {
        k = x
        key[j] = x
        parent[j] = i
      }
      if (k < least) least = k
    }
    return least
  }

  private assign(i: number, j: number): void {
    this.columnOf[i] = j
    this.rowOf[j] = i
  }

  private refuse(columns: boolean, nodes: number[], reached: number[]): never {
    const own = columns ? 'column' : 'row'
    const other = columns ? 'row' : 'column'
    const rest = reached.length === 0 ? `no ${other}` : `only ${listed(other, reached)}`
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      `cost: expected allowed (finite) arcs for all ${own}s, got ${listed(own, nodes)} with arcs to ${rest}`,
    )
  }

  private completeGreedily(): void {
    const { cost, n, m, sign, v, rowOf, columnOf } = this
    for (let i = 0; i < n; i++) {
      if (columnOf[i] >= 0) continue
      let best = -1
      let least = infinity
      for (let j = 0; j < m; j++) {
        const x = sign * cost[i * m + j] - v[j]
        if (rowOf[j] >= 0 || x >= least) continue
        best = j
        least = x
      }
      if (best >= 0) this.assign(i, best)
    }
  }
}

function listed(what: string, list: number[]): string {
  const sorted = list.toSorted((a, b) => a - b)
  const text = `${what}${list.length === 1 ? '' : 's'} ${sorted.slice(0, 5).join(', ')}`
  return list.length > 5 ? `${text}, …` : text
}
