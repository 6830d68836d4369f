// Twin of native/transport/spanning-tree.cc, where the data structure is explained.

/** What is left of a flow after as much has been taken from it is rounding. */
const rounding = 2 ** -46

/** Arcs with flow from rows to columns (counted from 0). */
export class Shipments {
  readonly row: number[] = []
  readonly column: number[] = []
  readonly cost: number[] = []
  readonly flow: number[] = []

  add(row: number, column: number, cost: number, flow: number): void {
    this.row.push(row)
    this.column.push(column)
    this.cost.push(cost)
    this.flow.push(flow)
  }
}

export class SpanningTree {
  /** f_i = -pi_i of rows, g_j = pi_(n + j) of columns. */
  readonly pi: Float64Array
  /** 0 below artificial arcs up to the root, 1 below those down from it. */
  readonly level: Uint8Array
  private readonly root: number
  // Of each node, with its arc to the parent. `thread` is a preorder of the tree, `last` the last in it of the subtree.
  private readonly parent: Int32Array
  private readonly thread: Int32Array
  private readonly before: Int32Array
  private readonly last: Int32Array
  private readonly size: Int32Array
  /** The arc leads from the node to its parent. */
  private readonly up: Uint8Array
  private readonly flow: Float64Array
  private readonly cost: Float64Array
  private readonly stem: Int32Array
  private readonly stemBefore: Int32Array
  private readonly stemLast: Int32Array
  private readonly stemAfter: Int32Array
  private readonly stemSize: Int32Array
  private surpluses = 0
  private deficits = 0

  constructor(
    private readonly n: number,
    m: number,
  ) {
    const nodes = n + m + 1
    this.root = n + m
    this.pi = new Float64Array(nodes)
    this.level = new Uint8Array(nodes)
    this.parent = new Int32Array(nodes)
    this.thread = new Int32Array(nodes)
    this.before = new Int32Array(nodes)
    this.last = new Int32Array(nodes)
    this.size = new Int32Array(nodes)
    this.up = new Uint8Array(nodes)
    this.flow = new Float64Array(nodes)
    this.cost = new Float64Array(nodes)
    this.stem = new Int32Array(nodes)
    this.stemBefore = new Int32Array(nodes)
    this.stemLast = new Int32Array(nodes)
    this.stemAfter = new Int32Array(nodes)
    this.stemSize = new Int32Array(nodes)
  }

  /**
   * Starts from a forest of arcs with flow; `left` is what they leave of supplies and demands, at one node of a component
   * at most. A component takes the potential of its top from f or g.
   */
  build(shipments: Shipments, left: Float64Array, f: Float64Array, g: Float64Array): void {
    const { n, root, parent, pi, level, cost } = this
    const { row, column } = shipments
    // Arcs of each node.
    const start = new Int32Array(root + 1)
    for (let k = 0; k < row.length; k++) {
      start[row[k] + 1]++
      start[n + column[k] + 1]++
    }
    for (let u = 0; u < root; u++) start[u + 1] += start[u]
    const next = start.slice(0, root)
    const arc = new Int32Array(2 * row.length)
    for (let k = 0; k < row.length; k++) {
      arc[next[row[k]]++] = k
      arc[next[n + column[k]]++] = k
    }

    const preorder = [root]
    const stack: number[] = []
    const seen = new Uint8Array(root)
    parent[root] = -1
    pi[root] = 0
    level[root] = 0
    this.surpluses = 0
    this.deficits = 0
    const addComponent = (top: number) => {
      const begin = preorder.length
      const down = left[top] > 0 && top >= n
      seen[top] = 1
      this.hang(top, root, !down, 0, left[top])
      if (left[top] > 0) {
        if (down) this.deficits++
        else this.surpluses++
        level[top] = down ? 1 : 0
      }
      stack.push(top)
      const offset = (top < n ? -f[top] : g[top - n]) - pi[top]
      for (let u = stack.pop(); u !== undefined; u = stack.pop()) {
        preorder.push(u)
        for (let k = start[u]; k < start[u + 1]; k++) {
          const shipment = arc[k]
          const other = u < n ? n + column[shipment] : row[shipment]
          if (seen[other] === 1) continue
          seen[other] = 1
          this.hang(other, u, other < n, shipments.cost[shipment], shipments.flow[shipment])
          stack.push(other)
        }
      }
      for (let k = begin; k < preorder.length; k++) pi[preorder[k]] += offset
      cost[top] = down ? offset : -offset
    }
    for (let u = 0; u < root; u++) if (left[u] > 0) addComponent(u)
    for (let u = 0; u < root; u++) if (seen[u] === 0) addComponent(u)
    this.orderBy(preorder)
    if (!this.unbalanced()) this.dropArtificial()
  }

  private hang(u: number, parent: number, up: boolean, cost: number, flow: number): void {
    this.parent[u] = parent
    this.up[u] = up ? 1 : 0
    this.cost[u] = cost
    this.flow[u] = flow
    this.level[u] = this.level[parent]
    this.pi[u] = up ? this.pi[parent] - cost : this.pi[parent] + cost
  }

  private orderBy(preorder: number[]): void {
    const { parent, thread, before, last, size } = this
    const count = preorder.length
    for (let k = 0; k < count; k++) {
      const u = preorder[k]
      const v = preorder[k + 1 < count ? k + 1 : 0]
      thread[u] = v
      before[v] = u
      size[u] = 1
      last[u] = u
    }
    for (let k = count - 1; k > 0; k--) {
      const u = preorder[k]
      size[parent[u]] += size[u]
      if (last[parent[u]] === parent[u]) last[parent[u]] = last[u]
    }
  }

  /** Some component has something over and another lacks something. */
  unbalanced(): boolean {
    return this.surpluses > 0 && this.deficits > 0
  }

  /** What is over in all components together, or lacking if that is less. */
  unshipped(): number {
    let surplus = 0
    let deficit = 0
    this.forUnshipped((u, flow) => {
      if (this.up[u] === 1) surplus += flow
      else deficit += flow
    })
    return Math.min(surplus, deficit)
  }

  /** Lets all components hang by arcs up without flow. What they had over or lacked is dropped. */
  dropArtificial(): void {
    const { root, thread, last, flow, cost, up, level } = this
    for (let u = thread[root]; u !== root; u = thread[last[u]]) {
      flow[u] = 0
      if (up[u] === 0) cost[u] = -cost[u]
      up[u] = 1
    }
    level.fill(0)
    this.surpluses = 0
    this.deficits = 0
  }

  /** Arcs with flow between rows and columns. */
  forShipments(visit: (row: number, column: number, flow: number, cost: number) => void): void {
    const { n, root, parent, flow, cost } = this
    for (let u = 0; u < root; u++) {
      const p = parent[u]
      if (p === root || !(flow[u] > 0)) continue
      if (u < n) visit(u, p - n, flow[u], cost[u])
      else visit(p, u - n, flow[u], cost[u])
    }
  }

  /** Topmost nodes of components that have something over (rows) or lack something (columns), and how much it is. */
  forUnshipped(visit: (node: number, flow: number) => void): void {
    const { root, thread, last, flow } = this
    for (let u = thread[root]; u !== root; u = thread[last[u]]) if (flow[u] > 0) visit(u, flow[u])
  }

  /** <C, P> */
  value(): number {
    let total = 0
    this.forShipments((_row, _column, flow, cost) => {
      total += flow * cost
    })
    return total
  }

  /** The topmost node of each node's component. */
  components(): Int32Array {
    const { root, parent, thread } = this
    const top = new Int32Array(root)
    for (let u = thread[root]; u !== root; u = thread[u]) top[u] = parent[u] === root ? u : top[parent[u]]
    return top
  }

  /** Lets the arc s -> t of this cost enter. What is artificial is dropped once nothing is over or lacking. */
  pivot(s: number, t: number, cost: number): void {
    const { parent, size, up, flow, level } = this
    const wasUnbalanced = this.unbalanced()
    const reduced = cost + this.pi[s] - this.pi[t]
    let join = s
    for (let v = t; join !== v; ) {
      if (size[join] < size[v]) join = parent[join]
      else v = parent[v]
    }

    // The arc that limits the flow; of several the last around the cycle from the join (Cunningham 1976).
    let amount = Number.POSITIVE_INFINITY
    for (let u = s; u !== join; u = parent[u]) if (up[u] === 1 && flow[u] < amount) amount = flow[u]
    for (let u = t; u !== join; u = parent[u]) if (up[u] === 0 && flow[u] < amount) amount = flow[u]
    const limit = amount + rounding * amount
    let out = -1
    for (let u = t; u !== join; u = parent[u]) if (up[u] === 0 && flow[u] <= limit) out = u
    const fromS = out < 0
    if (fromS) for (out = s; !(up[out] === 1 && flow[out] <= limit); ) out = parent[out]
    if (amount > 0) this.ship(s, t, join, amount)

    // The subtree that the leaving arc cuts off hangs by the entering arc from now on.
    const entered = fromS ? s : t
    const newParent = fromS ? t : s
    if (parent[out] === this.root && flow[out] > 0) this.count(out, -1)
    this.transplant(entered, newParent, out, join)
    up[entered] = fromS ? 1 : 0
    this.cost[entered] = cost
    flow[entered] = amount
    this.shift(entered, fromS ? -reduced : reduced, level[newParent])
    if (wasUnbalanced && !this.unbalanced()) this.dropArtificial()
  }

  private count(top: number, change: number): void {
    if (this.up[top] === 1) this.surpluses += change
    else this.deficits += change
  }

  /** Moves `amount` around the cycle s -> t -> join -> s. */
  private ship(s: number, t: number, join: number, amount: number): void {
    const { parent, up } = this
    for (let u = s; u !== join; u = parent[u]) this.add(u, up[u] === 0, amount)
    for (let u = t; u !== join; u = parent[u]) this.add(u, up[u] === 1, amount)
  }

  private add(u: number, more: boolean, amount: number): void {
    const { flow } = this
    const had = flow[u] > 0
    if (more) {
      flow[u] += amount
    } else {
      flow[u] -= amount
      if (flow[u] <= rounding * amount) flow[u] = 0
    }
    if (this.parent[u] === this.root && flow[u] > 0 !== had) this.count(u, had ? -1 : 1)
  }

  /** Turns the stem from `entered` to `out` upside down and moves its subtree below `newParent`. */
  private transplant(entered: number, newParent: number, out: number, join: number): void {
    const { parent, thread, before, last, size, up, cost, flow } = this
    const { stem, stemBefore, stemLast, stemAfter, stemSize } = this
    const oldParent = parent[out]
    const total = size[out]
    const oldBefore = before[out]
    const oldLast = last[out]
    const oldAfter = thread[oldLast]
    let length = 0
    for (let u = entered; ; u = parent[u]) {
      stem[length] = u
      stemBefore[length] = before[u]
      stemLast[length] = last[u]
      stemAfter[length] = thread[last[u]]
      stemSize[length] = size[u]
      length++
      if (u === out) break
    }

    // Out of the old place.
    thread[oldBefore] = oldAfter
    before[oldAfter] = oldBefore
    for (let u = oldParent; u >= 0 && last[u] === oldLast; u = parent[u]) last[u] = oldBefore
    for (let u = oldParent; u !== join; u = parent[u]) size[u] -= total

    // Each node of the stem comes behind the subtree of the one below it, with the rest of its own.
    const newAfter = thread[newParent]
    thread[newParent] = entered
    before[entered] = newParent
    let tail = stemLast[0]
    for (let k = 1; k < length; k++) {
      thread[tail] = stem[k]
      before[stem[k]] = tail
      tail = stemBefore[k - 1]
      if (stemLast[k - 1] === stemLast[k]) continue
      thread[tail] = stemAfter[k - 1]
      before[stemAfter[k - 1]] = tail
      tail = stemLast[k]
    }
    thread[tail] = newAfter
    before[newAfter] = tail

    for (let k = length - 1; k > 0; k--) {
      const u = stem[k]
      const child = stem[k - 1]
      parent[u] = child
      up[u] = 1 - up[child]
      cost[u] = cost[child]
      flow[u] = flow[child]
      size[u] = total - stemSize[k - 1]
      last[u] = tail
    }
    parent[entered] = newParent
    size[entered] = total
    last[entered] = tail
    for (let u = newParent; u >= 0 && last[u] === newParent; u = parent[u]) last[u] = tail
    for (let u = newParent; u !== join; u = parent[u]) size[u] += total
  }

  /** Potentials of the subtree, or those of all others the opposite way where they are fewer: only differences count. */
  private shift(top: number, change: number, to: number): void {
    const { thread, pi, level } = this
    const end = thread[this.last[top]]
    if (level[top] !== to) for (let u = top; u !== end; u = thread[u]) level[u] = to
    if (2 * this.size[top] <= this.root) for (let u = top; u !== end; u = thread[u]) pi[u] += change
    else for (let u = end; u !== top; u = thread[u]) pi[u] -= change
  }

  /** Potentials anew from the costs of the tree's arcs: rounding has no history. */
  recomputePotentials(): void {
    const { root, thread, parent, up, cost, pi } = this
    pi[root] = 0
    for (let u = thread[root]; u !== root; u = thread[u]) {
      pi[u] = up[u] === 1 ? pi[parent[u]] - cost[u] : pi[parent[u]] + cost[u]
    }
  }

  /** Flows anew from the supplies and demands, leaf by leaf; what has been found to be without flow stays so. */
  recomputeFlows(a: Float64Array, b: Float64Array): void {
    const { n, root, before, parent, up, flow } = this
    const excess = new Float64Array(root + 1)
    excess.set(a)
    for (let j = 0; j < b.length; j++) excess[n + j] = -b[j]
    for (let u = before[root]; u !== root; u = before[u]) {
      if (!(flow[u] > 0)) continue
      flow[u] = Math.max(0, up[u] === 1 ? excess[u] : -excess[u])
      excess[parent[u]] += excess[u]
    }
  }
}
