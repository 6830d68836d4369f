import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import {
  type CsrData,
  type FactorData,
  type FactorSolveJob,
  type OperatorData,
  unanalyzedFactor,
  withEntries,
} from '../backend/linear-sparse.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import type { Step } from '../backend/portable/linear/step.js'
import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { flag, oneOf, type SolverOptions } from '../core/options.js'
import { callKernel, drive, driveSync, type Run } from './drive.js'
import { checkVector } from './iterative.js'
import { type BuiltInOperator, builtIn } from './operator.js'
import { checkHasEntries, rowsOf } from './rows.js'
import { checkSymmetric } from './symmetric.js'

export interface SparseCholeskyOptions extends Pick<SolverOptions, 'signal' | 'onProgress' | 'backend'> {
  /** The order of elimination: `'minimum-degree'` (default) keeps the factor sparse; `'natural'` is that of the matrix. */
  ordering?: 'minimum-degree' | 'natural'
  /**
   * Let negative pivots pass: L D Lᵀ without pivoting, for symmetric quasi-definite matrices (regularized KKT systems).
   * Default false.
   */
  indefinite?: boolean
}

const names: ReadonlySet<string> = new Set([
  'ordering',
  'indefinite',
  ...runNames.filter((name) => name !== 'threads' && name !== 'timeLimit'),
])
const orderings = ['minimum-degree', 'natural'] as const

/** P A Pᵀ = L D Lᵀ. Its memory is the collector's; `dispose` gives it back at once. */
export class SparseCholesky {
  /** Unknowns. */
  readonly n: number
  /** Entries of L, its unit diagonal included. */
  readonly nonzeros: number
  /** log |det A| */
  readonly logDeterminant: number
  /** Negative pivots: as many as A has negative eigenvalues. */
  readonly negativePivots: number
  /** Milliseconds. */
  readonly elapsed: number
  readonly backend: 'native' | 'portable'
  private factor: FactorData | null

  /** @internal */
  constructor(
    factor: FactorData,
    private readonly kernels: Kernels,
    start: number,
  ) {
    this.factor = factor
    this.n = factor.order.length
    this.nonzeros = factor.data.length + this.n
    let [sum, negative] = [0, 0]
    for (const pivot of factor.diagonal) {
      sum += Math.log(Math.abs(pivot))
      if (pivot < 0) negative++
    }
    this.logDeterminant = sum
    this.negativePivots = negative
    this.elapsed = performance.now() - start
    this.backend = kernels.name
  }

  /** permutation[k] is the row of A that was eliminated k-th. */
  get permutation(): Int32Array {
    return this.live().order.slice()
  }

  /** A⁻¹ b */
  async solve(b: VectorLike, options: { signal?: AbortSignal } = {}): Promise<Float64Array> {
    const { control } = checkRunOptions(options, solveNames)
    control.signal?.throwIfAborted()
    const job = this.job(b)
    await this.kernels.linear.solveCholesky.run(job, control)
    return checkSolution(job.x)
  }

  solveSync(b: VectorLike): Float64Array {
    const job = this.job(b)
    this.kernels.linear.solveCholesky.runSync(job, { timeLimit: Number.POSITIVE_INFINITY })
    return checkSolution(job.x)
  }

  /** Lets go of the factor; a solve after it is an error. */
  dispose(): void {
    this.factor = null
  }

  private live(): FactorData {
    if (this.factor !== null) return this.factor
    throw new ExtremaError('ERR_BUFFER', 'factor: expected a live factor, got one that was disposed')
  }

  private job(b: VectorLike): FactorSolveJob {
    const factor = this.live()
    return { factor, b: checkVector('b', b, this.n).slice(), x: new Float64Array(this.n) }
  }
}

const solveNames: ReadonlySet<string> = new Set(['signal'])

function checkSolution(x: Float64Array): Float64Array {
  for (let i = 0; i < x.length; i++) {
    if (Number.isFinite(x[i])) continue
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      `x[${i}]: expected a solution within the range of float64, got an overflow`,
    )
  }
  return x
}

interface Prepared {
  start: number
  control: Control
  kernels: Kernels
  operator: OperatorData
  natural: boolean
  positive: boolean
}

function prepare(given: BuiltInOperator, options: SparseCholeskyOptions): Prepared {
  const start = performance.now()
  const { control, backend } = checkRunOptions(options, names)
  const natural = oneOf('ordering', options.ordering, orderings, 'minimum-degree') === 'natural'
  const positive = !flag('indefinite', options.indefinite, false)
  control.signal?.throwIfAborted()
  const operator = checkHasEntries('matrix', builtIn('matrix', given))
  return { start, control, kernels: kernels(backend), operator, natural, positive }
}

function* steps({ start, kernels, operator, natural, positive }: Prepared, run: Run): Step<SparseCholesky> {
  const matrix = yield* rowsOf('matrix', operator, run.monitor)
  yield* checkSymmetric('matrix', matrix, run.monitor)
  return new SparseCholesky(yield* factorSteps(kernels, matrix, natural, positive, run), kernels, start)
}

function* factorSteps(
  kernels: Kernels,
  matrix: CsrData,
  natural: boolean,
  positive: boolean,
  run: Run,
): Step<FactorData> {
  const analyzed = unanalyzedFactor(matrix.rows)
  yield* callKernel(kernels.linear.analyzeCholesky, { matrix, natural, factor: analyzed }, run, false)
  const factor = withEntries(analyzed)
  yield* callKernel(kernels.linear.factorizeCholesky, { matrix, positive, factor }, run, true)
  return factor
}

/**
 * Factor a sparse symmetric positive definite matrix once, solve with it many times: P A Pᵀ = L D Lᵀ, row by row, in an
 * order of approximate minimum degree.
 *
 * For matrices of up to some 10⁵ rows with little fill (networks, finite elements in the plane); in space, or beyond,
 * `conjugateGradient` with incomplete Cholesky takes less. Progress counts rows.
 *
 * @param matrix CSR, CSC, dense or a stencil, all entries of both triangles
 * @throws {ExtremaError} `ERR_NOT_POSITIVE` (not symmetric, or a pivot <= 0, naming the row), `ERR_SINGULAR` (a zero pivot,
 * if `indefinite`), `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: P. Amestoy, T. Davis, I. Duff, SIAM J. Matrix Anal. Appl. 17 (1996), 886-905; T. Davis, Direct Methods for Sparse
 * Linear Systems (2006), chapter 4.
 */
export async function sparseCholesky(
  matrix: BuiltInOperator,
  options: SparseCholeskyOptions = {},
): Promise<SparseCholesky> {
  const prepared = prepare(matrix, options)
  return drive((run) => steps(prepared, run), prepared.control)
}

/** {@link sparseCholesky} on the calling thread. */
export function sparseCholeskySync(matrix: BuiltInOperator, options: SparseCholeskyOptions = {}): SparseCholesky {
  const prepared = prepare(matrix, options)
  return driveSync((run) => steps(prepared, run), prepared.control)
}
