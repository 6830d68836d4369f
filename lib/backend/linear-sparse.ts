import type { Kernel } from './kernels.js'

/** Compressed sparse rows, checked: columns ascend within a row. */
export interface CsrData {
  rows: number
  columns: number
  /** rows + 1 offsets. */
  indptr: Int32Array
  indices: Int32Array
  data: Float64Array
}

/**
 * (A u)_i = center u_i - sum over neighbours of coupling u_j on a grid whose last axis runs fastest; beyond the grid u = 0.
 * `couplings` has a number for each axis, or an array for each: that of every cell and the next along the axis.
 */
export type StencilData =
  | { kind: 'constant-stencil'; grid: readonly number[]; center: number; couplings: readonly number[] }
  | { kind: 'stencil'; grid: readonly number[]; center: Float64Array; couplings: readonly Float64Array[] }

/** A linear map that kernels apply by themselves. */
export type OperatorData =
  | ({ kind: 'csr' } & CsrData)
  /** The transpose of a CSR matrix: compressed sparse columns are the rows of it. */
  | { kind: 'transposed'; of: OperatorData }
  | { kind: 'dense'; rows: number; columns: number; data: Float64Array }
  | StencilData
  /** diag(d) + scale Gᵀ G, G being m × n, row-major. */
  | { kind: 'low-rank'; n: number; m: number; diagonal: Float64Array; scale: number; factor: Float64Array }
  | { kind: 'kronecker'; left: OperatorData; right: OperatorData }
  /** [[A, B], [C, D]], null for a block of zeros. */
  | {
      kind: 'block'
      rows: readonly [number, number]
      columns: readonly [number, number]
      blocks: readonly (OperatorData | null)[]
    }

/** What maps a residual r to M⁻¹ r. */
export type PreconditionerData =
  /** z_i = inverse_i r_i */
  | { kind: 'jacobi'; inverse: Float64Array }
  /** M = (D + omega L) D⁻¹ (D + omega Lᵀ) / (omega (2 - omega)) of A = D + L + Lᵀ. */
  | { kind: 'ssor'; matrix: CsrData; omega: number }
  /** M = L Lᵀ, L lower triangular with its diagonal at the end of each row. */
  | { kind: 'triangular'; lower: CsrData }
  /** M = RᵀR (of normal equations), R upper triangular n × n, row-major. */
  | { kind: 'upper'; n: number; r: Float64Array }
  /** z = (I - W E⁻¹ (AW)ᵀ) M⁻¹ r + W E⁻¹ Wᵀ r with E = Wᵀ A W = C Cᵀ; the k vectors of W and AW are rows. */
  | {
      kind: 'deflation'
      n: number
      k: number
      vectors: Float64Array
      images: Float64Array
      cholesky: Float64Array
      inner: PreconditionerData | null
    }
  | { kind: 'operator'; operator: OperatorData }
  /**
   * M = (D + omega L) D⁻¹ (D + omega Lᵀ) / scale, D = 1 / inverse and L the lower triangle of the stencil; an `inverse` of 0
   * stands for a cell that is no unknown.
   */
  | { kind: 'stencil'; stencil: StencilData; omega: number; scale: number; inverse: Float64Array }

export interface IterativeSettings {
  /** Bounds ‖b - A x‖ / ‖b‖. */
  tolerance: number
  maxIterations: number
  threads: number
  /** sor, ssor. */
  omega: number
  /** gmres: directions kept. */
  restart: number
  /** lsqr: min ‖Ax - b‖² + damp² ‖x‖². */
  damp: number
  /** Of a symmetric method: whether random vectors are to show that A is symmetric. */
  checkSymmetry: boolean
}

export interface IterativeJob {
  operator: OperatorData
  preconditioner: PreconditionerData | null
  /** Of norm about 1 or zero: the façade scales. */
  b: Float64Array
  /** Start and result. */
  x: Float64Array
  /** A unit vector that A maps to zero, projected out of everything (conjugateGradient, minres). */
  nullVector: Float64Array | null
  settings: IterativeSettings
  /** Relative residual at the start and after each iteration, as many as fit. */
  history: Float64Array | null
  report: Float64Array
}

/** Stationary iterations want the entries. */
export interface StationaryJob extends Omit<IterativeJob, 'operator' | 'preconditioner' | 'nullVector'> {
  method: 'jacobi' | 'sor' | 'ssor'
  matrix: CsrData
}

/** Indices into `report`, in the order of the native struct; `ended` is an index into `statuses`. */
export const iterativeField = {
  ended: 0,
  iterations: 1,
  /** ‖b - A x‖ / ‖b‖, computed from the final x; lsqr's is ‖Aᵀr - damp² x‖ / (‖A‖ ‖r‖) where that ended it. */
  residual: 2,
  historyLength: 3,
  matvecs: 4,
  /** lsqr: ‖b - A x‖ / ‖b‖ and ‖Aᵀr - damp² x‖ / (‖A‖ ‖r‖). */
  fit: 5,
  normal: 6,
} as const
export const iterativeReportLength = 7

export interface MultiplyJob {
  operator: OperatorData
  transpose: boolean
  /** How many vectors: x and out have so many columns, row-major. */
  count: number
  x: Float64Array
  out: Float64Array
  threads: number
  /** Whether x is to be looked through for NaN and infinities, which are named as entries of a vector or of a matrix. */
  check: false | 'vector' | 'matrix'
  /** More products with this operator will follow: once, its memory is worth some preparation. Default false. */
  often?: boolean
}

/** P A Pᵀ = L D Lᵀ, L unit lower triangular by columns, the diagonal left out. */
export interface FactorData {
  /** order[k]: the row of A that comes k-th. */
  order: Int32Array
  /** In the elimination tree, -1 for a root. */
  parent: Int32Array
  indptr: Int32Array
  indices: Int32Array
  data: Float64Array
  diagonal: Float64Array
}

/** To be analyzed: without room for entries, whose number nobody knows yet. */
export function unanalyzedFactor(n: number): FactorData {
  return {
    order: new Int32Array(n),
    parent: new Int32Array(n),
    indptr: new Int32Array(n + 1),
    indices: new Int32Array(0),
    data: new Float64Array(0),
    diagonal: new Float64Array(n),
  }
}

/** The same with room for the entries that the analysis has counted. */
export function withEntries(analyzed: FactorData): FactorData {
  const count = analyzed.indptr[analyzed.order.length]
  return { ...analyzed, indices: new Int32Array(count), data: new Float64Array(count) }
}

/** Fills `order`, `parent` and `indptr`; the rest has no room yet. The matrix has all entries, symmetric in pattern. */
export interface AnalyzeJob {
  matrix: CsrData
  natural: boolean
  factor: FactorData
}

/** Fills `indices`, `data` and `diagonal`. */
export interface FactorizeJob {
  matrix: CsrData
  /** Refuse negative pivots. */
  positive: boolean
  factor: FactorData
}

/** x = A⁻¹ b for the columns of row-major b and x. */
export interface FactorSolveJob {
  factor: FactorData
  b: Float64Array
  x: Float64Array
}

export interface IncompleteCholeskyJob {
  matrix: CsrData
  /** The pattern of the lower triangle, the diagonal at the end of each row; its data is the result. */
  lower: CsrData
  /** Relative shift of the diagonal to begin with, and the one that it took. */
  shift: Float64Array
}

export interface SparseKernels {
  multiply: Kernel<MultiplyJob>
  conjugateGradient: Kernel<IterativeJob>
  minres: Kernel<IterativeJob>
  gmres: Kernel<IterativeJob>
  bicgstab: Kernel<IterativeJob>
  lsqr: Kernel<IterativeJob>
  analyzeCholesky: Kernel<AnalyzeJob>
  factorizeCholesky: Kernel<FactorizeJob>
  solveCholesky: Kernel<FactorSolveJob>
  incompleteCholesky: Kernel<IncompleteCholeskyJob>
  stationary: Kernel<StationaryJob>
}
