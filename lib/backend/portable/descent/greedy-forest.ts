import { UnionFind } from './forest.js'
import type { Graph } from './model.js'
import type { State } from './state.js'

/** A maximal forest, greedily in an order: a node joins unless two of its neighbours are in one tree. */
export class GreedyForest {
  private readonly sets: UnionFind
  private readonly roots: Uint8Array

  constructor(
    private readonly state: State,
    private readonly graph: Graph,
  ) {
    this.sets = new UnionFind(state.n)
    this.roots = new Uint8Array(state.n)
  }

  /** Makes it the block. */
  grow(order: Int32Array): void {
    const { state, sets, roots } = this
    const { indptr, indices } = this.graph
    const { live, block, place } = state
    sets.clear()
    let size = 0
    for (let k = 0; k < live.length; k++) {
      const i = order[k]
      let closes = false
      let end = indptr[i]
      for (; end < indptr[i + 1] && !closes; end++) {
        if (place[indices[end]] < 0) continue
        const root = sets.find(indices[end])
        closes = roots[root] === 1
        roots[root] = 1
      }
      for (let e = indptr[i]; e < end; e++) if (place[indices[e]] >= 0) roots[sets.find(indices[e])] = 0
      if (closes) continue
      for (let e = indptr[i]; e < end; e++) if (place[indices[e]] >= 0) sets.unite(i, sets.find(indices[e]))
      place[i] = size
      block[size++] = i
    }
    state.size = size
    state.leave()
  }
}
