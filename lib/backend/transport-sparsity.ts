import type { CostData, Kernel, TransportProblemData } from './kernels.js'

// Transport with a regulariser per column, where the columns are the columns (or with `byRows` the rows) of the plan: each
// has exact mass in the semi-dual, and at most `maxNonzeros` entries.

export const sparsityMethods = ['lbfgs', 'adam', 'stochastic'] as const
export const continuations = ['smoothing', 'halving', 'none'] as const

export interface SparsitySettings {
  byRows: boolean
  /** At most the length of a column. */
  maxNonzeros: number
  /** 0 for the default, the range of the cost over the total mass: the report tells it. */
  gamma: number
  entropy: boolean
  /** Variables are the potentials of the columns, too. */
  dual: boolean
  method: (typeof sparsityMethods)[number]
  continuation: (typeof continuations)[number]
  /** Of the marginal error. */
  tolerance: number
  /** Per stage. */
  maxIterations: number
  /** In ranges of the cost; adam and stochastic. */
  learningRate: number
  /** Columns per step; stochastic. */
  batchSize: number
  /** 64 bits, low word first. */
  seed: Uint32Array
  threads: number
}

/** All of them: more stages there cannot be. */
export const mostStages = 48
export const stageFields = 4

export interface SparsityJob {
  problem: TransportProblemData
  settings: SparsitySettings
  /** Start and result. */
  f: Float64Array
  g: Float64Array
  /** Per column: nonzeros, and entries beyond them that are as good. */
  nonzeros: Int32Array
  ties: Int32Array
  /** Per column: the plan and what is tied with it is above this s_i = (potential of i) - C_ij. */
  cut: Float64Array
  report: Float64Array
  /** maxNonzeros, smoothing, dual value, iterations of each stage. */
  stages: Float64Array
}

/** Indices into `SparsityJob.report`, in the order of the native struct. */
export const sparsityField = {
  status: 0,
  iterations: 1,
  passes: 2,
  stages: 3,
  gamma: 4,
  /** <C, P> */
  value: 5,
  primal: 6,
  dual: 7,
  rowError: 8,
  columnError: 9,
  /** Columns with ties. */
  tied: 10,
} as const
export const sparsityReportLength = 11

/** Reads the plan off the result of a job, column by column: `indices` ascend within each. */
export interface SparsityPlanJob {
  problem: TransportProblemData
  settings: SparsitySettings
  f: Float64Array
  g: Float64Array
  cut: Float64Array
  /** Also the entries that are tied, with value 0. */
  withTies: boolean
  /** columns + 1, from the counts of the job. */
  indptr: Int32Array
  indices: Int32Array
  data: Float64Array
  /** C of each entry. */
  costs: Float64Array
}

/** out[0] = uᵀ C v for u, v >= 0: Infinity where that takes a forbidden arc. */
export interface CostProductJob {
  cost: CostData
  threads: number
  u: Float64Array
  v: Float64Array
  out: Float64Array
}

export interface SparsityKernels {
  sparsityConstrained: Kernel<SparsityJob>
  sparsityPlan: Kernel<SparsityPlanJob>
  costProduct: Kernel<CostProductJob>
}
