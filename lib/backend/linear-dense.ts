import type { Kernel } from './kernels.js'

/** All matrices are row-major and finite unless the kernel checks them; `matrix` in its messages is the input. */

/** A = L Lᵀ of a symmetric matrix, checked by the kernel: ERR_NOT_FINITE, ERR_SHAPE, ERR_NOT_POSITIVE. */
export interface CholeskyJob {
  n: number
  a: Float64Array
  threads: number
  /** Result: L, with zeros above the diagonal. */
  factor: Float64Array
  report: Float64Array
}

/** Row permutation[i] of A is row i of L U. */
export interface LuJob {
  n: number
  a: Float64Array
  threads: number
  /** Result: L (unit diagonal, not stored) below the diagonal, U on and above it. */
  factors: Float64Array
  permutation: Int32Array
  report: Float64Array
}

/** Column permutation[j] of A is column j of Q R. */
export interface QrJob {
  m: number
  n: number
  a: Float64Array
  pivoting: boolean
  threads: number
  /** Result: n × m, the columns of the factored matrix as rows: R above the diagonal, reflectors below it. */
  reflectors: Float64Array
  /** k = min(m, n). */
  tau: Float64Array
  permutation: Int32Array
  /** k × n. */
  r: Float64Array
  /** m × k. */
  q: Float64Array | null
  report: Float64Array
}

/** b <- Q b or Qᵀ b, m × columns, with the k reflectors of a {@link QrJob}. */
export interface ApplyQJob {
  m: number
  k: number
  reflectors: Float64Array
  tau: Float64Array
  transpose: boolean
  columns: number
  b: Float64Array
  threads: number
}

/** b <- T⁻¹ b or T⁻ᵀ b, n × columns, T a triangle of the leading n × n of `a`. */
export interface TriangularJob {
  n: number
  /** Columns of `a`. */
  pitch: number
  a: Float64Array
  lower: boolean
  transpose: boolean
  /** Ones on the diagonal, whatever is stored there. */
  unit: boolean
  columns: number
  b: Float64Array
  threads: number
}

/** Eigenvalues ascending; column k of `vectors` belongs to values[k]. Checked like {@link CholeskyJob}. */
export interface EigenJob {
  n: number
  a: Float64Array
  threads: number
  values: Float64Array
  vectors: Float64Array | null
  report: Float64Array
}

/** A = u diag(s) vt with k = min(m, n) values, descending; u (m × k) and vt (k × n) both or neither. */
export interface SvdJob {
  m: number
  n: number
  a: Float64Array
  threads: number
  s: Float64Array
  u: Float64Array | null
  vt: Float64Array | null
  report: Float64Array
}

/** Indices into the reports of direct factorizations. */
export const factorField = { residual: 0, sign: 1, rank: 2 } as const
export const factorReportLength = 3

/** A matrix of checked entries: row-major `dense`, or compressed sparse rows whose columns ascend. */
export interface MatrixData {
  rows: number
  columns: number
  /** Finite entries are checked by the kernels. */
  dense: Float64Array | null
  indptr: Int32Array | null
  /** Never empty: without entries there is one that no row refers to. */
  indices: Int32Array | null
  values: Float64Array | null
}

/** In the order of the native enumeration. */
export const sketchKinds = ['gaussian', 'srht', 'sparse-sign', 'rows', 'row-norms'] as const
export type SketchKindName = (typeof sketchKinds)[number]

/**
 * A random matrix S of rows × inputRows with E Sᵀ S = I. Word w of the stream are the 64 bits w of the generator under `key`,
 * with a high and a low half.
 * - gaussian: S_ij = normal(word j p + i) / sqrt(rows), p = rows rounded up to even
 * - srht: S_ij = sign_j (-1)^(bits of selection[i] & j) / sqrt(rows), sign_j by the lowest bit of word j
 * - sparse-sign: in column j `nonzeros` different rows, by R. W. Floyd's sampling, each ±1 / sqrt(nonzeros): of word
 *   j nonzeros + t the high half, times the number of rows left, over 2^32 is the row and the lowest bit the sign
 * - rows: row i is scales[i] times unit vector selection[i]
 * - row-norms: the same; `draw` chooses the rows with probability proportional to their squared norms, row i by word i
 */
export interface SketchData {
  kind: SketchKindName
  /** 0 for none: the identity. */
  rows: number
  inputRows: number
  nonzeros: number
  key: Uint32Array
  selection: Int32Array | null
  scales: Float64Array | null
}

export interface SketchJob {
  sketch: SketchData
  matrix: MatrixData
  /** Draw the rows of a 'row-norms' sketch first. */
  draw: boolean
  threads: number
  /** Result: S A, rows × columns of A. */
  out: Float64Array
}

export interface SketchTransposeJob {
  sketch: SketchData
  /** rows × columns. */
  y: Float64Array
  columns: number
  threads: number
  /** Result: Sᵀ Y, inputRows × columns. */
  out: Float64Array
}

/** N with A N near to orthonormal columns. */
export interface SketchFactorJob {
  matrix: MatrixData
  sketch: SketchData
  threads: number
  /** Result: R (n × n) with N = R⁻¹, or N (n × rank, row-major in the front part). */
  factor: Float64Array
  report: Float64Array
}

/** Indices into `SketchFactorJob.report`. */
export const sketchFactorField = { rank: 0, triangular: 1 } as const
export const sketchFactorReportLength = 2

/** In the order of the native enumeration. */
export const innerMethods = ['cg', 'heavy-ball', 'gradient'] as const

/** min |A x - b|, and |x| among its solutions. ERR_NOT_FINITE. */
export interface LeastSquaresJob {
  matrix: MatrixData
  b: Float64Array
  sketch: SketchData
  method: (typeof innerMethods)[number]
  tolerance: number
  maxIterations: number
  refinements: number
  /** Whether x holds a start. */
  warm: boolean
  threads: number
  x: Float64Array
  history: Float64Array
  report: Float64Array
}

/** Indices into `LeastSquaresJob.report`, in the order of the native struct; `status` is an index into `statuses`. */
export const leastSquaresField = {
  status: 0,
  iterations: 1,
  residual: 2,
  residualNorm: 3,
  rank: 4,
  rounds: 5,
  switched: 6,
  historyLength: 7,
} as const
export const leastSquaresReportLength = 8

export interface DenseKernels {
  sketch: Kernel<SketchJob>
  sketchTranspose: Kernel<SketchTransposeJob>
  sketchFactor: Kernel<SketchFactorJob>
  leastSquares: Kernel<LeastSquaresJob>
  cholesky: Kernel<CholeskyJob>
  lu: Kernel<LuJob>
  qr: Kernel<QrJob>
  applyQ: Kernel<ApplyQJob>
  triangularSolve: Kernel<TriangularJob>
  symmetricEigen: Kernel<EigenJob>
  svd: Kernel<SvdJob>
}
