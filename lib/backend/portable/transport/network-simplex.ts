import { type ExactJob, exactField, infeasible } from '../../transport-exact.js'
import type { Watch, Work } from '../work.js'
import { status } from './context.js'
import { greedyStart } from './greedy-start.js'
import { type ArcSource, Arcs, openArcs, type PricePass } from './pricing.js'
import { SpanningTree } from './spanning-tree.js'
import { sum } from './sums.js'

// Twin of native/transport/network-simplex.cc.

const infinity = Number.POSITIVE_INFINITY

/** Arcs that the simplex method starts with, of each row and each column. */
const perRow = 16
const perColumn = 4
/** Arcs of a row that a round of pricing adds, at most. */
const mostAdded = 8
const leastBlock = 10
/** Reduced costs that are smaller in relation to the potentials are rounding. */
const rounding = 2 ** -48
const hugeRounding = 2 ** -42
/** Mass that finds no way, in relation to all, is the rounding of the weights. */
const mostUnshipped = 1e-9
/** A plan with a larger marginal error is none. */
const incomplete = 1e-8
/** More than rounding leaves of the residual of an optimal basis. */
const proof = 1e-12
/** Costs that exceed all smaller ones by this factor are huge. */
const hugeFactor = 2 ** 26
const pollPivots = 64
const mostSettling = 20
/** Rounds of n + m pivots without any gain: they go in circles, by rounding. */
const patience = 100

/** The arcs for the inner loops, columns as nodes, and how many make a block. */
interface KnownArcs {
  row: Int32Array
  column: Int32Array
  cost: Float64Array
  block: number
}

function typed({ row, column, cost, size }: Arcs, n: number): KnownArcs {
  return {
    row: Int32Array.from(row),
    column: Int32Array.from(column, (j) => n + j),
    cost: Float64Array.from(cost),
    block: Math.max(leastBlock, Math.floor(Math.sqrt(size))),
  }
}

class NetworkSimplex {
  private readonly n: number
  private readonly m: number
  private readonly a: Float64Array
  private readonly b: Float64Array
  private readonly f: Float64Array
  private readonly g: Float64Array
  private readonly tree: SpanningTree
  private readonly mass: number
  /** Those that the simplex method knows, and the same in typed arrays. */
  private arcs = new Arcs()
  private known: KnownArcs
  /** Costs above `mostCost`, set aside. */
  private huge = new Arcs()
  private mostCost = infinity
  private rounding = rounding
  private untilCheck: number
  private leastUnshipped = infinity
  private leastValue = infinity
  private withoutGain = 0
  private all = false
  private built = false
  private next = 0
  private status: number = status.converged
  private pivots = 0
  private rounds = 0
  private residual = 1

  constructor(
    private readonly job: ExactJob,
    private readonly source: ArcSource,
    private readonly monitor: Watch,
  ) {
    const { n, m, a, b } = job.problem
    this.n = n
    this.m = m
    this.a = a
    this.b = b
    this.f = job.f
    this.g = job.g
    this.tree = new SpanningTree(n, m)
    this.mass = sum(a)
    this.untilCheck = n + m
    this.known = typed(this.arcs, n)
  }

  *run(): Work<void> {
    yield* this.source.check()
    if (!(yield* this.start())) return
    while ((yield* this.pivot()) && (yield* this.price())) {}
  }

  *finish(): Work<void> {
    if (this.status === infeasible) {
      if (this.built) yield* this.findCut()
      this.job.report[exactField.status] = infeasible
    } else {
      this.tree.recomputeFlows(this.a, this.b)
      const entries = yield* this.writePlan()
      yield* this.certify(entries)
    }
  }

  private *start(): Work<boolean> {
    const { n, m, f, g, job, source, tree } = this
    if (!job.settings.warm) {
      f.fill(0)
      yield* source.columnMinima(f, g)
    }
    for (let j = 0; j < m; j++) if (g[j] === infinity) g[j] = 0 // no arc leads there
    this.all = yield* source.nearest(perRow, perColumn, g, f, this.arcs)
    if (this.isLonely()) return this.stop(infeasible)
    this.setHugeAside()
    this.known = typed(this.arcs, n)
    const left = new Float64Array(n + m)
    left.set(this.a)
    left.set(this.b, n)
    const shipments = yield* greedyStart(this.arcs, f, g, left, this.monitor)
    tree.build(shipments, left, f, g)
    this.built = true
    return true
  }

  /** Whether some node has no arc at all; then marks the cut. */
  private isLonely(): boolean {
    const { n, m, arcs, f, g } = this
    const rows = new Uint8Array(n)
    const columns = new Uint8Array(m)
    for (let k = 0; k < arcs.size; k++) {
      rows[arcs.row[k]] = 1
      columns[arcs.column[k]] = 1
    }
    const row = rows.includes(0)
    if (!row && !columns.includes(0)) return false
    for (let i = 0; i < n; i++) f[i] = !row || rows[i] === 0 ? 1 : 0
    for (let j = 0; j < m; j++) g[j] = !row && columns[j] === 1 ? 1 : 0
    return true
  }

  /**
   * Costs far above all others mean that an arc is not wanted, and in potentials they would drown the others. Such arcs
   * stay out as long as there is a plan without them.
   */
  private setHugeAside(): void {
    const sizes = Float64Array.from(
      this.arcs.cost.filter((cost) => cost !== 0),
      Math.abs,
    )
    let least = infinity
    let most = 0
    for (const size of sizes) {
      if (size < least) least = size
      if (size > most) most = size
    }
    this.mostCost = hugeFactor * most
    if (most < hugeFactor * least) return
    sizes.sort()
    for (let k = sizes.length - 1; k > 0; k--) {
      if (sizes[k] < hugeFactor * sizes[k - 1]) continue
      this.mostCost = Math.sqrt(sizes[k - 1]) * Math.sqrt(sizes[k])
      break
    }
    const { row, column, cost, size } = this.arcs
    this.arcs = new Arcs()
    for (let k = 0; k < size; k++) {
      const list = cost[k] > this.mostCost ? this.huge : this.arcs
      list.add(row[k], column[k], cost[k])
    }
  }

  private takeHuge(): void {
    const { row, column, cost, size } = this.huge
    this.mostCost = infinity
    this.rounding = hugeRounding
    for (let k = 0; k < size; k++) this.arcs.add(row[k], column[k], cost[k])
    this.huge = new Arcs()
    this.known = typed(this.arcs, this.n)
  }

  /** Pivots until no arc of the list is violated; false if something else ends it. */
  private *pivot(): Work<boolean> {
    const { tree, job, monitor } = this
    const { row, column, cost } = this.known
    for (let settling = 0; settling < mostSettling; settling++) {
      const before = this.pivots
      for (;;) {
        const k = tree.unbalanced() ? this.findUrgent() : this.find()
        if (k === cost.length) break
        if (this.pivots >= job.settings.maxIterations) return this.stop(status.iterationLimit)
        tree.pivot(row[k], column[k], cost[k])
        this.pivots++
        if (this.pivots % pollPivots === 0) {
          if (this.over()) return false
          if (monitor.due()) yield
        }
        if (--this.untilCheck === 0 && this.circles()) return this.stop(status.stalled)
      }
      tree.recomputePotentials()
      if (this.pivots === before) return !this.over()
    }
    return this.stop(status.stalled)
  }

  /** Every n + m pivots. */
  private circles(): boolean {
    const { tree } = this
    this.untilCheck = this.n + this.m
    tree.recomputePotentials()
    const unshipped = tree.unbalanced() ? tree.unshipped() : 0
    const value = tree.value()
    const gain = unshipped < this.leastUnshipped || (unshipped === this.leastUnshipped && value < this.leastValue)
    this.withoutGain = gain ? 0 : this.withoutGain + 1
    if (gain) {
      this.leastUnshipped = unshipped
      this.leastValue = value
    }
    return this.withoutGain === patience
  }

  private lowered(potential: number): number {
    return potential - this.rounding * Math.abs(potential)
  }

  /** A violated arc of the list: the worst in the first block that has any. */
  private find(): number {
    const { pi } = this.tree
    const { row, column, cost, block } = this.known
    const count = cost.length
    for (let scanned = 0; scanned < count; ) {
      const begin = this.next
      const end = Math.min(begin + block, count)
      let found = count
      let best = 0
      for (let k = begin; k < end; k++) {
        const f = -pi[row[k]]
        const g = pi[column[k]]
        const reduced = cost[k] - g - f
        if (!(reduced < best) || !(cost[k] - this.lowered(g) < this.lowered(f))) continue
        best = reduced
        found = k
      }
      scanned += end - begin
      this.next = end < count ? end : 0
      if (found < count) return found
    }
    return count
  }

  /**
   * The same while something is over in some components and lacking in others: arcs that lead from one to the other go before
   * all others.
   */
  private findUrgent(): number {
    const { pi, level } = this.tree
    const { row, column, cost, block } = this.known
    const count = cost.length
    for (let scanned = 0; scanned < count; ) {
      const begin = this.next
      const end = Math.min(begin + block, count)
      let found = count
      let best = 0
      let urgent = false
      for (let k = begin; k < end; k++) {
        const i = row[k]
        const j = column[k]
        if (level[i] > level[j]) continue
        const f = -pi[i]
        const g = pi[j]
        const reduced = cost[k] - g - f
        if (level[i] < level[j]) {
          if (urgent && !(reduced < best)) continue
          urgent = true
        } else if (urgent || !(reduced < best) || !(cost[k] - this.lowered(g) < this.lowered(f))) {
          continue
        }
        best = reduced
        found = k
      }
      scanned += end - begin
      this.next = end < count ? end : 0
      if (found < count) return found
    }
    return count
  }

  /** Looks at all arcs and adds violated ones to the list. False if there is nothing left to do. */
  private *price(): Work<boolean> {
    const { n, m, f, g, tree, arcs } = this
    const unbalanced = tree.unbalanced()
    if (this.all) {
      if (unbalanced) return this.giveUp()
      if (this.huge.size === 0) return false
      this.takeHuge()
      return true
    }
    for (let i = 0; i < n; i++) f[i] = this.lowered(-tree.pi[i])
    for (let j = 0; j < m; j++) g[j] = this.lowered(tree.pi[n + j])
    const pass = unbalanced ? this.separate() : this.whole()
    const before = arcs.size
    yield* this.source.price(pass, arcs)
    this.rounds++
    if (this.over()) return false
    if (!unbalanced) {
      this.bound(pass.rowMin!)
      if (this.residual <= this.job.settings.tolerance) return false
    }
    if (arcs.size === before) return unbalanced && this.giveUp()
    this.known = typed(arcs, n)
    return true
  }

  private whole(): PricePass {
    const { f, g } = this
    const rowMin = new Float64Array(this.n)
    return { most: mostAdded, kind: null, urgent: [null, null], g: [g, g], limit: f, urgentLimit: infinity, rowMin }
  }

  /** What rows see of the columns, by the level of their component. */
  private separate(): PricePass {
    const { n, f, g, tree, mostCost } = this
    const low = g.map((value, j) => (tree.level[n + j] === 0 ? value : Number.NEGATIVE_INFINITY))
    const high = g.map((value, j) => (tree.level[n + j] === 1 ? value : Number.NEGATIVE_INFINITY))
    return {
      most: mostAdded,
      kind: tree.level,
      urgent: [high, null],
      g: [low, high],
      limit: f,
      urgentLimit: mostCost,
      rowMin: null,
    }
  }

  /** No arc leads from where something is over to where it lacks. */
  private giveUp(): boolean {
    if (this.tree.unshipped() <= mostUnshipped * this.mass) this.tree.dropArtificial()
    else if (this.mostCost < infinity) this.takeHuge()
    else return this.stop(infeasible)
    return true
  }

  /** The dual value of g with f_i = min_j (C_ij - g_j), which a pass has found. */
  private bound(rowMin: Float64Array): void {
    const { a, b, g } = this
    let value = 0
    let dual = 0
    let size = 0
    this.tree.forShipments((_row, _column, flow, cost) => {
      value += flow * cost
      size += flow * Math.abs(cost)
    })
    for (let i = 0; i < a.length; i++) {
      dual += a[i] * rowMin[i]
      size += a[i] * Math.abs(rowMin[i])
    }
    for (let j = 0; j < b.length; j++) {
      dual += b[j] * g[j]
      size += b[j] * Math.abs(g[j])
    }
    this.residual = size > 0 ? Math.max(0, value - dual) / size : 0
  }

  private stop(reason: number): boolean {
    this.status = reason
    return false
  }

  private over(): boolean {
    this.monitor.progress(this.pivots, this.residual)
    if (!this.monitor.expired()) return false
    this.status = status.timeLimit
    return true
  }

  /** The plan of the tree. If there was no time to complete it, the rest goes where it can. */
  private *writePlan(): Work<number> {
    const { n, m, tree, source, monitor } = this
    const { plan } = this.job
    let count = 0
    const write = (row: number, column: number, mass: number) => {
      plan.row[count] = row
      plan.column[count] = column
      plan.mass[count++] = mass
    }
    tree.forShipments(write)
    if (!tree.unbalanced()) return count
    const rows: number[] = []
    const columns: number[] = []
    const left = new Float64Array(n + m)
    tree.forUnshipped((u, flow) => {
      if (u < n) rows.push(u)
      else columns.push(u)
      left[u] = flow
    })
    for (const i of rows) {
      for (const j of columns) {
        const amount = Math.min(left[i], left[j])
        if (!(amount > 0) || !(source.cost(i, j - n) < infinity)) continue
        write(i, j - n, amount)
        left[i] -= amount
        left[j] -= amount
      }
      if (monitor.due()) yield
    }
    return count
  }

  /**
   * Plan and potentials as they are given out, judged by themselves: the cost of one, the value of the others after both
   * c-transforms, which make them feasible.
   */
  private *certify(entries: number): Work<void> {
    const { n, m, a, b, f, g, tree, source, job } = this
    const { plan, report } = job
    const costs = new Float64Array(entries)
    const left = new Float64Array(n + m)
    left.set(a)
    left.set(b, n)
    for (let k = 0; k < entries; k++) {
      costs[k] = plan.mass[k] * source.cost(plan.row[k], plan.column[k])
      left[plan.row[k]] -= plan.mass[k]
      left[n + plan.column[k]] -= plan.mass[k]
    }
    const value = sum(costs)
    const marginalError = sum(left.map(Math.abs)) / this.mass
    const primal = marginalError > incomplete ? infinity : value

    for (let i = 0; i < n; i++) f[i] = -tree.pi[i]
    yield* source.columnMinima(f, g)
    yield* source.rowMinima(g, f)
    const terms = new Float64Array(n + m)
    for (let i = 0; i < n; i++) terms[i] = a[i] * f[i]
    for (let j = 0; j < m; j++) terms[n + j] = b[j] * g[j]
    const dual = sum(terms)
    const size = sum(costs.map(Math.abs)) + sum(terms.map(Math.abs))
    const residual = size > 0 ? Math.max(0, primal - dual) / size : 0
    if (this.status === status.converged || this.status === status.stalled) {
      const proven = residual <= Math.max(proof, job.settings.tolerance)
      this.status = proven ? status.converged : status.stalled
    }
    report[exactField.status] = this.status
    report[exactField.iterations] = this.pivots
    report[exactField.rounds] = this.rounds
    report[exactField.entries] = entries
    report[exactField.marginalError] = marginalError
    report[exactField.value] = value
    report[exactField.primal] = primal
    report[exactField.dual] = dual
    report[exactField.residual] = residual
  }

  /** Marks what mass with no way out can reach: by arcs, and within the components. */
  private *findCut(): Work<void> {
    const { n, m, f, g, tree, source, monitor } = this
    const component = tree.components()
    const rowsOf: number[][] = Array.from({ length: n + m }, () => [])
    for (let i = 0; i < n; i++) rowsOf[component[i]].push(i)
    const reached = new Uint8Array(n + m)
    const rows: number[] = []
    const reach = (top: number) => {
      if (reached[top] === 1) return
      reached[top] = 1
      for (const i of rowsOf[top]) rows.push(i)
    }
    tree.forUnshipped((u) => {
      if (tree.level[u] === 0) reach(u)
    })
    for (let head = 0; head < rows.length; head++) {
      for (let j = 0; j < m; j++) {
        const top = component[n + j]
        if (reached[top] === 0 && source.cost(rows[head], j) < infinity) reach(top)
      }
      if (monitor.due()) yield
    }
    for (let i = 0; i < n; i++) f[i] = reached[component[i]]
    for (let j = 0; j < m; j++) g[j] = reached[component[n + j]]
  }
}

export function* networkSimplex(job: ExactJob, monitor: Watch): Work<void> {
  const simplex = new NetworkSimplex(job, yield* openArcs(job.problem, monitor), monitor)
  yield* simplex.run()
  yield* simplex.finish()
}
