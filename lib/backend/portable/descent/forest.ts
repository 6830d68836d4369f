import type { SparseBlock } from './model.js'

/** A pivot at most this part of its diagonal entry is a null one. */
const nullPivot = 1e-13
const taken = -1

export type ForestFault = 'none' | 'cycle' | 'pivot'

/**
 * Solves A x = c where the off-diagonal entries of A are the edges of a forest, by messages from the leaves to the roots
 * and back: P_i = A_ii - Σ A_ij² / P_j and μ_i = c_i - Σ A_ij μ_j / P_j over the children j, x_i = (μ_i - A_ip x_p) / P_i
 * with the parent p. That is Gaussian elimination in an order without fill, and Gaussian belief propagation.
 *
 * No tree is ever built: a node with one neighbour left is a leaf, its parent is what is left of the exclusive or of its
 * neighbours, and taking it off may make a leaf of the parent. Nodes go in the order of their numbers where that is
 * possible, so that memory is passed through from one end to the other.
 */
export class ForestSolver {
  private readonly degree: Int32Array
  private readonly link: Int32Array
  private readonly order: Int32Array
  private readonly toParent: Float64Array
  private readonly pivots: Float64Array
  /** Where the graph has a cycle, or the matrix a pivot that is not positive. */
  fault = -1
  trees = 0

  constructor(capacity: number) {
    this.degree = new Int32Array(capacity)
    this.link = new Int32Array(capacity)
    this.order = new Int32Array(capacity)
    this.toParent = new Float64Array(capacity)
    this.pivots = new Float64Array(capacity)
  }

  /** x may be c. */
  solve(block: SparseBlock, size: number, c: Float64Array, x: Float64Array, semidefinite: boolean): ForestFault {
    const { indptr, indices, values, diagonal } = block
    const { degree, link, order, toParent, pivots } = this
    for (let i = 0; i < size; i++) {
      let count = 0
      let neighbours = 0
      for (let k = indptr[i]; k < indptr[i + 1]; k++) {
        if (values[k] === 0) continue
        count++
        neighbours ^= indices[k]
      }
      degree[i] = count
      link[i] = neighbours
      pivots[i] = diagonal[i]
      x[i] = c[i]
    }
    let end = 0
    for (let next = 0; next < size; next++) {
      for (let i = next; degree[i] === 1; ) {
        const p = link[i]
        let k = indptr[i]
        while (indices[k] !== p) k++
        // A negative or NaN pivot is no rounding error, and a null one is only at a root.
        if (!(pivots[i] > nullPivot * diagonal[i])) {
          this.fault = i
          return 'pivot'
        }
        const ratio = values[k] / pivots[i]
        pivots[p] -= values[k] * ratio
        x[p] -= ratio * x[i]
        order[end] = i
        toParent[end++] = values[k]
        degree[i] = taken
        degree[p]--
        link[p] ^= i
        // A later node has its turn still to come.
        if (p > next) break
        i = p
      }
    }
    this.trees = size - end
    for (let i = 0; i < size; i++) {
      if (degree[i] <= 0) continue
      this.fault = this.nodeOnCycle(block, i)
      return 'cycle'
    }
    for (let i = 0; i < size; i++) {
      if (degree[i] === taken) continue
      if (pivots[i] > nullPivot * diagonal[i]) {
        x[i] /= pivots[i]
        continue
      }
      // Rounding leaves a null pivot at the root of a singular tree.
      if (!semidefinite || pivots[i] < -1e-6 * diagonal[i] || Number.isNaN(pivots[i])) {
        this.fault = i
        return 'pivot'
      }
      x[i] = 0
    }
    for (let at = end - 1; at >= 0; at--) {
      const i = order[at]
      x[i] = (x[i] - toParent[at] * x[link[i]]) / pivots[i]
    }
    return 'none'
  }

  /**
   * What is left when no leaf is: every node has two neighbours left, so a walk that does not turn back comes to where it
   * was.
   */
  private nodeOnCycle({ indptr, indices, values }: SparseBlock, from: number): number {
    const { degree } = this
    const seen = new Set<number>()
    let last = -1
    let i = from
    while (!seen.has(i)) {
      seen.add(i)
      let next = i
      for (let k = indptr[i]; k < indptr[i + 1] && next === i; k++) {
        const j = indices[k]
        if (j !== last && degree[j] > 0 && values[k] !== 0) next = j
      }
      if (next === i) break
      last = i
      i = next
    }
    return i
  }
}

/** Disjoint sets, with path halving. */
export class UnionFind {
  private readonly up: Int32Array

  constructor(n: number) {
    this.up = new Int32Array(n)
    this.clear()
  }

  clear(): void {
    for (let i = 0; i < this.up.length; i++) this.up[i] = i
  }

  find(i: number): number {
    const { up } = this
    let at = i
    while (up[at] !== at) {
      up[at] = up[up[at]]
      at = up[at]
    }
    return at
  }

  /** The sets of roots a and b become one. */
  unite(a: number, b: number): void {
    this.up[b] = a
  }
}
