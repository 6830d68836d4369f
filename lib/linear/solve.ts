import type { Control } from '../backend/kernels.js'
import type { OperatorData } from '../backend/linear-sparse.js'
import { checkRunOptions } from '../backend/options.js'
import type { Step } from '../backend/portable/linear/step.js'
import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, oneOf } from '../core/options.js'
import type { Status } from '../core/solution.js'
import { bicgstab, bicgstabSync } from './bicgstab.js'
import { conjugateGradient, conjugateGradientSync } from './conjugate-gradient.js'
import { drive, driveSync, type Run } from './drive.js'
import { gmres, gmresSync } from './gmres.js'
import {
  checkVector,
  type IterativeOptions,
  iterativeNames,
  type LinearSolution,
  type PreconditionedProblem,
} from './iterative.js'
import { jacobi, jacobiSync } from './jacobi.js'
import { lsqr, lsqrSync } from './lsqr.js'
import { minres, minresSync } from './minres.js'
import {
  type BuiltInOperator,
  checkOperator,
  type LinearOperator,
  type OperatorLike,
  type PreparedOperator,
  prepare,
} from './operator.js'
import type { Preconditioner } from './preconditioner.js'
import { diagonalOf, rowsOf } from './rows.js'
import { type DirectMethod, directMethods, directSteps, either } from './solve-direct.js'
import { sor, sorSync } from './sor.js'
import { ssor, ssorSync } from './ssor.js'
import { asymmetry } from './symmetric.js'

const iterativeMethods = {
  conjugateGradient: { run: conjugateGradient, runSync: conjugateGradientSync },
  minres: { run: minres, runSync: minresSync },
  gmres: { run: gmres, runSync: gmresSync },
  bicgstab: { run: bicgstab, runSync: bicgstabSync },
  lsqr: { run: lsqr, runSync: lsqrSync },
  jacobi: { run: jacobi, runSync: jacobiSync },
  sor: { run: sor, runSync: sorSync },
  ssor: { run: ssor, runSync: ssorSync },
} as const

type IterativeMethod = keyof typeof iterativeMethods
export type SolveMethod = IterativeMethod | DirectMethod

export interface SolveOptions extends IterativeOptions {
  /**
   * `'auto'` (default), or the function of that name, whose further options may be given too. Direct methods take
   * `tolerance`, `history`, `threads`, `signal` and `backend`; a factorization runs to its end.
   */
  method?: 'auto' | SolveMethod
  /** M of an iterative method. Under `'auto'` one is chosen where the matrix has entries. */
  preconditioner?: Preconditioner
  /** Where an iterative method starts. Default 0. */
  x0?: PreconditionedProblem['x0']
  [option: string]: unknown
}

/** A method that `'auto'` tried, and how it ended. */
export interface SolveAttempt {
  method: SolveMethod
  /** A status, or the code of an error. */
  outcome: Status | ExtremaError['code']
  iterations: number
  /** ‖b - A x‖ / ‖b‖, where it came to a solution. */
  residual: number | null
}

export interface SolveSolution extends LinearSolution {
  /** The method that found it. */
  method: SolveMethod
  /** All that were tried, the last one included. */
  attempts: SolveAttempt[]
  /** Why another method took over from the first, where one did. */
  note?: string
}

/** One method to try. */
interface Candidate {
  method: SolveMethod
  preconditioner?: Preconditioner
}

interface Plan {
  matrix: OperatorLike
  data: OperatorData | null
  b: PreconditionedProblem['b']
  options: IterativeOptions
  x0: PreconditionedProblem['x0']
  candidates: Candidate[]
}

const names = ['auto', ...directMethods, ...(Object.keys(iterativeMethods) as IterativeMethod[])] as const
const autoNames: ReadonlySet<string> = new Set(iterativeNames)
const directNames: ReadonlySet<string> = new Set(['tolerance', 'history', 'threads', 'signal', 'backend'])

const isDirect = (method: SolveMethod): method is DirectMethod => (directMethods as readonly string[]).includes(method)

function plan(given: OperatorLike, b: PreconditionedProblem['b'], options: SolveOptions): Plan {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { method, … }, got ${describe(options)}`)
  }
  const { method: wanted, preconditioner, x0, ...rest } = options
  const method = oneOf('method', wanted, names, 'auto')
  checkRunOptions(rest.signal === undefined ? {} : { signal: rest.signal }, autoNames)
  // Checked once for all that is tried.
  const matrix = typeof (given as LinearOperator)?.matvec === 'function' ? given : prepare(given as BuiltInOperator)
  const { data, rows, columns } = checkOperator('matrix', matrix)
  const common = { matrix, data, b, options: rest, x0 }
  if (method !== 'auto') {
    if (isDirect(method)) {
      checkRunOptions(rest, directNames)
      nonNegative('tolerance', rest.tolerance, 1e-8)
      for (const [name, value] of [['preconditioner', preconditioner] as const, ['x0', x0] as const]) {
        if (value === undefined) continue
        throw new ExtremaError('ERR_OPTION', `${name}: expected none for a direct method, got ${describe(value)}`)
      }
    }
    return { ...common, candidates: [{ method, ...(preconditioner === undefined ? {} : { preconditioner }) }] }
  }
  checkRunOptions(rest, autoNames)
  nonNegative('tolerance', rest.tolerance, 1e-8)
  const chosen = choose(data, rows, columns)
  // Who brings a start or a preconditioner wants an iteration.
  const candidates =
    preconditioner === undefined && x0 === undefined ? chosen : chosen.filter((one) => !isDirect(one.method))
  if (preconditioner !== undefined) {
    return { ...common, candidates: candidates.map(({ method }) => ({ method, preconditioner })) }
  }
  return { ...common, candidates }
}

/** n³ operations take seconds, and n² numbers half a gigabyte. */
const mostDense = 8192
/** Sparse matrices are filled up where others have failed. */
const mostFilled = 2048
/** Sparse factors: always up to so many rows, */
const fewRows = 512
/** and where a band of width p takes no more than n p² operations and n p numbers. */
const mostBandOperations = 1e8
const mostBandEntries = 1e7

/** By what the matrix is; see docs/linear.md. */
function choose(data: OperatorData | null, rows: number, columns: number): Candidate[] {
  if (data === null) return rows === columns ? [{ method: 'gmres' }, { method: 'bicgstab' }] : [{ method: 'lsqr' }]
  const isSmall = Math.max(rows, columns) <= mostDense
  if (rows !== columns) {
    const isTall = data.kind === 'dense' && rows > columns && columns <= mostDense
    return isTall ? [{ method: 'qr' }, { method: 'lsqr' }] : [{ method: 'lsqr' }]
  }
  if (data.kind === 'low-rank' || data.kind === 'kronecker' || data.kind === 'block') {
    return [{ method: data.kind === 'low-rank' ? 'minres' : 'gmres' }]
  }
  const diagonal = diagonalOf(data)
  const isPositive = diagonal.every((value) => value > 0)
  if (data.kind === 'dense' && isSmall) {
    return isPositive && firstRowIsFirstColumn(data)
      ? [{ method: 'cholesky' }, { method: 'lu' }, { method: 'minres' }]
      : [{ method: 'lu' }, { method: 'gmres' }]
  }
  if (data.kind === 'dense') {
    // Whether it is symmetric is left to the probe of the methods: a scan would hold up the event loop.
    return isPositive && firstRowIsFirstColumn(data)
      ? [{ method: 'conjugateGradient', preconditioner: { kind: 'jacobi' } }, { method: 'minres' }, { method: 'gmres' }]
      : [{ method: 'gmres' }, { method: 'bicgstab' }]
  }
  const filled: Candidate[] = rows <= mostFilled ? [{ method: 'lu' }] : []
  const isGrid = data.kind === 'stencil' || data.kind === 'constant-stencil'
  const entries = isGrid ? null : rowsOf('matrix', data)
  const jacobi = diagonal.every((value) => value !== 0) ? { preconditioner: { kind: 'jacobi' } as const } : {}
  if (entries !== null && asymmetry(entries) !== null) {
    return [{ method: 'gmres', ...jacobi }, { method: 'bicgstab', ...jacobi }, ...filled]
  }
  if (!isPositive) return [{ method: 'minres' }, ...filled]
  const band = isGrid ? gridBand(data.grid) : bandOf(entries!)
  const isBanded = rows * band ** 2 <= mostBandOperations && rows * band <= mostBandEntries
  return [
    ...(rows <= fewRows || isBanded ? [{ method: 'sparseCholesky' } as const] : []),
    { method: 'conjugateGradient', preconditioner: { kind: 'incomplete-cholesky' } },
    { method: 'minres', ...jacobi },
    ...filled,
  ]
}

/** Enough to spare most general matrices the test for symmetry, which `cholesky` makes. */
function firstRowIsFirstColumn({ data, columns }: { data: Float64Array; columns: number }): boolean {
  for (let j = 0; j < columns; j++) if (data[j] !== data[j * columns]) return false
  return true
}

/** How far from the diagonal entries are. */
function bandOf({ rows, indptr, indices }: { rows: number; indptr: Int32Array; indices: Int32Array }): number {
  let band = 0
  for (let i = 0; i < rows; i++) if (indptr[i + 1] > indptr[i]) band = Math.max(band, i - indices[indptr[i]])
  return band
}

const gridBand = (grid: readonly number[]) => grid.slice(1).reduce((cells, length) => cells * length, 1)

/** Each method checks its own problem and options. */
interface AnyMethod {
  run(problem: PreconditionedProblem, options: IterativeOptions): Promise<LinearSolution>
  runSync(problem: PreconditionedProblem, options: IterativeOptions): LinearSolution
}

function* attempt({ matrix, data, b, x0, options }: Plan, candidate: Candidate, run: Run): Step<LinearSolution> {
  const { method, preconditioner } = candidate
  if (isDirect(method)) {
    if (data === null) {
      throw new ExtremaError(
        'ERR_OPTION',
        `matrix: expected one with entries for '${method}', got one with matvec only`,
      )
    }
    const side = checkVector('b', b, checkOperator('matrix', matrix).rows)
    return yield* directSteps(method, matrix as PreparedOperator, data, side, options, run)
  }
  const problem: PreconditionedProblem = {
    matrix,
    b,
    ...(x0 === undefined ? {} : { x0 }),
    ...(preconditioner === undefined ? {} : { preconditioner }),
  }
  const form: AnyMethod = iterativeMethods[method]
  return yield* either(
    run,
    () => form.runSync(problem, options),
    () => form.run(problem, options),
  )
}

/** What shows that a matrix is not of the kind that a method is for; `cholesky` finds one that is not symmetric. */
function takesOver(error: unknown, method: SolveMethod): error is ExtremaError {
  if (!(error instanceof ExtremaError)) return false
  return (
    error.code === 'ERR_NOT_POSITIVE' ||
    error.code === 'ERR_SINGULAR' ||
    (method === 'cholesky' && error.code === 'ERR_SHAPE')
  )
}

function* steps(plan: Plan, run: Run): Step<SolveSolution> {
  const start = performance.now()
  const attempts: SolveAttempt[] = []
  const reasons: string[] = []
  let best: (LinearSolution & { method: SolveMethod }) | null = null
  let failure: ExtremaError | null = null
  let isDefinite = true
  for (const candidate of plan.candidates) {
    const { method } = candidate
    if (method === 'conjugateGradient' && !isDefinite) continue
    const limit = plan.options.timeLimit
    const rest = limit === undefined ? limit : limit - (performance.now() - start)
    if (attempts.length > 0 && rest !== undefined && rest <= 0) {
      if (best !== null) break
      // An iteration ends at once and says that time is up; a factorization would run to its end.
      if (isDirect(method)) continue
    }
    const own =
      rest === undefined || attempts.length === 0
        ? plan
        : { ...plan, options: { ...plan.options, timeLimit: Math.max(Number.MIN_VALUE, rest) } }
    try {
      const solution = yield* attempt(own, candidate, run)
      const { status, iterations, residual } = solution
      attempts.push({ method, outcome: status, iterations, residual })
      // NaN is worse than any number.
      if (best === null || status === 'converged' || residual < best.residual || Number.isNaN(best.residual)) {
        best = { ...solution, method }
      }
      if (status !== 'stalled') break
      reasons.push(`${method} stalled at ${residual.toExponential(1)}`)
    } catch (error) {
      if (plan.candidates.length === 1 || !takesOver(error, method)) throw error
      failure = error
      attempts.push({ method, outcome: error.code, iterations: 0, residual: null })
      reasons.push(`${method}: ${error.message}`)
      if (error.code === 'ERR_NOT_POSITIVE') isDefinite = false
    }
  }
  if (best === null) throw failure
  const note = attempts.length > 1 ? { note: `${reasons.join('; ')}; the solution is that of ${best.method}` } : {}
  return { ...best, attempts, elapsed: performance.now() - start, ...note }
}

/**
 * A x = b by the method that suits A: a dense factorization (`cholesky` where A looks symmetric positive definite, `lu`, or
 * `qr` for more rows than columns), a sparse one where it is small or banded, conjugate gradients with incomplete Cholesky
 * for other symmetric matrices, `minres` where they are not positive definite, `gmres` for other square ones and for
 * oracles, `lsqr` for the rest. Where a method finds that A is not of its kind, or stalls, the next one takes over:
 * `attempts` tells all, and `note` why. `method` names another one; `solution.method` says which it was.
 *
 * Direct methods refine their solution until ‖b - A x‖ <= tolerance ‖b‖, up to three times; `iterations` counts that.
 *
 * @throws {ExtremaError} what the method throws; `ERR_SINGULAR` for singular dense matrices.
 */
export async function solve(
  matrix: OperatorLike,
  b: PreconditionedProblem['b'],
  options: SolveOptions = {},
): Promise<SolveSolution> {
  const planned = plan(matrix, b, options)
  return drive((run) => steps(planned, run), controlOf(planned))
}

/** {@link solve} on the calling thread. */
export function solveSync(
  matrix: OperatorLike,
  b: PreconditionedProblem['b'],
  options: SolveOptions = {},
): SolveSolution {
  const planned = plan(matrix, b, options)
  return driveSync((run) => steps(planned, run), controlOf(planned))
}

/** Of the steps between the methods, which report their own progress and keep their own time. */
function controlOf({ options: { signal } }: Plan): Control {
  return { timeLimit: Number.POSITIVE_INFINITY, ...(signal === undefined ? {} : { signal }) }
}
