import type { FloatArray } from '../core/arrays.js'
import type { Kernel } from './kernels.js'

/** The rows g₁ … g_m of G, whose coordinates are cut into blocks of `block` adjacent ones; the last may be shorter. */
export interface GradientRows {
  /** Not read, and may be null, by products and diagonals in the form `columns`. */
  g: FloatArray | null
  m: number
  d: number
  block: number
}

/**
 * How the damped Fisher matrix F = λI + GᵀG / m of a block is kept, as a matrix K = λI + S / m:
 * - `rows`: S = G Gᵀ, m × m, and F⁻¹ = (I - Gᵀ K⁻¹ G / m) / λ;
 * - `columns`: S = Gᵀ G, one row per coordinate of the block, and F = K.
 */
export type FisherForm = 'rows' | 'columns'

/** Matrices of `order` rows behind each other, of which the last uses the first `last`. Lower triangles count. */
export interface SystemSizes {
  count: number
  order: number
  last: number
}

export interface GramJob {
  rows: GradientRows
  /** Other gradients, for the products of two pages. */
  others: { g: FloatArray; m: number } | null
  form: FisherForm
  /** Rows of a matrix of `out`. */
  order: number
  /** Where the products of rows begin in the matrices. */
  row: number
  column: number
  /** S is added to it: the lower triangle, or all products of two pages. */
  out: Float64Array
  threads: number
}

export interface FactorJob extends SystemSizes {
  gram: Float64Array
  damping: number
  divisor: number
  /** Result: lower Cholesky factors of K, zero above the diagonal; may be `gram`. */
  out: Float64Array
  threads: number
}

/** p <- K⁻¹ p, system by system. */
export interface SystemSolveJob extends SystemSizes {
  factors: Float64Array
  p: Float64Array
  threads: number
}

export interface ProjectJob {
  rows: GradientRows
  x: FloatArray
  /** Result: G x of each block, m numbers. */
  p: Float64Array
  threads: number
}

export interface GatherJob {
  rows: GradientRows
  /** m numbers for each block. */
  w: Float64Array
  /** Gᵀ w is added to it. */
  sum: Float64Array
  threads: number
}

export interface InverseProductJob {
  rows: GradientRows
  form: FisherForm
  factors: Float64Array
  damping: number
  x: FloatArray
  /** Result: F⁻¹ x. */
  out: FloatArray
  threads: number
}

export interface InverseDiagonalJob {
  rows: GradientRows
  form: FisherForm
  factors: Float64Array
  damping: number
  /** The m of F, also where `rows` are only a part. */
  divisor: number
  out: Float64Array
  threads: number
}

/** The entries of F⁻¹ at some coordinates of one block, k × k. */
export interface InverseEntriesJob {
  order: number
  /** Numbers between two rows of `factor`. */
  pitch: number
  factor: Float64Array
  /** In the form `rows`: the columns of G, m × k. */
  columns: Float64Array | null
  /** Their places in the block. */
  places: Int32Array
  damping: number
  divisor: number
  out: Float64Array
}

/** x <- scale M + numerator / (offset + slope s) y yᵀ with M = keep x + identity I, y = M v, s = v·y; x is symmetric. */
export interface RankOneJob {
  x: FloatArray
  n: number
  v: Float64Array
  keep: number
  identity: number
  scale: number
  numerator: number
  offset: number
  slope: number
  threads: number
  report: Float64Array
}

/** Indices into `RankOneJob.report`. With a denominator that is not positive x is left as it is. */
export const rankOneField = { largest: 0, product: 1, denominator: 2 } as const
export const rankOneReportLength = 3

export interface CurvatureKernels {
  /** ERR_NOT_FINITE names an entry, counting rows from `row`. */
  gram: Kernel<GramJob>
  /** ERR_NOT_FINITE if S / damping overflows, ERR_SINGULAR if K is not positive definite in float64. */
  factor: Kernel<FactorJob>
  solve: Kernel<SystemSolveJob>
  project: Kernel<ProjectJob>
  gather: Kernel<GatherJob>
  inverseProduct: Kernel<InverseProductJob>
  diagonal: Kernel<InverseDiagonalJob>
  entries: Kernel<InverseEntriesJob>
  rankOne: Kernel<RankOneJob>
}
