import type { FloatArray } from '../core/arrays.js'
import type { Kernel } from './kernels.js'

/** What is done to the coefficients z = wᵀ y of a sample, in the order of the native enumeration. */
export const shapings = ['cube', 'fourth', 'keep', 'threshold'] as const
export type Shaping = (typeof shapings)[number]

export interface Coding {
  /** sign(z) |z|² from |z|³, z³ from z⁴; the `keep` largest magnitudes stay; magnitudes from `threshold` on stay. */
  shaping: Shaping
  keep: number
  threshold: number
  /** Unit of the coefficients in the powers. */
  scale: number
}

/** Samples in rows, in the precision of the products. */
export interface SamplesJob {
  n: number
  rows: number
  samples: FloatArray
  coding: Coding
  threads: number
}

/** Online Frank-Wolfe over batches of rows. Matrices are n × n. */
export interface OnlineJob extends SamplesJob {
  batch: number
  /** For each batch. */
  rho: Float64Array
  gamma: Float64Array
  /** Ends after `patience` steps in a row with a relative gap within `tolerance`; never if `patience` is 0. */
  tolerance: number
  patience: number
  /** A, start and result. */
  relaxed: Float64Array
  /** G, start and result. */
  averaged: Float64Array
  /** Sum of y yᵀ, start and result; null if not wanted. */
  covariance: Float64Array | null
  /** Its inverse root when last computed, start and result; null for samples as they are. */
  whitening: Float64Array | null
  /** Result: the gap of each step. */
  gaps: Float64Array
  report: Float64Array
}

/** Indices into `OnlineJob.report`; `calm`, `seen` and `whitenedAt` are read as well. */
export const onlineField = {
  /** Index into `statuses`: calm for long enough, all rows used, or out of time. */
  status: 0,
  steps: 1,
  rows: 2,
  /** Batches of zeros, or before whitening could start. */
  skipped: 3,
  /** Steps with an averaged gradient of 0. */
  degenerate: 4,
  rankDeficient: 5,
  /** Steps in a row with a relative gap within the tolerance. */
  calm: 6,
  gap: 7,
  relativeGap: 8,
  /** Sums over the coefficients z / scale of all steps: of |z|³ or z⁴, z², z⁴; and their number. */
  objective: 9,
  second: 10,
  fourth: 11,
  coefficients: 12,
  /** Rows in the covariance, now and when last inverted. */
  seen: 13,
  whitenedAt: 14,
} as const
export const onlineReportLength = 15

/** W <- polar(Yᵀ shaped(Y W)) on all rows. */
export interface OfflineJob extends SamplesJob {
  tolerance: number
  maxIterations: number
  /** n × n, orthogonal: start and result. */
  dictionary: Float64Array
  /** Result: the objective before each iteration, a sum over coefficients. */
  history: Float64Array
  report: Float64Array
}

export const offlineField = { status: 0, iterations: 1, residual: 2, objective: 3 } as const
export const offlineReportLength = 4

/** The Frank-Wolfe gap of w over the spectral ball. */
export interface GapJob extends SamplesJob {
  w: Float64Array
  report: Float64Array
}

/** The last three are sums over coefficients, as in `onlineField`. */
export const gapField = { gap: 0, relativeGap: 1, objective: 2, second: 3, fourth: 4 } as const
export const gapReportLength = 5

export interface CodesJob extends SamplesJob {
  w: Float64Array
  /** Result: rows × n, in the samples' precision. */
  out: FloatArray
}

/** The orthogonal Q with the greatest <matrix, Q>; what a rank-deficient matrix leaves open agrees with `near`. */
export interface PolarJob {
  n: number
  threads: number
  matrix: Float64Array
  near: Float64Array
  out: Float64Array
  /** Result: 1 for a matrix of full rank, 0 otherwise. */
  report: Float64Array
}

export interface DictionaryKernels {
  online: Kernel<OnlineJob>
  offline: Kernel<OfflineJob>
  gap: Kernel<GapJob>
  codes: Kernel<CodesJob>
  polar: Kernel<PolarJob>
}
