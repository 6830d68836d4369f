import { kernels } from '../backend/index.js'
import { factorField, type LuJob } from '../backend/linear-dense.js'
import type { MatrixLike, NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import type { Solution } from '../core/solution.js'
import {
  allocate,
  type Calls,
  callOf,
  type DirectOptions,
  directNames,
  ending,
  factorReport,
  noControl,
  type RightSide,
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

export interface LuFactorization extends Solution {
  /** L below the diagonal, without its ones; U on and above it. */
  factors: NdArray
  /** Row permutation[i] of A is row i of L U. */
  permutation: Int32Array
  /** Whether a pivot is exactly zero: the factors hold all the same, but there is no solution. */
  singular: boolean
  /** A⁻¹ b for a vector of n numbers or an n × c matrix. On the calling thread. `ERR_SINGULAR` if `singular`. */
  solve<T extends VectorOrMatrix>(b: T): Solved<T>
  /** A⁻ᵀ b. */
  solveTranspose<T extends VectorOrMatrix>(b: T): Solved<T>
  determinant: number
  /** log |det A| and the sign of det A, which do not overflow: -Infinity and 0 if `singular`. */
  logAbsDeterminant: number
  determinantSign: -1 | 0 | 1
}

const names: ReadonlySet<string> = new Set(directNames)

/**
 * LU factorization with row exchanges, P A = L U, of a square matrix; 2 n³ / 3 operations.
 *
 * `residual` is the backward error on a vector of signs z: max |(P A - L U) z| over the largest sum of a row of |A|.
 *
 * @param matrix a contiguous Float64Array is used in place and left as it is; float32 is converted
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal`
 * when aborted. A singular matrix is no error before `solve`.
 *
 * Source: Golub, Van Loan, Matrix Computations, 4th edition, section 3.4.
 */
export async function lu(matrix: MatrixLike, options: DirectOptions = {}): Promise<LuFactorization> {
  const { run, job } = prepare(matrix, options)
  await runKernel(kernels(run.backend).linear.lu, job, run)
  return finish(job, run)
}

/** {@link lu} on the calling thread. */
export function luSync(matrix: MatrixLike, options: DirectOptions = {}): LuFactorization {
  const { run, job } = prepare(matrix, options)
  kernels(run.backend).linear.lu.runSync(job, run.control)
  return finish(job, run)
}

function prepare(matrix: MatrixLike, options: DirectOptions): { run: Run; job: LuJob } {
  const run = startRun(options, names)
  const { data: a, rows: n } = squareMatrix('matrix', matrix)
  const [factors, permutation] = [allocate(n * n), new Int32Array(n)]
  return { run, job: { n, a, threads: run.threads, factors, permutation, report: factorReport() } }
}

function finish({ n, factors: a, permutation, report, threads }: LuJob, run: Run): LuFactorization {
  const rank = report[factorField.rank]
  const singular = rank < n
  let [sign, logAbsDeterminant] = [report[factorField.sign], 0]
  for (let i = 0; i < n; i++) {
    logAbsDeterminant += Math.log(Math.abs(a[i * n + i]))
    sign *= Math.sign(a[i * n + i])
  }
  const checked = (given: VectorOrMatrix): RightSide => {
    const side = rightSide('b', given, n)
    if (!singular) return side
    throw new ExtremaError('ERR_SINGULAR', `matrix: expected an invertible matrix, got a zero pivot in column ${rank}`)
  }
  const { triangularSolve } = kernels(run.backend).linear
  function* solving<T extends VectorOrMatrix>(given: T): Calls<Solved<T>> {
    const side = checked(given)
    const { columns } = side
    const b = new Float64Array(n * columns)
    for (let i = 0; i < n; i++) {
      const row = permutation[i] * columns
      b.set(side.data.subarray(row, row + columns), i * columns)
    }
    const triangle = { n, pitch: n, a, transpose: false, columns, b, threads }
    yield callOf(triangularSolve, { ...triangle, lower: true, unit: true })
    yield callOf(triangularSolve, { ...triangle, lower: false, unit: false })
    return sameForm(b, n, side)
  }
  const factorization: LuFactorization = {
    ...ending(run, report[factorField.residual]),
    factors: { data: a, shape: [n, n] },
    permutation,
    singular,
    determinant: singular ? 0 : sign * Math.exp(logAbsDeterminant),
    logAbsDeterminant: singular ? Number.NEGATIVE_INFINITY : logAbsDeterminant,
    determinantSign: (singular ? 0 : sign) as -1 | 0 | 1,
    solve: (given) => runCallsSync(solving(given)),
    solveTranspose(given) {
      const side = checked(given)
      const { columns, data: b } = side
      const triangle = { n, pitch: n, a, transpose: true, columns, b, threads }
      triangularSolve.runSync({ ...triangle, lower: false, unit: false }, noControl)
      triangularSolve.runSync({ ...triangle, lower: true, unit: true }, noControl)
      const x = new Float64Array(n * columns)
      for (let i = 0; i < n; i++) {
        x.set(b.subarray(i * columns, (i + 1) * columns), permutation[i] * columns)
      }
      return sameForm(x, n, side)
    },
  }
  solveCalls.set(factorization, solving)
  return factorization
}
