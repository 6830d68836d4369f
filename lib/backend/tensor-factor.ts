import type { TensorData } from './tensor.js'

/**
 * Factorizations of batches of row-major matrices, behind each other. As `TensorKernels`; a stride of 0 is one matrix for
 * the whole batch. Where a pivot fails the result is its place, matrix × n + row, and otherwise -1. Float32 matrices are
 * factored in float32 by `cholesky`, `triangularSolve` and the two of LU, otherwise in float64.
 */
export interface FactorKernels {
  /** out = L with L Lᵀ = (A + Aᵀ) / 2, and zeros above its diagonal. */
  cholesky(out: TensorData, a: TensorData, batch: number, n: number): number
  /** out = op(T)⁻¹ B with T the lower or upper triangle of A, for B of n × columns. */
  triangularSolve(
    out: TensorData,
    a: TensorData,
    b: TensorData,
    batch: number,
    n: number,
    columns: number,
    lower: boolean,
    transpose: boolean,
    unit: boolean,
    strideA: number,
    strideB: number,
  ): number
  /** Row permutation[i] of A is row i of L U, both in `factors`, L with a unit diagonal. */
  luFactor(factors: TensorData, permutation: Int32Array, a: TensorData, batch: number, n: number): number
  /** out = A⁻¹ B or A⁻ᵀ B by the factors of `luFactor`, whose pivots are not 0. */
  luSolve(
    out: TensorData,
    factors: TensorData,
    permutation: Int32Array,
    b: TensorData,
    batch: number,
    n: number,
    columns: number,
    transpose: boolean,
    strideA: number,
    strideB: number,
  ): void
  /**
   * The eigenvalues of (A + Aᵀ) / 2, ascending, and its eigenvectors as columns; the first of the largest entries of each
   * (to 1e-6) is positive. Entries are finite.
   */
  symmetricEigen(values: TensorData, vectors: TensorData, a: TensorData, batch: number, n: number): void
  /** A = Q R for m >= n, with Q of m × n and a diagonal of R that is not negative. Entries are finite. */
  qr(q: TensorData, r: TensorData, a: TensorData, batch: number, m: number, n: number): void
  /**
   * A = U diag(s) Vᵀ with k = min(m, n) values, descending; the first of the largest entries of each column of U (to 1e-6)
   * is positive. Entries are finite.
   */
  svd(u: TensorData, s: TensorData, vt: TensorData, a: TensorData, batch: number, m: number, n: number): void
  /**
   * out = A x or Aᵀ x for n × n matrices with `lower` diagonals under the main one and `upper` above it, x of n × columns.
   * Row d of the bands is diagonal d - lower, with A_i,i+d-lower at place i; what would be outside of A is not read.
   */
  bandedProduct(
    out: TensorData,
    bands: TensorData,
    x: TensorData,
    batch: number,
    n: number,
    columns: number,
    lower: number,
    upper: number,
    transpose: boolean,
  ): void
  /** The bands of g xᵀ summed over columns: out_d,i = g_i · x_i+d-lower, 0 outside. */
  bandedOuter(
    out: TensorData,
    g: TensorData,
    x: TensorData,
    batch: number,
    n: number,
    columns: number,
    lower: number,
    upper: number,
  ): void
}
