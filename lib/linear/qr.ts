import { kernels } from '../backend/index.js'
import { factorField, type QrJob } from '../backend/linear-dense.js'
import { type MatrixLike, type NdArray, shapeText } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { flag } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import {
  allocate,
  type Calls,
  callOf,
  type DirectOptions,
  denseMatrix,
  directNames,
  ending,
  factorReport,
  noControl,
  type Run,
  rightSide,
  runCallsSync,
  runKernel,
  type Solved,
  sameForm,
  solveCalls,
  startRun,
  type VectorOrMatrix,
} from './direct.js'

export interface QrOptions extends DirectOptions {
  /** Exchange columns so that the diagonal of R decreases in magnitude: shows the numerical rank. Default false. */
  pivoting?: boolean
  /** Form Q. Without it `applyQ` and `solve` still work. Default true. */
  q?: boolean
}

export interface QrFactorization extends Solution {
  /** m × min(m, n) with orthonormal columns, unless `q: false`. */
  q?: NdArray
  /** min(m, n) × n, upper triangular. */
  r: NdArray
  /** Column permutation[j] of A is column j of Q R: 0 … n - 1 in order without `pivoting`. */
  permutation: Int32Array
  /**
   * Diagonal entries of R above max(m, n) · 2^-52 times the largest. With `pivoting` this is the numerical rank; without,
   * a matrix can be near to one of lower rank all the same.
   */
  rank: number
  /** Q b for m numbers (or rows), or with `transpose` Qᵀ b, Q being the whole m × m matrix. On the calling thread. */
  applyQ<T extends VectorOrMatrix>(b: T, options?: { transpose?: boolean }): Solved<T>
  /**
   * The least-squares solution of A x = b for m >= n, on the calling thread. `ERR_SINGULAR` if `rank` < n, except with
   * `pivoting`, which gives the basic solution: zeros for the columns that depend on others.
   */
  solve<T extends VectorOrMatrix>(b: T): Solved<T>
}

const names: ReadonlySet<string> = new Set(['pivoting', 'q', ...directNames])

/**
 * QR factorization A P = Q R of an m × n matrix by Householder's reflections; 2 n² (m - n / 3) operations for m >= n, as
 * many again for Q.
 *
 * `residual` is the backward error on a vector of signs z: max |(A P - Q R) z| over the largest sum of a row of |A|.
 *
 * @param matrix a contiguous Float64Array is used in place and left as it is; float32 is converted
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal`
 * when aborted.
 *
 * Source: Golub, Van Loan, Matrix Computations, 4th edition, sections 5.2 and 5.4; panels after E. Elmroth, F. Gustavson,
 * IBM Journal of Research and Development 44 (2000), 605-624.
 */
export async function qr(matrix: MatrixLike, options: QrOptions = {}): Promise<QrFactorization> {
  const { run, job } = prepare(matrix, options)
  await runKernel(kernels(run.backend).linear.qr, job, run)
  return finish(job, run)
}

/** {@link qr} on the calling thread. */
export function qrSync(matrix: MatrixLike, options: QrOptions = {}): QrFactorization {
  const { run, job } = prepare(matrix, options)
  kernels(run.backend).linear.qr.runSync(job, run.control)
  return finish(job, run)
}

function prepare(matrix: MatrixLike, options: QrOptions): { run: Run; job: QrJob } {
  const run = startRun(options, names)
  const pivoting = flag('pivoting', options.pivoting, false)
  const wantsQ = flag('q', options.q, true)
  const { data: a, rows: m, columns: n } = denseMatrix('matrix', matrix)
  const k = Math.min(m, n)
  const job: QrJob = {
    m,
    n,
    a,
    pivoting,
    threads: run.threads,
    reflectors: allocate(m * n),
    tau: new Float64Array(k),
    permutation: new Int32Array(n),
    r: allocate(k * n),
    q: wantsQ ? allocate(m * k) : null,
    report: factorReport(),
  }
  return { run, job }
}

function finish(job: QrJob, run: Run): QrFactorization {
  const { m, n, reflectors, tau, permutation, r, q, pivoting, report, threads } = job
  const k = Math.min(m, n)
  let largest = 0
  for (let i = 0; i < k; i++) largest = Math.max(largest, Math.abs(r[i * n + i]))
  const least = Math.max(m, n) * Number.EPSILON * largest
  let rank = 0
  for (let i = 0; i < k; i++) if (Math.abs(r[i * n + i]) > least) rank++
  const { applyQ: apply, triangularSolve } = kernels(run.backend).linear
  const product = (b: Float64Array, columns: number, transpose: boolean) =>
    callOf(apply, { m, k, reflectors, tau, transpose, columns, b, threads })
  function* solving<T extends VectorOrMatrix>(given: T): Calls<Solved<T>> {
    const side = rightSide('b', given, m)
    if (m < n) {
      throw new ExtremaError('ERR_SHAPE', `matrix: expected at least as many rows as columns, got ${shapeText(m, n)}`)
    }
    if (rank < n && !pivoting) {
      throw new ExtremaError('ERR_SINGULAR', `matrix: expected ${n} independent columns, got ${rank}`)
    }
    const { data: b, columns } = side
    yield product(b, columns, true)
    const x = new Float64Array(n * columns)
    if (rank > 0) {
      const head = b.slice(0, rank * columns)
      const triangle = { n: rank, pitch: n, a: r, lower: false, transpose: false, unit: false }
      yield callOf(triangularSolve, { ...triangle, columns, b: head, threads })
      for (let j = 0; j < rank; j++) {
        x.set(head.subarray(j * columns, (j + 1) * columns), permutation[j] * columns)
      }
    }
    return sameForm(x, n, side)
  }
  const factorization: QrFactorization = {
    ...ending(run, report[factorField.residual]),
    ...(q === null ? {} : { q: { data: q, shape: [m, k] } }),
    r: { data: r, shape: [k, n] },
    permutation,
    rank,
    applyQ(given, options = {}) {
      const side = rightSide('b', given, m)
      product(side.data, side.columns, flag('transpose', options.transpose, false)).runSync(noControl)
      return sameForm(side.data, m, side)
    },
    solve: (given) => runCallsSync(solving(given)),
  }
  solveCalls.set(factorization, solving)
  return factorization
}
