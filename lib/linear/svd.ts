import { kernels } from '../backend/index.js'
import { factorField, type SvdJob } from '../backend/linear-dense.js'
import type { MatrixLike, NdArray } from '../core/arrays.js'
import { flag } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import {
  allocate,
  type DirectOptions,
  denseMatrix,
  directNames,
  ending,
  factorReport,
  type Run,
  runKernel,
  startRun,
} from './direct.js'

export interface SvdOptions extends DirectOptions {
  /** Compute singular vectors too. Default true. */
  vectors?: boolean
}

export interface SingularValues extends Solution {
  /** k = min(m, n) singular values, descending. */
  s: Float64Array
  /** m × k with orthonormal columns; the first largest entry (to 1e-6) of each is positive. Absent with `vectors: false`. */
  u?: NdArray
  /** k × n with orthonormal rows. */
  vt?: NdArray
}

const names: ReadonlySet<string> = new Set(['vectors', ...directNames])

/**
 * Singular value decomposition A = u diag(s) vt of an m × n matrix, the thin one. O(m n min(m, n)); for the leading triples
 * of a large matrix see `randomizedSvd`.
 *
 * `residual` is the backward error on a vector of signs z, max |(A - u diag(s) vt) z| over the largest sum of a row of |A|;
 * with `vectors: false` it is the relative error of sum s² = sum A_ij².
 *
 * @param matrix a contiguous Float64Array is used in place and left as it is; float32 is converted
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal`
 * when aborted.
 *
 * Source: Golub, Van Loan, Matrix Computations, 4th edition, section 8.6. Native: bidiagonalization and divide and conquer;
 * portable: Jacobi's rotations.
 */
export async function svd(matrix: MatrixLike, options: SvdOptions = {}): Promise<SingularValues> {
  const { run, job } = prepare(matrix, options)
  await runKernel(kernels(run.backend).linear.svd, job, run)
  return finish(job, run)
}

/** {@link svd} on the calling thread. */
export function svdSync(matrix: MatrixLike, options: SvdOptions = {}): SingularValues {
  const { run, job } = prepare(matrix, options)
  kernels(run.backend).linear.svd.runSync(job, run.control)
  return finish(job, run)
}

function prepare(matrix: MatrixLike, options: SvdOptions): { run: Run; job: SvdJob } {
  const run = startRun(options, names)
  const wantsVectors = flag('vectors', options.vectors, true)
  const { data: a, rows: m, columns: n } = denseMatrix('matrix', matrix)
  const k = Math.min(m, n)
  const u = wantsVectors ? allocate(m * k) : null
  const vt = wantsVectors ? allocate(k * n) : null
  return { run, job: { m, n, a, threads: run.threads, s: new Float64Array(k), u, vt, report: factorReport() } }
}

function finish({ m, n, s, u, vt, report }: SvdJob, run: Run): SingularValues {
  const k = s.length
  return {
    ...ending(run, report[factorField.residual]),
    s,
    ...(u === null ? {} : { u: { data: u, shape: [m, k] } }),
    ...(vt === null ? {} : { vt: { data: vt, shape: [k, n] } }),
  }
}
