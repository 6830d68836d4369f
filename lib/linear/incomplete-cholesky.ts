import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import type { CsrData, OperatorData } from '../backend/linear-sparse.js'
import { checkRunOptions } from '../backend/options.js'
import type { Clock, Step } from '../backend/portable/linear/step.js'
import type { Csr } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, type SolverOptions } from '../core/options.js'
import { callKernel, drive, driveSync, type Run } from './drive.js'
import { type BuiltInOperator, builtIn } from './operator.js'
import { checkHasEntries, rowsOf } from './rows.js'
import { checkSymmetric } from './symmetric.js'

export interface IncompleteCholeskyOptions extends Pick<SolverOptions, 'signal' | 'backend'> {
  /** Relative shift of the diagonal to begin with; it is doubled until all pivots are positive. Default 0. */
  shift?: number
}

/** A ≈ L Lᵀ, a preconditioner to use again and again. */
export interface IncompleteCholesky {
  kind: 'factor'
  /** L, the diagonal at the end of each row. */
  lower: Csr
}

export interface IncompleteCholeskyFactor extends IncompleteCholesky {
  /** What the diagonal was shifted by, relative to itself: 0 for most matrices. */
  shift: number
}

const names: ReadonlySet<string> = new Set(['shift', 'signal', 'backend'])

interface Prepared {
  control: Control
  kernels: Kernels
  operator: OperatorData
  shift: number
}

function prepare(given: BuiltInOperator, options: IncompleteCholeskyOptions): Prepared {
  const { control, backend } = checkRunOptions(options, names)
  const shift = nonNegative('shift', options.shift, 0)
  control.signal?.throwIfAborted()
  const operator = checkHasEntries('matrix', builtIn('matrix', given))
  return { control, kernels: kernels(backend), operator, shift }
}

/** L on the pattern of the lower triangle of a matrix with entries, and the shift it took. */
export function* incompleteSteps(
  kernels: Kernels,
  operator: OperatorData,
  shift: number,
  run: Run,
): Step<{ lower: CsrData; shift: number }> {
  const matrix = yield* rowsOf('matrix', operator, run.monitor)
  yield* checkSymmetric('matrix', matrix, run.monitor)
  const lower = yield* lowerPattern(matrix, run.monitor)
  const job = { matrix, lower, shift: Float64Array.of(shift) }
  yield* callKernel(kernels.linear.incompleteCholesky, job, run, false)
  return { lower, shift: job.shift[0] }
}

/** Rows between two looks at the clock. */
const stretch = 1024

function* lowerPattern({ rows, indptr, indices, data }: CsrData, watch: Clock): Step<CsrData> {
  const begin = new Int32Array(rows + 1)
  for (let i = 0; i < rows; i++) {
    let k = indptr[i]
    while (k < indptr[i + 1] && indices[k] < i) k++
    if (k === indptr[i + 1] || indices[k] !== i || !(data[k] > 0)) {
      const came = k < indptr[i + 1] && indices[k] === i ? data[k] : 0
      throw new ExtremaError('ERR_NOT_POSITIVE', `matrix[${i}][${i}]: expected a positive diagonal, got ${came}`)
    }
    begin[i + 1] = begin[i] + k + 1 - indptr[i]
    if (i % stretch === 0 && watch.due()) yield
  }
  const places = new Int32Array(begin[rows])
  for (let i = 0; i < rows; i++) {
    for (let to = begin[i], k = indptr[i]; to < begin[i + 1]; to++, k++) places[to] = indices[k]
    if (i % stretch === 0 && watch.due()) yield
  }
  return { rows, columns: rows, indptr: begin, indices: places, data: new Float64Array(begin[rows]) }
}

function* steps({ kernels, operator, shift }: Prepared, run: Run): Step<IncompleteCholeskyFactor> {
  const found = yield* incompleteSteps(kernels, operator, shift, run)
  const { rows, columns, indptr, indices, data } = found.lower
  return { kind: 'factor', lower: { shape: [rows, columns], indptr, indices, data }, shift: found.shift }
}

/**
 * The incomplete Cholesky factor on the pattern of A, as a preconditioner for many solves with one matrix; for one solve
 * `{ kind: 'incomplete-cholesky' }` does the same.
 *
 * Where pivots fail, as they may for positive definite matrices that are not diagonally dominant, the diagonal is shifted.
 *
 * @throws {ExtremaError} `ERR_NOT_POSITIVE` (not symmetric, no positive diagonal, or no shift helps), `ERR_SHAPE`,
 * `ERR_NOT_FINITE`, `ERR_OPTION`; the reason of `signal` when aborted.
 *
 * Source: J. Meijerink, H. van der Vorst, Math. Comp. 31 (1977), 148-162; T. Manteuffel, Math. Comp. 34 (1980), 473-497.
 */
export async function incompleteCholesky(
  matrix: BuiltInOperator,
  options: IncompleteCholeskyOptions = {},
): Promise<IncompleteCholeskyFactor> {
  const prepared = prepare(matrix, options)
  return drive((run) => steps(prepared, run), prepared.control)
}

/** {@link incompleteCholesky} on the calling thread. */
export function incompleteCholeskySync(
  matrix: BuiltInOperator,
  options: IncompleteCholeskyOptions = {},
): IncompleteCholeskyFactor {
  const prepared = prepare(matrix, options)
  return driveSync((run) => steps(prepared, run), prepared.control)
}
