import { kernels } from '../backend/index.js'
import { type CholeskyJob, factorField } from '../backend/linear-dense.js'
import type { MatrixLike, NdArray } from '../core/arrays.js'
import type { Solution } from '../core/solution.js'
import {
  allocate,
  type Calls,
  callOf,
  type DirectOptions,
  directNames,
  ending,
  factorReport,
  type Run,
  rightSide,
  runCallsSync,
  runKernel,
  type Solved,
  sameForm,
  solveCalls,
  squareMatrix,
  startRun,
  type VectorOrMatrix,
} from './direct.js'

export interface CholeskyFactorization extends Solution {
  /** L, n × n, with zeros above the diagonal. */
  l: NdArray
  /** A⁻¹ b for a vector of n numbers or an n × c matrix. Runs on the calling thread, O(n² c). */
  solve<T extends VectorOrMatrix>(b: T): Solved<T>
  /** log det A; the determinant itself soon overflows. */
  logDeterminant: number
  determinant: number
}

const names: ReadonlySet<string> = new Set(directNames)

/**
 * Cholesky factorization A = L Lᵀ of a symmetric positive definite n × n matrix; n³ / 3 operations.
 *
 * The lower triangle is factored; that the upper one equals it to 1e-8 of the largest entry is checked. `residual` is the
 * backward error on a vector of signs z: max |(A - L Lᵀ) z| over the largest sum of a row of |A|.
 *
 * @param matrix a contiguous Float64Array is used in place and left as it is; float32 is converted
 * @throws {ExtremaError} `ERR_NOT_POSITIVE` (not positive definite, naming the first leading block that is not),
 * `ERR_SHAPE` (not square, not symmetric), `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of
 * `signal` when aborted.
 *
 * Source: Golub, Van Loan, Matrix Computations, 4th edition, section 4.2.
 */
export async function cholesky(matrix: MatrixLike, options: DirectOptions = {}): Promise<CholeskyFactorization> {
  const { run, job } = prepare(matrix, options)
  await runKernel(kernels(run.backend).linear.cholesky, job, run)
  return finish(job, run)
}

/** {@link cholesky} on the calling thread. */
export function choleskySync(matrix: MatrixLike, options: DirectOptions = {}): CholeskyFactorization {
  const { run, job } = prepare(matrix, options)
  kernels(run.backend).linear.cholesky.runSync(job, run.control)
  return finish(job, run)
}

function prepare(matrix: MatrixLike, options: DirectOptions): { run: Run; job: CholeskyJob } {
  const run = startRun(options, names)
  const { data: a, rows: n } = squareMatrix('matrix', matrix)
  return { run, job: { n, a, threads: run.threads, factor: allocate(n * n), report: factorReport() } }
}

function finish({ n, factor: a, report, threads }: CholeskyJob, run: Run): CholeskyFactorization {
  let logDeterminant = 0
  for (let i = 0; i < n; i++) logDeterminant += 2 * Math.log(a[i * n + i])
  function* solving<T extends VectorOrMatrix>(given: T): Calls<Solved<T>> {
    const side = rightSide('b', given, n)
    const { data: b, columns } = side
    const { triangularSolve } = kernels(run.backend).linear
    const triangle = { n, pitch: n, a, lower: true, unit: false, columns, b, threads }
    yield callOf(triangularSolve, { ...triangle, transpose: false })
    yield callOf(triangularSolve, { ...triangle, transpose: true })
    return sameForm(b, n, side)
  }
  const factorization: CholeskyFactorization = {
    ...ending(run, report[factorField.residual]),
    l: { data: a, shape: [n, n] },
    logDeterminant,
    determinant: Math.exp(logDeterminant),
    solve: (given) => runCallsSync(solving(given)),
  }
  solveCalls.set(factorization, solving)
  return factorization
}
