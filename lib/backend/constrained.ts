import type { Kernel } from './kernels.js'
import type { FactorData } from './linear-sparse.js'

/** In the order of the native enumeration. */
export const sketchKinds = ['kaczmarz', 'gaussian', 'gaussian-block', 'count-sketch', 'rows', 'blocks'] as const
export type SketchKind = (typeof sketchKinds)[number]

/** A matrix, dense row-major (`indptr` and `indices` null) or in compressed sparse rows. */
export interface SystemMatrix {
  rows: number
  columns: number
  data: Float64Array
  indptr: Int32Array | null
  indices: Int32Array | null
}

/** Blocks of rows; none is empty. Block p has rows[offsets[p]] … rows[offsets[p + 1] - 1]. */
export interface RowBlocksData {
  offsets: Int32Array
  rows: Int32Array
}

/** The same with the factor of A_p A_pᵀ for each. */
export interface FactoredBlocksData extends RowBlocksData {
  factors: FactorData[]
}

/** Sketch-and-project for the consistent system A z = b, from z on. */
export interface SketchSolveJob {
  matrix: SystemMatrix
  b: Float64Array
  sketch: SketchKind
  /** Columns of a block sketch. */
  blockSize: number
  /** For `'blocks'`. */
  blocks: FactoredBlocksData | null
  /** Kaczmarz and `'rows'`: draw rows by their squared norms instead of uniformly. */
  byNorm: boolean
  maxSketches: number
  /** Ends when |A z - b| is at most this, or at most `rounding` times |z|: no sketch gets below that. */
  threshold: number
  rounding: number
  /** Ends as well when |A z - b| <= coarse and descent·z <= descentBound. */
  coarse: number
  descent: Float64Array | null
  descentBound: number
  /** Two words of the Philox stream; sketch number k of the stream always draws the same. */
  key: Uint32Array
  /** Sketches that the stream has given before. */
  drawn: number
  threads: number
  /** Start and result. */
  z: Float64Array
  report: Float64Array
}

/** Indices into `SketchSolveJob.report`, in the order of the native struct; `ended` is an index into `statuses`. */
export const sketchField = { ended: 0, sketches: 1, residual: 2, rows: 3, flops: 4 } as const
export const sketchReportLength = 5

/**
 * The factorization L D Lᵀ of a symmetric matrix, for its inertia and for A z = b. Dense: Bunch and Kaufman's pivoting.
 * Sparse: the envelope in the order given, without pivoting; pivots below `floor` times the largest entry take the sign
 * expected and that size, and refinement makes up for it.
 */
export interface FactorJob {
  matrix: SystemMatrix
  /** Sparse: position k of the order is row order[k]. */
  order: Int32Array | null
  /** Sparse: the first so many rows expect positive pivots, the others negative ones. */
  positive: number
  floor: number
  /** Null for the inertia alone. */
  b: Float64Array | null
  z: Float64Array
  report: Float64Array
}

export const factorField = { ended: 0, positive: 1, negative: 2, residual: 3, flops: 4, replaced: 5 } as const
export const factorReportLength = 6

export interface ConstrainedKernels {
  sketchSolve: Kernel<SketchSolveJob>
  factor: Kernel<FactorJob>
}
