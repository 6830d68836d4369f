import type { CostData, Kernel } from './kernels.js'

/**
 * The cost along one axis of an array: entry (i, j) at cost[i * n + j], or for a regular grid, where it depends on j - i
 * alone, at cost[n - 1 + j - i].
 */
export interface CostAxis {
  n: number
  cost: Float64Array
  grid: boolean
}

/** The b that minimises sum_k lambda_k OT_epsilon(a_k, b), or with `debiased` the Sinkhorn divergences to the a_k. */
export interface BarycenterJob {
  /** The cost is their sum; N is the product of their sizes. One only where the cost is no grid's. */
  axes: CostAxis[]
  /** K × N, rows of the same total. */
  histograms: Float64Array
  /** K, of total 1. */
  weights: Float64Array
  epsilon: number
  debiased: boolean
  /** The iteration as published, from d = v = 1. */
  plain: boolean
  tolerance: number
  maxIterations: number
  threads: number
  /** N */
  barycenter: Float64Array
  /** K × N: the plans are exp((f_ki + g_kj - C_ij) / epsilon). */
  f: Float64Array
  g: Float64Array
  /** [status, iterations, error, sum_k lambda_k OT_epsilon(a_k, b)] */
  report: Float64Array
}

/** out_i = sum_j w_ij v_j with w_i the softmax over j of (g_j - C_ij) / epsilon. */
export interface ProjectionJob {
  cost: CostData
  epsilon: number
  /** -Infinity: not among the targets. */
  g: Float64Array
  /** m × columns */
  values: Float64Array
  columns: number
  threads: number
  /** n × columns */
  out: Float64Array
}

export interface BarycenterKernels {
  barycenter: Kernel<BarycenterJob>
  projection: Kernel<ProjectionJob>
}
