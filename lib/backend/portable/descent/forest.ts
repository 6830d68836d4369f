import type { SparseBlock } from './model.js'

/** A pivot at most this part of its diagonal entry is a null one. */
const nullPivot = 1e-13

/**
 * Solves A x = c where the off-diagonal entries of A are the edges of a forest, by messages from the leaves to the roots
 * and back: P_i = A_ii - Σ A_ij² / P_j and μ_i = c_i - Σ A_ij μ_j / P_j over the children j, x_i = (μ_i - A_ip x_p) / P_i
 * with the parent p. That is Gaussian elimination in an order without fill, and Gaussian belief propagation.
 */
export class ForestSolver {
  private readonly order: Int32Array
  private readonly parent: Int32Array
  private readonly toParent: Float64Array
  private readonly pivots: Float64Array
  private readonly seen: Uint8Array
  /** Where the graph has a cycle, or the matrix a pivot that is not positive. */
  fault = -1
  trees = 0

  constructor(capacity: number) {
    this.order = new Int32Array(capacity)
    this.parent = new Int32Array(capacity)
    this.toParent = new Float64Array(capacity)
    this.pivots = new Float64Array(capacity)
    this.seen = new Uint8Array(capacity)
  }

  /** Roots every tree at its first place. False if there is a cycle, then through `fault`. */
  prepare({ indptr, indices, values }: SparseBlock, size: number): boolean {
    const { order, parent, toParent, seen } = this
    seen.fill(0, 0, size)
    this.trees = 0
    let count = 0
    for (let root = 0; root < size; root++) {
      if (seen[root] === 1) continue
      this.trees++
      seen[root] = 1
      parent[root] = -1
      order[count++] = root
      for (let at = count - 1; at < count; at++) {
        const i = order[at]
        for (let k = indptr[i]; k < indptr[i + 1]; k++) {
          const j = indices[k]
          if (j === parent[i]) {
            toParent[i] = values[k]
          } else if (seen[j] === 1) {
            this.fault = i
            return false
          } else {
            seen[j] = 1
            parent[j] = i
            order[count++] = j
          }
        }
      }
    }
    return true
  }

  /** After `prepare`. x may be c. False if a pivot is not positive, then that of `fault`. */
  solve({ diagonal }: SparseBlock, size: number, c: Float64Array, x: Float64Array, semidefinite: boolean): boolean {
    const { order, parent, toParent, pivots } = this
    for (let i = 0; i < size; i++) {
      pivots[i] = diagonal[i]
      x[i] = c[i]
    }
    for (let at = size - 1; at >= 0; at--) {
      const i = order[at]
      const p = parent[i]
      if (!(pivots[i] > nullPivot * diagonal[i])) {
        // Rounding leaves a null pivot at the root of a singular tree only.
        if (!semidefinite || p >= 0 || pivots[i] < -1e-6 * diagonal[i] || Number.isNaN(pivots[i])) {
          this.fault = i
          return false
        }
        pivots[i] = 0
        continue
      }
      if (p < 0) continue
      const ratio = toParent[i] / pivots[i]
      pivots[p] -= toParent[i] * ratio
      x[p] -= ratio * x[i]
    }
    for (let at = 0; at < size; at++) {
      const i = order[at]
      const p = parent[i]
      if (pivots[i] === 0) x[i] = 0
      else x[i] = (p < 0 ? x[i] : x[i] - toParent[i] * x[p]) / pivots[i]
    }
    return true
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
