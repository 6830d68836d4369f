import { kernels } from '../backend/index.js'
import type { Kernel, Kernels } from '../backend/kernels.js'
import {
  iterativeField as field,
  type IterativeJob,
  type IterativeSettings,
  iterativeReportLength,
  type MultiplyJob,
  type OperatorData,
} from '../backend/linear-sparse.js'
import { checkRunOptions, type RunOptions, runNames } from '../backend/options.js'
import type { System } from '../backend/portable/linear/course.js'
import type { Apply, Step, Watch } from '../backend/portable/linear/step.js'
import { checkFinite, shapeText, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, flag, nonNegative, type SolverOptions, whole } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import { callKernel, drive, driveSync, type Run } from './drive.js'
import { type CheckedOperator, checkOperator, type OperatorLike } from './operator.js'
import { oracleApply } from './oracle.js'
import {
  type CheckedPreconditioner,
  checkPreconditioner,
  type Preconditioner,
  preconditionerSteps,
  resolvePreconditioner,
} from './preconditioner.js'

/** A system of linear equations A x = b. */
export interface LinearProblem {
  /** A: a matrix or another operator, or `{ shape, matvec, rmatvec? }`. */
  matrix: OperatorLike
  b: VectorLike
  /** Where to start. Default 0. */
  x0?: VectorLike
}

export interface PreconditionedProblem extends LinearProblem {
  preconditioner?: Preconditioner
}

export interface IterativeOptions extends SolverOptions {
  /** Stop at ‖b - A x‖ <= tolerance ‖b‖. Default 1e-8. */
  tolerance?: number
  /** Keep the relative residual at the start and after each iteration (the first million) in `solution.history`. Default false. */
  history?: boolean
}

export interface SymmetricOptions extends IterativeOptions {
  /** Refuse a matrix that is not symmetric, as two products with random vectors show. Default true. */
  checkSymmetry?: boolean
}

export interface LinearSolution extends Solution {
  x: Float64Array
  /** Products with A, or what costs as much. */
  matvecs: number
  /** With `history: true`. */
  history?: Float64Array
}

export const problemNames: ReadonlySet<string> = new Set(['matrix', 'b', 'x0'])
export const preconditionedNames: ReadonlySet<string> = new Set([...problemNames, 'preconditioner'])
export const iterativeNames = ['tolerance', 'maxIterations', ...runNames, 'history'] as const

const mostHistory = 2 ** 20

/** A system after its checks, scaled so that ‖b‖ is about 1. */
export interface Prepared {
  start: number
  run: RunOptions
  kernels: Kernels
  matrix: CheckedOperator
  preconditioner: CheckedPreconditioner
  b: Float64Array
  x: Float64Array
  /** b and x are to be multiplied by this. */
  scale: number
  nullVector: Float64Array | null
  settings: IterativeSettings
  history: Float64Array | null
}

export interface Form {
  problemNames: ReadonlySet<string>
  optionNames: ReadonlySet<string>
  square: boolean
  /** The default of `maxIterations` for n unknowns. */
  iterations(n: number): number
}

export function prepareSystem(
  problem: PreconditionedProblem,
  options: SymmetricOptions,
  form: Form,
  own: Partial<IterativeSettings> = {},
): Prepared {
  const start = performance.now()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { matrix, b }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, form.problemNames)
  const run = checkRunOptions(options, form.optionNames)
  run.control.signal?.throwIfAborted()
  const matrix = checkOperator('matrix', problem.matrix)
  if (form.square && matrix.rows !== matrix.columns) {
    throw new ExtremaError('ERR_SHAPE', `matrix: expected a square one, got ${shapeText(matrix.rows, matrix.columns)}`)
  }
  const given = checkVector('b', problem.b, matrix.rows)
  const start0 = problem.x0 === undefined ? null : checkVector('x0', problem.x0, matrix.columns)
  const scale = powerOfTwo(given)
  const maxIterations = whole('maxIterations', options.maxIterations, form.iterations(matrix.columns), 1)
  return {
    start,
    run,
    kernels: kernels(run.backend),
    matrix,
    preconditioner: checkPreconditioner('preconditioner', problem.preconditioner, matrix),
    b: given.map((value) => value / scale),
    x: start0 === null ? new Float64Array(matrix.columns) : start0.map((value) => value / scale),
    scale,
    nullVector: null,
    settings: {
      tolerance: nonNegative('tolerance', options.tolerance, 1e-8),
      maxIterations,
      threads: run.threads,
      omega: 1,
      restart: 30,
      damp: 0,
      checkSymmetry: flag('checkSymmetry', options.checkSymmetry, true),
      ...own,
    },
    history: flag('history', options.history, false)
      ? new Float64Array(Math.min(maxIterations + 1, mostHistory))
      : null,
  }
}

export function checkVector(name: string, given: VectorLike, length: number): Float64Array {
  const vector = toFloat64(name, given)
  if (vector.length !== length) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${length} numbers to match the matrix, got ${vector.length}`)
  }
  return checkFinite(name, vector)
}

/** A power of two near ‖b‖: to divide by it loses nothing, and squares neither overflow nor vanish. */
function powerOfTwo(b: Float64Array): number {
  let most = 0
  for (const value of b) most = Math.max(most, Math.abs(value))
  if (most === 0) return 1
  let squares = 0
  for (const value of b) squares += (value / most) ** 2
  const exponent = Math.round(Math.log2(most) + Math.log2(squares) / 2)
  return 2 ** Math.min(1023, Math.max(-1022, exponent))
}

/** The products with A, by a kernel or by the caller's functions. */
function operatorSteps(
  { matrix, kernels, settings }: Prepared,
  run: Run,
): { apply: Apply; applyTranspose: Apply | undefined } {
  const { data, oracle, rows, columns } = matrix
  if (data === null) {
    const transpose = oracle.rmatvec?.bind(oracle)
    return {
      apply: oracleApply('matvec', (x) => oracle.matvec(x), rows),
      applyTranspose: transpose && oracleApply('rmatvec', transpose, columns),
    }
  }
  const product = (isTransposed: boolean): Apply =>
    function* (x, out) {
      const { threads } = settings
      const job: MultiplyJob = { operator: data, transpose: isTransposed, count: 1, x, out, threads, check: false }
      yield* callKernel(kernels.linear.multiply, job, run, false)
    }
  return { apply: product(false), applyTranspose: product(true) }
}

type Iteration = (system: System, monitor: Watch) => Step<void>
type KernelOf = (kernels: Kernels) => Kernel<IterativeJob>

export interface Iterated {
  solution: LinearSolution
  report: Float64Array
}

/** Runs a method to its end: its kernel where all is data, otherwise its steps around the caller's functions. */
export function* iterate(prepared: Prepared, kernelOf: KernelOf, iteration: Iteration, run: Run): Step<Iterated> {
  const { matrix, b, x, nullVector, settings, history, kernels } = prepared
  const report = new Float64Array(iterativeReportLength)
  const n = matrix.columns
  const { apply, applyTranspose } = operatorSteps(prepared, run)
  const preconditioner = yield* resolvePreconditioner(prepared.preconditioner, { apply, b, x, n }, kernels, run)
  if (matrix.data !== null && (preconditioner === null || preconditioner.data !== null)) {
    const job: IterativeJob = {
      operator: matrix.data,
      preconditioner: preconditioner === null ? null : preconditioner.data,
      ...{ b, x, nullVector, settings, history, report },
    }
    yield* callKernel(kernelOf(kernels), job, run, true)
  } else {
    const steps = preconditionerSteps(preconditioner, run)
    const system: System = {
      n,
      rows: matrix.rows,
      apply,
      applyTranspose,
      precondition: steps?.apply ?? null,
      half: steps?.half,
      halfTranspose: steps?.halfTranspose,
      ...{ b, x, nullVector, settings, history, report },
    }
    yield* iteration(system, run.monitor)
  }
  return { solution: finish(prepared, report), report }
}

export function finish({ start, x, scale, history, kernels }: Prepared, report: Float64Array): LinearSolution {
  for (let i = 0; i < x.length; i++) {
    x[i] *= scale
    if (Number.isFinite(x[i])) continue
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      `x[${i}]: expected a solution within the range of float64, got an overflow`,
    )
  }
  const solution: LinearSolution = {
    status: statuses[report[field.ended]],
    iterations: report[field.iterations],
    residual: report[field.residual],
    elapsed: performance.now() - start,
    backend: kernels.name,
    x,
    matvecs: report[field.matvecs],
  }
  if (history !== null) solution.history = history.slice(0, report[field.historyLength])
  return solution
}

/** Both forms of a solver from its checks and its steps. */
export function bothForms<Problem, Options, Found>(
  prepare: (problem: Problem, options: Options) => Prepared,
  steps: (prepared: Prepared, run: Run) => Step<Found>,
) {
  return {
    async run(problem: Problem, options: Options): Promise<Found> {
      const prepared = prepare(problem, options)
      return drive((run) => steps(prepared, run), prepared.run.control)
    },
    runSync(problem: Problem, options: Options): Found {
      const prepared = prepare(problem, options)
      return driveSync((run) => steps(prepared, run), prepared.run.control)
    },
  }
}

/** The steps of a method whose solution has no fields of its own. */
export function plainSteps(kernelOf: KernelOf, iteration: Iteration) {
  return function* (prepared: Prepared, run: Run): Step<LinearSolution> {
    return (yield* iterate(prepared, kernelOf, iteration, run)).solution
  }
}

/** Rows without entries whose equation has no solution are named. */
export function checkZeroRows(operator: OperatorData, b: Float64Array): void {
  const isZero =
    operator.kind === 'csr'
      ? (i: number) => operator.indptr[i] === operator.indptr[i + 1]
      : operator.kind === 'stencil'
        ? (i: number) => operator.center[i] === 0
        : null
  if (isZero === null) return
  for (let i = 0; i < b.length; i++) {
    if (b[i] === 0 || !isZero(i)) continue
    throw new ExtremaError('ERR_INFEASIBLE', `b[${i}]: expected 0, as row ${i} of the matrix is zero, got ${b[i]}`)
  }
}
