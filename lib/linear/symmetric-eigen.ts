import { kernels } from '../backend/index.js'
import { type EigenJob, factorField } from '../backend/linear-dense.js'
import type { MatrixLike, NdArray } from '../core/arrays.js'
import { flag } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import {
  allocate,
  type DirectOptions,
  directNames,
  ending,
  factorReport,
  type Run,
  runKernel,
  squareMatrix,
  startRun,
} from './direct.js'

export interface EigenOptions extends DirectOptions {
  /** Compute eigenvectors too. Default true. */
  vectors?: boolean
}

export interface EigenDecomposition extends Solution {
  /** Ascending. */
  values: Float64Array
  /**
   * n × n with orthonormal columns: column k belongs to values[k]; its first largest entry (to 1e-6) is positive. Absent with
   * `vectors: false`.
   */
  vectors?: NdArray
}

const names: ReadonlySet<string> = new Set(['vectors', ...directNames])

/**
 * All eigenvalues and eigenvectors of a symmetric n × n matrix, A = V diag(values) Vᵀ. Eigenvalues are right to rounding
 * errors of the largest one. O(n³); for a few pairs of a large matrix see `lanczos`.
 *
 * `residual` is the backward error on a vector of signs z, max |(A - V diag(values) Vᵀ) z| over the largest sum of a row of
 * |A|; with `vectors: false` it is the relative error of sum values² = sum A_ij².
 *
 * @param matrix a contiguous Float64Array is used in place and left as it is; float32 is converted
 * @throws {ExtremaError} `ERR_SHAPE` (not square, or not symmetric to 1e-8 of the largest entry), `ERR_NOT_FINITE`,
 * `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: Golub, Van Loan, Matrix Computations, 4th edition, sections 8.3 and 8.5. Native: divide and conquer; portable:
 * implicit QL steps.
 */
export async function symmetricEigen(matrix: MatrixLike, options: EigenOptions = {}): Promise<EigenDecomposition> {
  const { run, job } = prepare(matrix, options)
  await runKernel(kernels(run.backend).linear.symmetricEigen, job, run)
  return finish(job, run)
}

/** {@link symmetricEigen} on the calling thread. */
export function symmetricEigenSync(matrix: MatrixLike, options: EigenOptions = {}): EigenDecomposition {
  const { run, job } = prepare(matrix, options)
  kernels(run.backend).linear.symmetricEigen.runSync(job, run.control)
  return finish(job, run)
}

function prepare(matrix: MatrixLike, options: EigenOptions): { run: Run; job: EigenJob } {
  const run = startRun(options, names)
  const wantsVectors = flag('vectors', options.vectors, true)
  const { data: a, rows: n } = squareMatrix('matrix', matrix)
  const vectors = wantsVectors ? allocate(n * n) : null
  return { run, job: { n, a, threads: run.threads, values: new Float64Array(n), vectors, report: factorReport() } }
}

function finish({ n, values, vectors, report }: EigenJob, run: Run): EigenDecomposition {
  return {
    ...ending(run, report[factorField.residual]),
    values,
    ...(vectors === null ? {} : { vectors: { data: vectors, shape: [n, n] } }),
  }
}
