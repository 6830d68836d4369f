import type { CostData, CsrParts, Kernel } from './kernels.js'
import type { Border } from './transport-relaxed.js'

/** Unregularised transport with positive weights. */
export interface ExactProblemData {
  n: number
  m: number
  /** A matrix or points, or arcs: those that are not stored are forbidden. */
  cost: CostData | CsrParts
  /** With a matrix or points: of n and m, but not of the cost; its arcs cost nothing. */
  border?: Border
  a: Float64Array
  b: Float64Array
}

export interface ExactSettings {
  /** On the residual; 0 goes on until no arc is violated. */
  tolerance: number
  /** Pivots. */
  maxIterations: number
  threads: number
  /** `g` holds a start. */
  warm: boolean
}

/** The arcs that carry mass, at most n + m - 1. */
export interface ExactPlan {
  row: Int32Array
  column: Int32Array
  mass: Float64Array
}

export interface ExactJob {
  problem: ExactProblemData
  settings: ExactSettings
  /** Start and result; if the problem is infeasible, 1 at the nodes of a violated cut and 0 elsewhere. */
  f: Float64Array
  g: Float64Array
  plan: ExactPlan
  report: Float64Array
}

/** Many problems side by side, a thread each; results one behind the other. */
export interface ExactBatchJob extends Omit<ExactJob, 'problem'> {
  problems: ExactProblemData[]
}

/** Indices into `ExactJob.report`, in the order of native/binding/exact.cc. */
export const exactField = {
  status: 0,
  iterations: 1,
  rounds: 2,
  entries: 3,
  marginalError: 4,
  value: 5,
  primal: 6,
  dual: 7,
  residual: 8,
} as const
export const exactReportLength = 9

/** A status behind those of `statuses`. */
export const infeasible = 4

export interface ExactKernels {
  emd: Kernel<ExactJob>
  emdBatch: Kernel<ExactBatchJob>
}

export function isArcs(cost: CostData | CsrParts): cost is CsrParts {
  return 'indptr' in cost
}
