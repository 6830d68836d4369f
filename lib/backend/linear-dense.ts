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

export interface DenseKernels {
  cholesky: Kernel<CholeskyJob>
  lu: Kernel<LuJob>
  qr: Kernel<QrJob>
  applyQ: Kernel<ApplyQJob>
  triangularSolve: Kernel<TriangularJob>
  symmetricEigen: Kernel<EigenJob>
  svd: Kernel<SvdJob>
}
