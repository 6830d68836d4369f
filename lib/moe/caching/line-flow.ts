/**
 * Minimum-cost flow along a line: nodes 0 … n, an arc without limit and cost from each to the next, and at most one further
 * arc out of and into each node, which jumps ahead, gains `gain` per unit and holds `room` units. `amount` units go from
 * node 0 to node n so that the gain is greatest, by successive shortest paths.
 *
 * The steps of the line can themselves have an arc beside them of `must` units that have to be used.
 */
export interface LineNetwork {
  n: number
  /** For each node the end of the arc that begins there, -1 for none. */
  jump: Int32Array
  gain: Float64Array
  room: Float64Array
  /** Units that must take each step; null for none. */
  must: Float64Array | null
  amount: number
}

export interface LineFlow {
  /** Flow on the arc that begins at each node. */
  flow: Float64Array
  /** Price >= 0 of a unit of each step: what one unit less of `amount` there would cost. */
  price: Float64Array
}

interface Watch {
  due(): boolean
}

const infinity = Number.POSITIVE_INFINITY

export function* lineFlow(network: LineNetwork, monitor: Watch): Generator<void, LineFlow, void> {
  const { n, jump, gain, room, must, amount } = network
  const flow = new Float64Array(n + 1)
  const line = new Float64Array(n)
  const forced = new Float64Array(n)
  const back = new Int32Array(n + 1).fill(-1)
  for (let p = 0; p < n; p++) if (jump[p] >= 0) back[jump[p]] = p
  // Gains less than what all else could bring together: steps that must be taken are taken first.
  let bonus = 0
  if (must !== null) {
    bonus = 1
    for (let p = 0; p < n; p++) if (jump[p] >= 0) bonus += gain[p] * room[p]
  }
  // The first potentials: longest paths forward.
  const potential = new Float64Array(n + 1).fill(infinity)
  potential[0] = 0
  for (let p = 0; p < n; p++) {
    potential[p + 1] = Math.min(potential[p + 1], potential[p] - (must !== null && must[p] > 0 ? bonus : 0))
    if (jump[p] >= 0 && room[p] > 0) potential[jump[p]] = Math.min(potential[jump[p]], potential[p] - gain[p])
  }
  const search = new Search(n)
  let left = amount
  while (left > 0) {
    const { distance, parent } = search
    search.begin()
    for (;;) {
      const p = search.next()
      if (p < 0) break
      const here = distance[p] + potential[p]
      const look = (q: number, cost: number, arc: Arc) => search.reach(q, p, here + cost - potential[q], arc)
      if (p < n) {
        look(p + 1, 0, 'line')
        if (must !== null && forced[p] < must[p]) look(p + 1, -bonus, 'must')
        if (jump[p] >= 0 && flow[p] < room[p]) look(jump[p], -gain[p], 'jump')
      }
      if (p > 0) {
        if (line[p - 1] > 0) look(p - 1, 0, 'unline')
        if (forced[p - 1] > 0) look(p - 1, bonus, 'unmust')
      }
      if (back[p] >= 0 && flow[back[p]] > 0) look(back[p], gain[back[p]], 'unjump')
      if (search.work % 1024 === 0 && monitor.due()) yield
    }
    for (let p = 0; p <= n; p++) potential[p] += distance[p]
    // The most that the path takes.
    let most = left
    for (let q = n; q !== 0; q = parent[q]) {
      const p = parent[q]
      const arc = search.arcOf(q)
      if (arc === 'jump') most = Math.min(most, room[p] - flow[p])
      else if (arc === 'unjump') most = Math.min(most, flow[q])
      else if (arc === 'must') most = Math.min(most, (must as Float64Array)[p] - forced[p])
      else if (arc === 'unmust') most = Math.min(most, forced[q])
      else if (arc === 'unline') most = Math.min(most, line[q])
    }
    for (let q = n; q !== 0; q = parent[q]) {
      const p = parent[q]
      const arc = search.arcOf(q)
      if (arc === 'jump') flow[p] += most
      else if (arc === 'unjump') flow[q] -= most
      else if (arc === 'must') forced[p] += most
      else if (arc === 'unmust') forced[q] -= most
      else if (arc === 'line') line[p] += most
      else line[q] -= most
    }
    left -= most
  }
  const price = new Float64Array(n)
  for (let p = 0; p < n; p++) price[p] = Math.max(0, potential[p] - potential[p + 1])
  return { flow, price }
}

const arcs = ['line', 'must', 'jump', 'unline', 'unmust', 'unjump'] as const
type Arc = (typeof arcs)[number]

/** Dijkstra's search with a heap of nodes that knows their places. */
class Search {
  readonly distance: Float64Array
  readonly parent: Int32Array
  work = 0
  private readonly kind: Uint8Array
  private readonly heap: Int32Array
  private readonly place: Int32Array
  private size = 0

  constructor(n: number) {
    this.distance = new Float64Array(n + 1)
    this.parent = new Int32Array(n + 1)
    this.kind = new Uint8Array(n + 1)
    this.heap = new Int32Array(n + 1)
    this.place = new Int32Array(n + 1)
  }

  begin(): void {
    this.distance.fill(infinity)
    this.place.fill(-1)
    this.distance[0] = 0
    this.heap[0] = 0
    this.place[0] = 0
    this.size = 1
  }

  arcOf(node: number): Arc {
    return arcs[this.kind[node]]
  }

  /** The nearest node that is not done yet, -1 for none. */
  next(): number {
    this.work++
    if (this.size === 0) return -1
    const { heap, place } = this
    const top = heap[0]
    place[top] = -2
    const last = heap[--this.size]
    if (this.size > 0) this.settle(last, 0, true)
    return top
  }

  reach(node: number, from: number, distance: number, arc: Arc): void {
    if (this.place[node] === -2) return
    // Rounding may leave a reduced cost below zero.
    const length = Math.max(distance, this.distance[from])
    if (length >= this.distance[node]) return
    this.distance[node] = length
    this.parent[node] = from
    this.kind[node] = arcs.indexOf(arc)
    if (this.place[node] === -1) this.place[node] = this.size++
    this.settle(node, this.place[node], false)
  }

  private settle(node: number, start: number, down: boolean): void {
    const { heap, place, distance, size } = this
    let i = start
    if (down) {
      for (;;) {
        let child = 2 * i + 1
        if (child >= size) break
        if (child + 1 < size && distance[heap[child + 1]] < distance[heap[child]]) child++
        if (distance[heap[child]] >= distance[node]) break
        heap[i] = heap[child]
        place[heap[i]] = i
        i = child
      }
    } else {
      while (i > 0) {
        const up = (i - 1) >> 1
        if (distance[heap[up]] <= distance[node]) break
        heap[i] = heap[up]
        place[heap[i]] = i
        i = up
      }
    }
    heap[i] = node
    place[node] = i
  }
}
