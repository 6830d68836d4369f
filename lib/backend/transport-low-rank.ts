import type { Kernel } from './kernels.js'

/** Transport by plans Q diag(1/g) Rᵀ. Weights sum to one. */
export interface LowRankJob {
  rank: number
  /** n × m, or null for the cost u wᵀ. */
  cost: Float64Array | null
  /** n × factors and m × factors. */
  u: Float64Array | null
  w: Float64Array | null
  factors: number
  a: Float64Array
  b: Float64Array
  /** Size of the cost. */
  scale: number
  epsilon: number
  tolerance: number
  maxIterations: number
  threads: number
  /** Start and result: n × rank and m × rank, with row sums a and b. */
  q: Float64Array
  r: Float64Array
  g: Float64Array
  report: Float64Array
}

/** Indices into `LowRankJob.report`. */
export const lowRankField = { status: 0, iterations: 1, residual: 2, value: 3, innerIterations: 4 } as const
export const lowRankReportLength = 5

export interface LowRankKernels {
  lowRankSinkhorn: Kernel<LowRankJob>
}
