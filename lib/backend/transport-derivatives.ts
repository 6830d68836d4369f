import type { CostData, Kernel, PlanData, TransportProblemData } from './kernels.js'

/** Transport of weights onto themselves: n = m, and y = x or a symmetric matrix. P = exp((f + f - C) / epsilon). */
export interface SymmetricJob {
  cost: CostData
  a: Float64Array
  epsilon: number
  tolerance: number
  maxIterations: number
  threads: number
  /** What the cost is called in errors. */
  name: string
  /** Start and result. */
  f: Float64Array
  /** As that of a `SolveJob`, up to the regularized value. */
  report: Float64Array
}

/** out_i = -epsilon log sum_j exp((potential_j - C_ij) / epsilon), or with `transpose` the same over the columns. */
export interface SoftTransformJob {
  cost: CostData
  epsilon: number
  threads: number
  transpose: boolean
  potential: Float64Array
  out: Float64Array
}

/** A matrix of the plan's shape: dense, or left · rightᵀ of `rank` columns each; all null for none. */
export interface PlanWeight {
  dense: Float64Array | null
  left: Float64Array | null
  right: Float64Array | null
  rank: number
}

/**
 * Points: out (n × d) <- sum_j W_ij dC_ij / dx_i with W = P, or with alpha and beta given
 * W = P ∘ (alpha + beta - G) / epsilon.
 */
export interface PointGradientJob extends PlanData {
  alpha: Float64Array | null
  beta: Float64Array | null
  weight: PlanWeight
  out: Float64Array
}

/** Solves the system of the implicit function theorem for G = dl/dP; see native/transport/derivatives.h. */
export interface PlanVjpJob {
  problem: TransportProblemData
  epsilon: number
  threads: number
  /** Potentials of the plan, -Infinity at nodes without weight; those of a border count from its cost. */
  f: Float64Array
  g: Float64Array
  tolerance: number
  maxIterations: number
  /** n and m: what relaxed marginals add to the diagonals. */
  bendA: Float64Array
  bendB: Float64Array
  weight: PlanWeight
  u: Float64Array
  v: Float64Array
  /** dl/dC, row-major, where it is wanted. */
  costGradient: Float64Array | null
  /** status, iterations, residual */
  report: Float64Array
}

export interface DerivativeKernels {
  symmetric: Kernel<SymmetricJob>
  softTransform: Kernel<SoftTransformJob>
  pointGradient: Kernel<PointGradientJob>
  planVjp: Kernel<PlanVjpJob>
}
