import type { Step, Watch } from './step.js'

const variable = 0
const element = 1
const dead = 2

/** native/linear/ordering.cc, step by step. */
export function* minimumDegree(
  n: number,
  indptr: Int32Array,
  indices: Int32Array,
  order: Int32Array,
  monitor: Watch,
): Step<void> {
  const graph = new QuotientGraph(n, indptr, indices, order)
  for (let step = 0; graph.left > 0; step++) {
    graph.eliminate()
    if (step % 64 === 0 && monitor.due()) yield
  }
  graph.placeDense()
}

/**
 * A live variable stands for itself and those found to be like it; its list has its elements first, then its variables. A
 * live element is an eliminated variable with the list of those that its elimination joined.
 */
class QuotientGraph {
  left: number
  private placed = 0
  private least = 0
  private pass = 0
  private tag = 0
  private lists: Int32Array
  private end = 0
  private readonly start: Float64Array
  private readonly length: Int32Array
  private readonly elements: Int32Array
  private readonly weight: Int32Array
  private readonly degree: Int32Array
  private readonly external: Int32Array
  private readonly outside: Int32Array
  private readonly state: Uint8Array
  private readonly reached: Int32Array
  private readonly measured: Int32Array
  private readonly mark: Int32Array
  private readonly head: Int32Array
  private readonly next: Int32Array
  private readonly previous: Int32Array
  private readonly member: Int32Array
  private readonly last: Int32Array
  private readonly bucket: Int32Array
  private readonly chain: Int32Array
  private readonly hash: Int32Array
  private readonly dense: number[] = []
  private touched: number[] = []

  constructor(
    private readonly n: number,
    indptr: Int32Array,
    indices: Int32Array,
    private readonly order: Int32Array,
  ) {
    const zeros = () => new Int32Array(n)
    const nobody = () => new Int32Array(n).fill(-1)
    this.start = new Float64Array(n)
    this.length = zeros()
    this.elements = zeros()
    this.weight = zeros().fill(1)
    this.degree = zeros()
    this.external = zeros()
    this.outside = zeros()
    this.state = new Uint8Array(n)
    this.reached = zeros()
    this.measured = zeros()
    this.mark = zeros()
    this.head = new Int32Array(n + 1).fill(-1)
    this.next = nobody()
    this.previous = nobody()
    this.member = nobody()
    this.last = Int32Array.from({ length: n }, (_, i) => i)
    this.bucket = nobody()
    this.chain = nobody()
    this.hash = zeros()
    const many = Math.max(16, 10 * Math.sqrt(n))
    const isDense = (i: number) => indptr[i + 1] - indptr[i] > many
    this.lists = new Int32Array(Math.ceil(indices.length * 1.25) + n)
    for (let i = 0; i < n; i++) {
      this.start[i] = this.end
      if (isDense(i)) {
        this.state[i] = dead
        this.dense.push(i)
        continue
      }
      for (let k = indptr[i]; k < indptr[i + 1]; k++) {
        if (indices[k] !== i && !isDense(indices[k])) this.lists[this.end++] = indices[k]
      }
      this.length[i] = this.end - this.start[i]
      this.degree[i] = this.length[i]
      this.enter(i)
    }
    this.left = n - this.dense.length
  }

  placeDense(): void {
    for (const i of this.dense) this.order[this.placed++] = i
  }

  eliminate(): void {
    while (this.head[this.least] < 0) this.least++
    const p = this.head[this.least]
    this.leave(p)
    this.pass++
    const reach = this.joinLists(p)
    this.measureElements(p)
    this.finish(p, reach - this.updateLists(p))
    for (let i = p; i >= 0; i = this.member[i]) {
      this.order[this.placed++] = i
      this.left--
    }
  }

  private enter(i: number): void {
    const { head, next, previous } = this
    const d = this.degree[i]
    next[i] = head[d]
    previous[i] = -1
    if (head[d] >= 0) previous[head[d]] = i
    head[d] = i
    this.least = Math.min(this.least, d)
  }

  private leave(i: number): void {
    const { head, next, previous } = this
    if (next[i] >= 0) previous[next[i]] = previous[i]
    if (previous[i] >= 0) next[previous[i]] = next[i]
    else head[this.degree[i]] = next[i]
  }

  /** j goes right after i and what goes with i. */
  private join(i: number, j: number): void {
    this.member[this.last[i]] = j
    this.last[i] = this.last[j]
    this.state[j] = dead
  }

  /** Moves the live lists together if `room` more entries would not fit. */
  private makeRoom(room: number): void {
    if (this.end + room <= this.lists.length) return
    const { start, length, state } = this
    const live: number[] = []
    for (let i = 0; i < this.n; i++) if (state[i] !== dead) live.push(i)
    live.sort((i, j) => start[i] - start[j])
    this.end = 0
    for (const i of live) {
      this.lists.copyWithin(this.end, start[i], start[i] + length[i])
      start[i] = this.end
      this.end += length[i]
    }
    if (this.end + room <= this.lists.length) return
    const larger = new Int32Array(Math.ceil(this.end * 1.5) + room)
    larger.set(this.lists.subarray(0, this.end))
    this.lists = larger
  }

  /** The list of the new element p: what p and its elements reach. Returns their weight. */
  private joinLists(p: number): number {
    const { start, length, elements, state } = this
    let room = length[p]
    for (let k = start[p]; k < start[p] + elements[p]; k++) room += length[this.lists[k]]
    this.makeRoom(room)
    const { lists } = this
    const begin = this.end
    let reach = 0
    this.reached[p] = this.pass
    const own = start[p]
    for (let k = own; k < own + length[p]; k++) {
      const j = lists[k]
      if (k >= own + elements[p]) {
        reach += this.take(j)
      } else if (state[j] === element) {
        for (let l = start[j]; l < start[j] + length[j]; l++) reach += this.take(lists[l])
        state[j] = dead
      }
    }
    state[p] = element
    start[p] = begin
    length[p] = this.end - begin
    elements[p] = 0
    return reach
  }

  private take(i: number): number {
    if (this.state[i] !== variable || this.reached[i] === this.pass) return 0
    this.reached[i] = this.pass
    this.lists[this.end++] = i
    this.leave(i)
    return this.weight[i]
  }

  /** outside_e = |L_e \ L_p| for the elements of all variables in L_p. */
  private measureElements(p: number): void {
    const { lists, start, length, elements, state, measured, outside, pass } = this
    for (let k = start[p]; k < start[p] + length[p]; k++) {
      const i = lists[k]
      for (let l = start[i]; l < start[i] + elements[i]; l++) {
        const e = lists[l]
        if (state[e] !== element) continue
        if (measured[e] !== pass) {
          measured[e] = pass
          outside[e] = this.degree[e]
        }
        outside[e] -= this.weight[i]
      }
    }
  }

  /**
   * New lists of the variables in L_p, and what they reach besides. Those that reach nothing else go with p: returns their
   * weight. Those alike become one.
   */
  private updateLists(p: number): number {
    const { lists, start, length, elements, state, reached, outside, weight, pass } = this
    let gone = 0
    this.touched.length = 0
    const kept: number[] = []
    for (let k = start[p]; k < start[p] + length[p]; k++) {
      const i = lists[k]
      const from = start[i]
      let hash = 0
      let external = 0
      kept.length = 0
      kept.push(p)
      for (let l = from; l < from + elements[i]; l++) {
        const e = lists[l]
        if (state[e] !== element) continue
        if (outside[e] === 0) {
          // All that e reaches p reaches too.
          state[e] = dead
          continue
        }
        external += outside[e]
        hash = (hash + e) >>> 0
        kept.push(e)
      }
      const elementCount = kept.length
      for (let l = from + elements[i]; l < from + length[i]; l++) {
        const j = lists[l]
        if (state[j] !== variable || reached[j] === pass) continue
        external += weight[j]
        hash = (hash + j) >>> 0
        kept.push(j)
      }
      if (external === 0) {
        gone += weight[i]
        this.join(p, i)
        continue
      }
      // It fits: what reached i, p or an element that p took in, is no longer in the list.
      for (let l = 0; l < kept.length; l++) lists[from + l] = kept[l]
      elements[i] = elementCount
      length[i] = kept.length
      this.external[i] = external
      this.mergeAlike(i, hash % this.n)
    }
    for (const i of this.touched) this.bucket[this.hash[i]] = -1
    return gone
  }

  private mergeAlike(i: number, hash: number): void {
    const { lists, start, length, elements, mark, bucket, chain } = this
    if (bucket[hash] >= 0) {
      const tag = ++this.tag
      for (let l = start[i]; l < start[i] + length[i]; l++) mark[lists[l]] = tag
      for (let other = bucket[hash]; other >= 0; other = chain[other]) {
        if (length[other] !== length[i] || elements[other] !== elements[i]) continue
        let l = start[other]
        const end = l + length[other]
        while (l < end && mark[lists[l]] === tag) l++
        if (l < end) continue
        this.weight[other] += this.weight[i]
        this.join(other, i)
        return
      }
    }
    chain[i] = bucket[hash]
    bucket[hash] = i
    this.hash[i] = hash
    this.touched.push(i)
  }

  /** The element's list keeps the live variables; they get their degrees. */
  private finish(p: number, reach: number): void {
    const { lists, start, length, state, weight, degree, external } = this
    let left = this.left
    for (let i = p; i >= 0; i = this.member[i]) left--
    let end = start[p]
    for (let k = start[p]; k < start[p] + length[p]; k++) {
      const i = lists[k]
      if (state[i] !== variable) continue
      const others = reach - weight[i]
      degree[i] = Math.min(degree[i] + others, external[i] + others, left - weight[i])
      this.enter(i)
      lists[end++] = i
    }
    length[p] = end - start[p]
    this.end = end
    degree[p] = reach
    if (length[p] === 0) state[p] = dead
  }
}
