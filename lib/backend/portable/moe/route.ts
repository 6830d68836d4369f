import { ExtremaError } from '../../../core/errors.js'
import { type RouteJob, routeField } from '../../moe.js'
import type { Watch, Work } from '../work.js'
import { Demand } from './demand.js'
import { ended } from './ended.js'

const infinity = Number.POSITIVE_INFINITY
/**
 * Most sweeps for the prices to start from, and how much imbalance for each expert a sweep must take away: moving that
 * many tokens along paths costs as much.
 */
const mostSweeps = 30
const progress = 2

export function* route(job: RouteJob, monitor: Watch): Work<void> {
  const { tokens, experts, k, scores, choices, prices, report } = job
  const demand = new Demand(job, monitor)
  yield* demand.evaluate()
  let imbalance = demand.imbalance()
  let sweeps = 0
  while (sweeps < mostSweeps && imbalance > 0 && !monitor.expired()) {
    for (let e = 0; e < experts; e++) yield* demand.balance(e)
    sweeps++
    const now = demand.imbalance()
    const goesOn = imbalance - now >= progress * experts
    imbalance = now
    if (!goesOn) break
  }
  const paths = new Paths(job, demand, monitor)
  const isDone = yield* paths.run()
  paths.write(choices, prices)
  let value = 0
  for (let u = 0; u < tokens * k; u++) {
    if (choices[u] >= 0) value += scores[Math.floor(u / k) * experts + choices[u]]
  }
  demand.prices.set(prices)
  yield* demand.evaluate()
  report[routeField.ended] = isDone ? ended.converged : ended.timeLimit
  report[routeField.sweeps] = sweeps
  report[routeField.augmentations] = paths.augmentations
  report[routeField.value] = value
  report[routeField.bound] = demand.bound()
}

interface Move {
  unit: number
  from: number
  to: number
}

/** Successive shortest paths on the residual network of experts: native/moe/route.cc, step by step. */
class Paths {
  augmentations = 0
  private readonly nodes: number
  private readonly sink: number
  private readonly price: Float64Array
  /** What the node could still send to the sink. */
  private readonly room: Float64Array
  private readonly excess: Float64Array
  /** Lists of the units at each node. */
  private readonly head: Int32Array
  private readonly at: Int32Array
  private readonly next: Int32Array
  private readonly previous: Int32Array
  /** nodes × experts: of the unit that loses least. */
  private readonly loss: Float64Array
  private readonly unit: Int32Array
  /** The same for leaving without another expert. */
  private readonly leaving: Float64Array
  private readonly leaver: Int32Array
  private readonly distance: Float64Array
  private readonly parent: Int32Array
  private readonly done: Uint8Array
  private readonly dirty: Uint8Array
  private readonly moved: Move[] = []
  private length = 0

  constructor(
    private readonly job: RouteJob,
    demand: Demand,
    private readonly monitor: Watch,
  ) {
    const { tokens, experts, k, partial } = job
    const nodes = experts + (partial ? 1 : 0)
    this.nodes = nodes
    this.sink = nodes
    this.price = new Float64Array(nodes + 1)
    this.room = new Float64Array(nodes + 1)
    this.excess = new Float64Array(nodes + 1)
    this.head = new Int32Array(nodes).fill(-1)
    this.at = new Int32Array(tokens * k)
    this.next = new Int32Array(tokens * k)
    this.previous = new Int32Array(tokens * k)
    this.loss = new Float64Array(nodes * experts)
    this.unit = new Int32Array(nodes * experts)
    this.leaving = new Float64Array(nodes)
    this.leaver = new Int32Array(nodes)
    this.distance = new Float64Array(nodes + 1)
    this.parent = new Int32Array(nodes + 1)
    this.done = new Uint8Array(nodes + 1)
    this.dirty = new Uint8Array(nodes)

    this.price.set(demand.prices)
    for (let t = tokens - 1; t >= 0; t--) {
      const count = demand.taken(t)
      for (let r = k - 1; r >= 0; r--) this.enter(t * k + r, r < count ? demand.expertAt(t, r) : experts)
    }
    // An expert with a price is filled, whatever the load: what it lacks is to come from those with too much.
    let filled = 0
    for (let e = 0; e < nodes; e++) {
      let load = 0
      for (let u = this.head[e]; u >= 0; u = this.next[u]) load++
      const capacity = this.capacityOf(e)
      const taken = this.price[e] > 0 ? capacity : Math.min(load, capacity)
      this.room[e] = capacity - taken
      this.excess[e] = load - taken
      filled += taken
    }
    this.excess[this.sink] = filled - tokens * k
  }

  /** True when everything is in its place. */
  *run(): Work<boolean> {
    for (let e = 0; e < this.nodes; e++) yield* this.findLosses(e)
    for (;;) {
      let left = 0
      for (const excess of this.excess) left += Math.max(0, excess)
      if (left === 0) return true
      this.monitor.progress(this.augmentations, left)
      if (this.monitor.expired()) return false
      yield* this.push(this.search())
      this.augmentations++
      if (this.monitor.due()) yield
    }
  }

  write(choices: Int32Array, prices: Float64Array): void {
    const { experts } = this.job
    for (let u = 0; u < this.at.length; u++) choices[u] = this.at[u] < experts ? this.at[u] : -1
    for (let e = 0; e < experts; e++) prices[e] = Math.max(0, this.price[e] - this.price[this.sink])
  }

  private capacityOf(e: number): number {
    return e < this.job.experts ? this.job.capacity[e] : this.at.length
  }

  private score(unit: number, e: number): number {
    const { experts, k, scores } = this.job
    return e < experts ? scores[Math.floor(unit / k) * experts + e] : 0
  }

  private enter(unit: number, e: number): void {
    this.at[unit] = e
    this.previous[unit] = -1
    this.next[unit] = this.head[e]
    if (this.head[e] >= 0) this.previous[this.head[e]] = unit
    this.head[e] = unit
  }

  private leave(unit: number): void {
    const { previous, next, head, at } = this
    if (previous[unit] >= 0) next[previous[unit]] = next[unit]
    else head[at[unit]] = next[unit]
    if (next[unit] >= 0) previous[next[unit]] = previous[unit]
  }

  private holds(token: number, e: number): boolean {
    const { k } = this.job
    for (let u = token * k; u < (token + 1) * k; u++) if (this.at[u] === e) return true
    return false
  }

  /** Offers what moving `unit` from a would lose, to all experts that its token does without. */
  private offer(a: number, unit: number): void {
    const { loss, unit: units } = this
    const { experts, k, scores } = this.job
    const token = Math.floor(unit / k)
    const own = this.score(unit, a)
    const row = a * experts
    for (let e = 0; e < experts; e++) {
      const x = own - scores[token * experts + e]
      if (x >= loss[row + e] || this.holds(token, e)) continue
      loss[row + e] = x
      units[row + e] = unit
    }
    if (own < this.leaving[a]) {
      this.leaving[a] = own
      this.leaver[a] = unit
    }
  }

  private *findLosses(a: number): Work<void> {
    const { experts } = this.job
    this.loss.fill(infinity, a * experts, (a + 1) * experts)
    this.unit.fill(-1, a * experts, (a + 1) * experts)
    this.leaving[a] = infinity
    this.leaver[a] = -1
    let work = 0
    for (let u = this.head[a]; u >= 0; u = this.next[u]) {
      this.offer(a, u)
      work += experts
      if (work < 1 << 15) continue
      work = 0
      if (this.monitor.due()) yield
    }
    this.dirty[a] = 0
  }

  private lossOf(a: number, b: number): number {
    const { experts } = this.job
    return b < experts ? this.loss[a * experts + b] : this.leaving[a]
  }

  private unitOf(a: number, b: number): number {
    const { experts } = this.job
    return b < experts ? this.unit[a * experts + b] : this.leaver[a]
  }

  /** Dijkstra's search from all nodes with too much to the nearest with too little; prices move by the distances. */
  private search(): number {
    const { distance, done, parent, excess, price, room, sink } = this
    distance.fill(infinity)
    done.fill(0)
    for (let e = 0; e <= sink; e++) {
      if (excess[e] <= 0) continue
      distance[e] = 0
      parent[e] = e
    }
    for (;;) {
      let a = sink + 1
      for (let e = 0; e <= sink; e++) if (done[e] === 0 && (a > sink || distance[e] < distance[a])) a = e
      const here = distance[a]
      if (here === infinity) {
        throw new ExtremaError('ERR_INTERNAL', 'route: no way to room; the capacities were checked')
      }
      if (excess[a] < 0) {
        for (let e = 0; e <= sink; e++) price[e] += here - Math.min(here, distance[e])
        this.length = here
        return a
      }
      done[a] = 1
      for (let b = 0; b <= sink; b++) {
        if (done[b] === 1) continue
        let loss: number
        if (b === sink) loss = room[a] > 0 ? 0 : infinity
        else if (a === sink) loss = room[b] < this.capacityOf(b) ? 0 : infinity
        else loss = this.lossOf(a, b)
        const through = here + Math.max(0, loss - price[a] + price[b])
        if (through >= distance[b]) continue
        distance[b] = through
        parent[b] = a
      }
    }
  }

  /** Moves along the path to `target`: one unit, or where paths of no length show that there are ties, as many as go. */
  private *push(target: number): Work<void> {
    const { parent, excess, sink, room, moved, dirty } = this
    let source = target
    while (parent[source] !== source) source = parent[source]
    let amount = Math.min(excess[source], -excess[target])
    if (this.length > 0) amount = 1
    for (let b = target; b !== source && amount > 1; b = parent[b]) {
      amount = Math.min(amount, this.alike(parent[b], b, amount, false))
    }
    excess[source] -= amount
    excess[target] += amount
    moved.length = 0
    for (let b = target; b !== source; b = parent[b]) {
      const a = parent[b]
      if (b === sink) room[a] -= amount
      else if (a === sink) room[b] += amount
      else if (amount === 1) moved.push({ unit: this.unitOf(a, b), from: a, to: b })
      else this.alike(a, b, amount, true)
    }
    for (const { unit, to } of moved) {
      this.leave(unit)
      this.enter(unit, to)
    }
    for (const move of moved) this.update(move)
    for (let e = 0; e < this.nodes; e++) if (dirty[e] === 1) yield* this.findLosses(e)
  }

  /** How many units, up to `most`, go from a to b at the least loss; they are added to the moves if `take`. */
  private alike(a: number, b: number, most: number, take: boolean): number {
    const { sink, room, head, next, moved } = this
    const { experts, k } = this.job
    if (b === sink) return Math.min(most, room[a])
    if (a === sink) return Math.min(most, this.capacityOf(b) - room[b])
    const loss = this.lossOf(a, b)
    let count = 0
    for (let u = head[a]; u >= 0 && count < most; u = next[u]) {
      if (this.score(u, a) - this.score(u, b) !== loss || (b < experts && this.holds(Math.floor(u / k), b))) continue
      count++
      if (take) moved.push({ unit: u, from: a, to: b })
    }
    return count
  }

  /** After a move: marks what lost its best unit as dirty, and offers the unit where it has become free to go. */
  private update({ unit, from, to }: Move): void {
    const { at, dirty, loss, unit: units } = this
    const { experts, k } = this.job
    const token = Math.floor(unit / k)
    dirty[from] = 1
    if (dirty[to] === 0) this.offer(to, unit)
    // The token's other units may now go to `from`, but no longer to `to`.
    for (let other = token * k; other < (token + 1) * k; other++) {
      const e = at[other]
      if (other === unit || dirty[e] === 1) continue
      if (to < experts && units[e * experts + to] === other) {
        dirty[e] = 1
      } else if (from < experts && !this.holds(token, from)) {
        const x = this.score(other, e) - this.score(other, from)
        if (x >= loss[e * experts + from]) continue
        loss[e * experts + from] = x
        units[e * experts + from] = other
      }
    }
  }
}
