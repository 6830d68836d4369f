import { type BackendName, kernels } from '../backend/index.js'
import type { CostData, PlanData, TransportProblemData } from '../backend/kernels.js'
import type { Border, Relaxation } from '../backend/transport-relaxed.js'
import { type Csr, checkBuffer, type NdArray, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, positive } from '../core/options.js'

/** A plan of n sources and m targets behind functions that read it off its potentials. */
export interface TransportPlan {
  /** The n × m plan, formed now. */
  plan(): NdArray
  /**
   * The entries of the plan that are >= threshold (> 0), formed now. By default those below sum(a) / (10⁶ n m) are left
   * out, together at most a millionth of the mass.
   */
  sparsePlan(threshold?: number): Csr
  /** P v for v of length m, without forming P. */
  apply(v: VectorLike): Float64Array
  /** Pᵀ v for v of length n, without forming P. */
  applyTranspose(v: VectorLike): Float64Array
}

const noControl = { timeLimit: Number.POSITIVE_INFINITY }

/** Large costs are borrowed: whoever has transferred them away in the meantime gets an error instead of numbers. */
export function checkKept({ x, y }: CostData, name = ''): void {
  checkBuffer(`${name}cost`, x)
  if (y !== null) checkBuffer(`${name}cost`, y)
}

/** What holds the marginals of a plan. */
export type MarginalRule =
  | { kind: 'kept' }
  | { kind: 'relaxed'; relaxation: Relaxation; potentials: { f: Float64Array; g: Float64Array } }
  | { kind: 'partial'; border: Border; price: number }

/** What a plan is made of. */
export interface PlanSource {
  plan: PlanData & { cost: TransportProblemData }
  backend: BackendName
  rule: MarginalRule
}

export class PlanView implements TransportPlan {
  readonly #plan: PlanSource['plan']
  readonly #backend: BackendName
  readonly #rule: MarginalRule

  constructor(plan: PlanSource['plan'], backend: BackendName, rule: MarginalRule = { kind: 'kept' }) {
    this.#plan = plan
    this.#backend = backend
    this.#rule = rule
  }

  /** Throws ERR_SHAPE for anything that is no plan of this package. */
  static sourceOf(name: string, view: unknown): PlanSource {
    if (typeof view !== 'object' || view === null || !(#plan in view)) {
      throw new ExtremaError('ERR_SHAPE', `${name}: expected a solution of this package, got ${describe(view)}`)
    }
    checkKept(view.#plan.cost)
    return { plan: view.#plan, backend: view.#backend, rule: view.#rule }
  }

  plan(): NdArray {
    const { n, m } = this.#cost()
    const data = new Float64Array(n * m)
    kernels(this.#backend).transport.plan.runSync({ ...this.#plan, out: data }, noControl)
    return { data, shape: [n, m] }
  }

  sparsePlan(threshold?: number): Csr {
    const { n, m } = this.#cost()
    const { a } = this.#plan.cost
    const least = positive('threshold', threshold, (1e-6 * a.reduce((sum, weight) => sum + weight, 0)) / (n * m))
    const parts = kernels(this.#backend).transport.sparsePlan(this.#plan, least)
    return { shape: [n, m], ...parts }
  }

  apply(v: VectorLike): Float64Array {
    return this.#apply(v, false)
  }

  applyTranspose(v: VectorLike): Float64Array {
    return this.#apply(v, true)
  }

  #cost(): CostData {
    checkKept(this.#plan.cost)
    return this.#plan.cost
  }

  #apply(v: VectorLike, transpose: boolean): Float64Array {
    const { n, m } = this.#cost()
    const vector = toFloat64('v', v)
    if (vector.length !== (transpose ? n : m)) {
      throw new ExtremaError('ERR_SHAPE', `v: expected ${transpose ? n : m} numbers, got ${vector.length}`)
    }
    const out = new Float64Array(transpose ? m : n)
    kernels(this.#backend).transport.apply.runSync({ ...this.#plan, transpose, v: vector, out }, noControl)
    return out
  }
}
