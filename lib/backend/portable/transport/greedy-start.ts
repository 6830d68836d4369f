import type { Watch, Work } from '../work.js'
import type { Arcs } from './pricing.js'
import { sortedOrder } from './sorted-order.js'
import { Shipments } from './spanning-tree.js'

// Twin of native/transport/greedy-start.cc.

/** Reduced costs that are smaller in relation to the potentials are rounding. */
const tightness = 2 ** -40
/** So is what a shipment leaves at a node. */
const rounding = 2 ** -46

/**
 * A plan that is meant to cost little: arcs in the order of their reduced costs, each taking what it can; those without
 * reduced cost in an order that leaves no node behind if they form a tree. The arcs used are a forest. `left` holds supplies
 * and demands, and then what is left of them.
 */
export function* greedyStart(
  arcs: Arcs,
  f: Float64Array,
  g: Float64Array,
  left: Float64Array,
  monitor: Watch,
): Work<Shipments> {
  const { row, column, cost, size } = arcs
  const reduced = new Float64Array(size)
  for (let k = 0; k < size; k++) reduced[k] = cost[k] - f[row[k]] - g[column[k]]
  const order = yield* sortedOrder(reduced, monitor)
  let tight = 0
  for (; tight < size; tight++) {
    const k = order[tight]
    if (reduced[k] > tightness * (Math.abs(f[row[k]]) + Math.abs(g[column[k]]))) break
  }
  const start = new GreedyStart(arcs, f.length, order, tight, left)
  start.run()
  return start.shipments
}

class GreedyStart {
  readonly shipments = new Shipments()
  /** Tight arcs of each node: how many lead to nodes that are not done, and all. */
  private readonly degree: Int32Array
  private readonly start: Int32Array
  private readonly arc: Int32Array
  private readonly leaves: number[] = []

  constructor(
    private readonly arcs: Arcs,
    private readonly n: number,
    private readonly order: Int32Array,
    /** How many arcs of the order, its first, are tight. */
    private readonly tight: number,
    private readonly left: Float64Array,
  ) {
    this.degree = new Int32Array(left.length)
    this.start = new Int32Array(left.length + 1)
    this.arc = new Int32Array(2 * tight)
    this.link()
  }

  private link(): void {
    const { order, tight, degree, start, arc, arcs } = this
    for (let at = 0; at < tight; at++) {
      degree[arcs.row[order[at]]]++
      degree[this.columnNode(order[at])]++
    }
    for (let u = 0; u < degree.length; u++) start[u + 1] = start[u] + degree[u]
    const next = start.slice(0, degree.length)
    for (let at = 0; at < tight; at++) {
      arc[next[arcs.row[order[at]]]++] = order[at]
      arc[next[this.columnNode(order[at])]++] = order[at]
    }
  }

  run(): void {
    const { degree, leaves, left, order, tight } = this
    for (let u = 0; u < degree.length; u++) if (degree[u] === 1) leaves.push(u)
    for (let at = 0; at < tight; at++) {
      for (let u = leaves.pop(); u !== undefined; u = leaves.pop()) {
        if (left[u] > 0 && degree[u] === 1) this.shipLeaf(u)
      }
      this.ship(order[at], true)
    }
    for (let at = tight; at < order.length; at++) this.ship(order[at], false)
  }

  private columnNode(arc: number): number {
    return this.n + this.arcs.column[arc]
  }

  private other(u: number, arc: number): number {
    return u < this.n ? this.columnNode(arc) : this.arcs.row[arc]
  }

  private shipLeaf(u: number): void {
    const { start, arc, left } = this
    for (let k = start[u]; k < start[u + 1]; k++) {
      if (left[this.other(u, arc[k])] > 0) {
        this.ship(arc[k], true)
        return
      }
    }
  }

  private ship(arc: number, isTight: boolean): void {
    const { arcs, left } = this
    const i = arcs.row[arc]
    const j = this.columnNode(arc)
    const amount = Math.min(left[i], left[j])
    if (!(amount > 0)) return
    this.shipments.add(i, arcs.column[arc], arcs.cost[arc], amount)
    for (const u of [i, j]) {
      left[u] -= amount
      if (left[u] > rounding * amount) continue
      left[u] = 0
      if (isTight) this.release(u)
    }
  }

  /** Node u is done: its neighbours have one choice less. */
  private release(u: number): void {
    const { start, arc, left, degree, leaves } = this
    for (let k = start[u]; k < start[u + 1]; k++) {
      const v = this.other(u, arc[k])
      if (left[v] > 0 && --degree[v] === 1) leaves.push(v)
    }
  }
}
