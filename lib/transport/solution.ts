import { reportField } from '../backend/kernels.js'
import type { Solution, Status } from '../core/solution.js'
import { type PlanSource, PlanView, type TransportPlan } from './plan-view.js'
import { solverFields } from './report.js'

/** Bounds of unregularised transport: `dual <= min <C,P> <= primal`. */
export interface Certificate {
  /** Cost of the plan after rounding it to the exact marginals; Infinity where that takes a forbidden arc. */
  primal: number
  /** Value of the c-transformed potentials, feasible for the dual problem. */
  dual: number
  /** primal - dual >= 0 (up to rounding). */
  gap: number
}

/** The state of an entropic solve, with the plan P_ij = exp((f_i + g_j - C_ij) / epsilon) behind functions. */
export interface TransportSolution extends Solution, TransportPlan {
  /** <C, P>: what moving by this plan costs. */
  value: number
  /** Of the options: what the potentials are to be divided by. */
  epsilon: number
  /** a·f + b·g - epsilon sum P, at the optimum the same as <C,P> + epsilon sum P (log P - 1). */
  regularizedValue: number
  /**
   * Dual potentials of all n sources and m targets, in units of the cost, unique up to a constant (f + t, g - t). Nodes
   * without weight have the largest that is dual feasible.
   */
  potentials: { f: Float64Array; g: Float64Array }
  /** (|P1 - a|_1 + |Pᵀ1 - b|_1) / sum(a), measured on this solution; the same as `residual`. */
  marginalError: number
  certificate?: Certificate
  /** Newton steps among the iterations (sinkhornNewtonSparse). */
  newtonIterations?: number
  /** Passes over all n × m exponentials or kernel entries. */
  passes: number
  /** `sinkhorn` between points: the share of the entries of its sweeps that were negligible and left out. */
  skipped?: number
  /**
   * Marginal error of each iteration, with `history: true`: the Newton methods' after it; Sinkhorn's that of the rows it
   * found, as it measures no other on the way, or accelerated that of the columns between its two updates, which may rise.
   */
  history?: Float64Array
}

/** What a solution needs to read its plan. */
export interface SolutionParts {
  plan: PlanSource['plan']
  potentials: { f: Float64Array; g: Float64Array }
  report: Float64Array
  certificate: boolean
  newton: boolean
  truncated: boolean
  history: Float64Array | null
  elapsed: number
  backend: 'native' | 'portable'
}

export class EntropicSolution extends PlanView implements TransportSolution {
  readonly status: Status
  readonly iterations: number
  readonly passes: number
  readonly residual: number
  readonly marginalError: number
  readonly value: number
  readonly epsilon: number
  readonly regularizedValue: number
  readonly potentials: { f: Float64Array; g: Float64Array }
  readonly elapsed: number
  readonly backend: 'native' | 'portable'
  declare readonly certificate?: Certificate
  declare readonly newtonIterations?: number
  declare readonly skipped?: number
  declare readonly history?: Float64Array

  constructor(parts: SolutionParts) {
    super(parts.plan, parts.backend)
    const fields = solverFields(parts.report, parts.certificate, parts.history)
    this.status = fields.status
    this.iterations = fields.iterations
    this.passes = fields.passes
    this.residual = fields.residual
    this.marginalError = fields.residual
    this.value = fields.value
    this.epsilon = parts.plan.epsilon
    this.regularizedValue = fields.regularizedValue
    this.potentials = parts.potentials
    this.elapsed = parts.elapsed
    this.backend = parts.backend
    if (fields.certificate !== undefined) this.certificate = fields.certificate
    if (parts.newton) this.newtonIterations = fields.newtonIterations
    if (parts.truncated) this.skipped = parts.report[reportField.skipped]
    if (fields.history !== undefined) this.history = fields.history
  }
}
