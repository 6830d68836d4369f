import type { Control } from '../backend/kernels.js'
import type { CsrData, OperatorData } from '../backend/linear-sparse.js'
import { checkRunOptions } from '../backend/options.js'
import { type Clock, type Step, segment } from '../backend/portable/linear/step.js'
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
  preconditioner: Preconditioner | undefined
  method: 'auto' | SolveMethod
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
  const { data } = checkOperator('matrix', matrix)
  if (method === 'auto' || isDirect(method)) {
    checkRunOptions(rest, method === 'auto' ? autoNames : directNames)
    nonNegative('tolerance', rest.tolerance, 1e-8)
  }
  if (method !== 'auto' && isDirect(method)) {
    for (const [name, value] of [['preconditioner', preconditioner] as const, ['x0', x0] as const]) {
      if (value === undefined) continue
      throw new ExtremaError('ERR_OPTION', `${name}: expected none for a direct method, got ${describe(value)}`)
    }
  }
  return { matrix, data, b, options: rest, x0, preconditioner, method }
}

/** What to try, in this order. */
function* candidatesOf({ matrix, data, x0, preconditioner, method }: Plan, { monitor }: Run): Step<Candidate[]> {
  const own = preconditioner === undefined ? {} : { preconditioner }
  if (method !== 'auto') return [{ method, ...own }]
  const { rows, columns } = checkOperator('matrix', matrix)
  const chosen = yield* choose(data, rows, columns, monitor)
  // Who brings a start or a preconditioner wants an iteration.
  if (preconditioner === undefined && x0 === undefined) return chosen
  return chosen.filter((one) => !isDirect(one.method)).map((one) => ({ ...one, ...own }))
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
function* choose(given: OperatorData | null, rows: number, columns: number, watch: Clock): Step<Candidate[]> {
  if (given === null) return rows === columns ? [{ method: 'gmres' }, { method: 'bicgstab' }] : [{ method: 'lsqr' }]
  const data = upright(given)
  if (rows !== columns) {
    const isTall = data.kind === 'dense' && rows > columns && columns <= mostDense
    return isTall ? [{ method: 'qr' }, { method: 'lsqr' }] : [{ method: 'lsqr' }]
  }
  switch (data.kind) {
    case 'low-rank':
      return [{ method: 'minres' }]
    case 'kronecker':
    case 'block':
      return [{ method: 'gmres' }]
    case 'transposed':
      return rows <= mostDense ? [{ method: 'lu' }, { method: 'gmres' }] : [{ method: 'gmres' }, { method: 'bicgstab' }]
    case 'dense':
      return chooseDense(data)
    case 'csr':
      return chooseSparse(rows, yield* survey(data, watch))
    case 'stencil':
    case 'constant-stencil': {
      const center = data.kind === 'stencil' ? yield* signs(data.center, watch) : signOf(data.center)
      return chooseSparse(rows, { ...center, isSymmetric: true, band: gridBand(data.grid) })
    }
  }
}

/** What counts is the same for a matrix and its transpose, unless it is dense. */
function upright(data: OperatorData): OperatorData {
  if (data.kind !== 'transposed') return data
  const inner = upright(data.of)
  return inner.kind === 'dense' ? data : inner
}

type DenseData = Extract<OperatorData, { kind: 'dense' }>

function chooseDense(data: DenseData): Candidate[] {
  const { data: entries, rows, columns } = data
  let looksDefinite = firstRowIsFirstColumn(data)
  for (let i = 0; looksDefinite && i < rows; i++) looksDefinite = entries[i * (columns + 1)] > 0
  if (rows <= mostDense) {
    return looksDefinite
      ? [{ method: 'cholesky' }, { method: 'lu' }, { method: 'minres' }]
      : [{ method: 'lu' }, { method: 'gmres' }]
  }
  // Whether it is symmetric is left to the probe of the methods.
  return looksDefinite
    ? [{ method: 'conjugateGradient', preconditioner: { kind: 'jacobi' } }, { method: 'minres' }, { method: 'gmres' }]
    : [{ method: 'gmres' }, { method: 'bicgstab' }]
}

/** What decides on the method for a sparse matrix. */
interface Signs {
  /** All of the diagonal. */
  isPositive: boolean
  hasZero: boolean
}

interface Survey extends Signs {
  isSymmetric: boolean
  /** How far from the diagonal entries are. */
  band: number
}

function chooseSparse(rows: number, { isPositive, hasZero, isSymmetric, band }: Survey): Candidate[] {
  const filled: Candidate[] = rows <= mostFilled ? [{ method: 'lu' }] : []
  const jacobi = hasZero ? {} : { preconditioner: { kind: 'jacobi' } as const }
  if (!isSymmetric) return [{ method: 'gmres', ...jacobi }, { method: 'bicgstab', ...jacobi }, ...filled]
  if (!isPositive) return [{ method: 'minres' }, ...filled]
  const isBanded = rows * band ** 2 <= mostBandOperations && rows * band <= mostBandEntries
  return [
    ...(rows <= fewRows || isBanded ? [{ method: 'sparseCholesky' } as const] : []),
    { method: 'conjugateGradient', preconditioner: { kind: 'incomplete-cholesky' } },
    { method: 'minres', ...jacobi },
    ...filled,
  ]
}

/** Enough to spare most general matrices the test for symmetry, which `cholesky` makes. */
function firstRowIsFirstColumn({ data, columns }: DenseData): boolean {
  for (let j = 0; j < columns; j++) if (data[j] !== data[j * columns]) return false
  return true
}

const signOf = (value: number): Signs => ({ isPositive: value > 0, hasZero: value === 0 })

function* signs(diagonal: Float64Array, watch: Clock): Step<Signs> {
  const found: Signs = { isPositive: true, hasZero: false }
  for (let i = 0; i < diagonal.length; i++) {
    if (!(diagonal[i] > 0)) found.isPositive = false
    if (diagonal[i] === 0) found.hasZero = true
    if (i % segment === 0 && watch.due()) yield
  }
  return found
}

function* survey(matrix: CsrData, watch: Clock): Step<Survey> {
  const { rows, indptr, indices, data } = matrix
  const diagonal = new Float64Array(rows)
  let band = 0
  for (let i = 0, seen = 0; i < rows; i++) {
    if (indptr[i + 1] > indptr[i]) band = Math.max(band, i - indices[indptr[i]])
    for (let k = indptr[i]; k < indptr[i + 1] && indices[k] <= i; k++) if (indices[k] === i) diagonal[i] = data[k]
    if (indptr[i + 1] + i - seen < segment) continue
    seen = indptr[i + 1] + i
    if (watch.due()) yield
  }
  const isSymmetric = (yield* asymmetry(matrix, watch)) === null
  return { ...(yield* signs(diagonal, watch)), isSymmetric, band }
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
  const candidates = yield* candidatesOf(plan, run)
  for (const candidate of candidates) {
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
      if (candidates.length === 1 || !takesOver(error, method)) throw error
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
