import type { Csr, NdArray, VectorLike } from '../core/arrays.js'
import type { Solution } from '../core/solution.js'
import { applyPlan, densePlan, type SparseEntries, sparsePlan } from './sparse-plan.js'

/** One stage on the way to the solution. */
export interface SparsityStage {
  /** Entries of a line that the stage allows. */
  maxNonzeros: number
  /** 0 for the problem itself, otherwise the part of gamma by which its relaxation is smoothed. */
  smoothing: number
  /** Dual value of the stage's own problem at its end: a lower bound as `dualValue` is. */
  dualValue: number
  iterations: number
}

/** The state of a solve with a quadratic (or entropic) regulariser and few entries per line. */
export interface SparsitySolution extends Solution {
  /** <C, P> */
  value: number
  /** <C, P> and the regulariser of this plan. */
  primalValue: number
  /** Dual value of the potentials: no plan with the marginals and at most k entries per line has a lower primal value. */
  dualValue: number
  /**
   * primalValue - dualValue. A plan with exact marginals and no more entries than asked for is within it of the best one;
   * one that misses its marginals may have a negative gap.
   */
  gap: number
  /** As given, or the default. */
  gamma: number
  /**
   * Dual potentials of all n sources and m targets: P_ij = max(0, f_i + g_j - C_ij) / gamma (or
   * exp((f_i + g_j - C_ij) / gamma)) on the largest k entries of a line. Nodes without weight have the largest that are
   * feasible without the regulariser.
   */
  potentials: { f: Float64Array; g: Float64Array }
  /** |P1 - a|_1 / sum(a). */
  rowError: number
  /** |Pᵀ1 - b|_1 / sum(b). */
  columnError: number
  /** Entries of each column of the plan (row, with `axis: 'rows'`). */
  nonzeros: Int32Array
  /**
   * Columns (rows, with `axis: 'rows'`) in which some entry is as good as the last one of the plan, but for the limit: those
   * where the dual has a kink and the plan of its maximiser is not unique. Of equal entries the first is taken.
   */
  tieColumns: Int32Array
  stages: SparsityStage[]
  /** Evaluations of the dual, each over all n × m entries. */
  passes: number
  /** With `repair`: whether the plan has exact marginals now, and for 'flow' no more entries than asked for. */
  repaired?: boolean
  /** Why not: no plan on these entries has the marginals, the cheapest that has needs more entries, or time was up. */
  repairFailure?: 'infeasible' | 'cardinality' | 'time-limit'
  /** With `maxNonzeros: 1`: the dual was solved exactly, by the network simplex. */
  exact?: boolean
  /** In words. */
  note?: string
  /** The n × m plan, formed now. */
  plan(): NdArray
  /** Its entries, read off now. */
  sparsePlan(): Csr
  /** P v for v of length m. */
  apply(v: VectorLike): Float64Array
  /** Pᵀ v for v of length n. */
  applyTranspose(v: VectorLike): Float64Array
}

/** The plan behind a solution; its entries are read off the potentials when they are first asked for. */
export class SparsePlanView {
  #entries: SparseEntries | undefined
  readonly #read: () => SparseEntries

  constructor(read: () => SparseEntries) {
    this.#read = read
  }

  plan(): NdArray {
    return densePlan(this.#get())
  }

  sparsePlan(): Csr {
    return sparsePlan(this.#get())
  }

  apply(v: VectorLike): Float64Array {
    return applyPlan(this.#get(), v, false)
  }

  applyTranspose(v: VectorLike): Float64Array {
    return applyPlan(this.#get(), v, true)
  }

  #get(): SparseEntries {
    this.#entries ??= this.#read()
    return this.#entries
  }
}
