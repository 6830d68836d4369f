import type { FloatArray } from '../core/arrays.js'
import type { Kernel } from './kernels.js'

/** In the order of the native enumerations. */
export const completionSolvers = ['inexact', 'exact', 'sketched', 'gradient'] as const
export const innerMethods = ['cg', 'heavy-ball', 'gradient'] as const
export const completionSketches = ['sparse-sign', 'count-sketch', 'gaussian', 'srht'] as const
export type CompletionSolver = (typeof completionSolvers)[number]
export type InnerMethod = (typeof innerMethods)[number]
export type CompletionSketch = (typeof completionSketches)[number]

/** Observed entries as they came: types and lengths are checked, numbers are not. */
export interface EntriesData {
  count: number
  /** Null for CSR. */
  rows: Int32Array | null
  /** Null for triplets. */
  indptr: Int32Array | null
  columns: Int32Array
  values: FloatArray
  weights: FloatArray | null
}

export interface CompletionSettings {
  rank: number
  regularization: number
  /** alpha of implicit feedback, 0 for explicit values. */
  confidence: number
  /** mu of the clipped start, 0 for none. */
  incoherence: number
  tolerance: number
  /** Of every regression; -1 for the error-tolerant schedule. */
  innerTolerance: number
  maxIterations: number
  innerIterations: number
  sketchRows: number
  repeats: number
  patience: number
  biases: boolean
  nonNegative: boolean
  reuse: boolean
  spectral: boolean
  /** Sums over the observations of a line in float32, of the factors in float32. */
  single: boolean
  solver: CompletionSolver
  inner: InnerMethod
  sketch: CompletionSketch
  threads: number
  /** Of the random numbers, two words. */
  key: Uint32Array
}

export interface CompletionJob {
  m: number
  n: number
  entries: EntriesData
  held: EntriesData | null
  settings: CompletionSettings
  /** Results: m × rank, n × rank, and the biases where there are any. */
  u: Float64Array
  v: Float64Array
  rowBias: Float64Array | null
  columnBias: Float64Array | null
  /** Observations of every row and column. */
  rowCounts: Int32Array
  columnCounts: Int32Array
  /** Residual, training RMSE, held-out RMSE and objective of every iteration. */
  history: Float64Array
  report: Float64Array
}

/** Indices into `CompletionJob.report`, in the order of the native code. */
export const completionField = {
  status: 0,
  iterations: 1,
  residual: 2,
  bestIteration: 3,
  validationRmse: 4,
  trainRmse: 5,
  innerIterations: 6,
  regressions: 7,
  diverged: 8,
  deficient: 9,
  mean: 10,
  observations: 11,
} as const
export const completionReportLength = 12

/** The k best columns of some rows by u·v + bias of the column. */
export interface TopKJob {
  n: number
  rank: number
  k: number
  threads: number
  u: Float64Array
  v: Float64Array
  columnBias: Float64Array | null
  rows: Int32Array
  /** Columns to leave out, ascending, of every row asked for; null: none. */
  indptr: Int32Array | null
  indices: Int32Array | null
  /** Results, rows × k, best first: -1 and -Infinity where there are not so many. */
  columns: Int32Array
  scores: Float64Array
}

export interface CompletionKernels {
  complete: Kernel<CompletionJob>
  topK: Kernel<TopKJob>
}
