import { kernels } from '../backend/index.js'
import type { Kernels } from '../backend/kernels.js'
import { checkRunOptions, type RunOptions, runNames } from '../backend/options.js'
import {
  type ExactJob,
  type ExactPlan,
  type ExactProblemData,
  type ExactSettings,
  exactField,
  exactReportLength,
  isArcs,
} from '../backend/transport-exact.js'
import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, type SolverOptions, whole } from '../core/options.js'
import { allPotentials } from './exact-potentials.js'
import { type CheckedExactProblem, checkExactProblem, type ExactTransportProblem } from './exact-problem.js'
import { BasicSolution, checkOutcome, type ExactSolution } from './exact-solution.js'
import { checkStart, startPotential } from './options.js'
import { checkKept } from './plan-view.js'
import type { Potentials } from './solve.js'

export interface ExactOptions extends SolverOptions {
  /**
   * Stop as soon as the residual (the gap between what the plan costs and what the potentials prove, relative to the sizes
   * of the terms of both) is no larger. Default 0: go on until no arc is violated, which proves the plan optimal.
   */
  tolerance?: number
  /** Most pivots. Default: no limit. */
  maxIterations?: number
  /** Potentials to start from, as in `solution.potentials`. */
  warmStart?: { f: VectorLike; g: VectorLike }
}

export const exactNames: ReadonlySet<string> = new Set(['tolerance', 'maxIterations', 'warmStart', ...runNames])

export interface CheckedExactOptions extends RunOptions {
  settings: ExactSettings
  warmStart: ExactOptions['warmStart']
}

export function checkExactOptions(options: ExactOptions, names = exactNames): CheckedExactOptions {
  const run = checkRunOptions(options, names)
  const warmStart = checkStart(options.warmStart)
  const settings = {
    tolerance: nonNegative('tolerance', options.tolerance, 0),
    maxIterations: whole('maxIterations', options.maxIterations, Number.POSITIVE_INFINITY, 1),
    threads: run.threads,
    warm: warmStart !== undefined,
  }
  return { ...run, settings, warmStart }
}

export interface Prepared {
  problem: CheckedExactProblem
  options: CheckedExactOptions
  kernels: Kernels
  job: ExactJob
  start: number
}

export function prepareExact(problem: ExactTransportProblem, options: CheckedExactOptions): Prepared {
  const start = performance.now()
  options.control.signal?.throwIfAborted()
  const checked = checkExactProblem(problem, true)
  const job = exactJob(
    checked.reduced,
    options.settings,
    startPotential('f', options.warmStart, checked.n, checked.rows),
    startPotential('g', options.warmStart, checked.m, checked.columns),
  )
  return { problem: checked, options, kernels: kernels(options.backend), job, start }
}

export async function runExact(prepared: Prepared): Promise<ExactSolution> {
  const { job, options } = prepared
  await prepared.kernels.transport.emd.run(job, options.control)
  checkBorrowed(prepared.problem)
  checkOutcome(prepared.problem, job)
  return makeSolution(prepared, job, await potentialsOf(prepared, job.f, job.g), performance.now() - prepared.start)
}

export function runExactSync(prepared: Prepared): ExactSolution {
  const { job, options } = prepared
  prepared.kernels.transport.emd.runSync(job, options.control)
  checkOutcome(prepared.problem, job)
  return makeSolution(prepared, job, potentialsOfSync(prepared, job.f, job.g), performance.now() - prepared.start)
}

/** Solves many problems with the same options, side by side, a thread each. */
export async function solveExactBatch(
  problems: readonly ExactTransportProblem[],
  options: CheckedExactOptions,
): Promise<ExactSolution[]> {
  const start = performance.now()
  options.control.signal?.throwIfAborted()
  if (!Array.isArray(problems)) {
    throw new ExtremaError('ERR_SHAPE', `problems: expected an array of problems, got ${describe(problems)}`)
  }
  if (options.warmStart !== undefined) {
    throw new ExtremaError(
      'ERR_OPTION',
      `warmStart: expected for single problems only, got a batch of ${problems.length}`,
    )
  }
  if (problems.length === 0) return []
  const checked = problems.map((problem, k) => inProblem(k, () => checkExactProblem(problem, false)))
  const rows = checked.reduce((total, { reduced }) => total + reduced.n, 0)
  const columns = checked.reduce((total, { reduced }) => total + reduced.m, 0)
  const job = {
    problems: checked.map(({ reduced }) => reduced),
    settings: options.settings,
    f: new Float64Array(rows),
    g: new Float64Array(columns),
    plan: emptyPlan(rows + columns - checked.length),
    report: new Float64Array(checked.length * exactReportLength),
  }
  const chosen = kernels(options.backend)
  await chosen.transport.emdBatch.run(job, options.control)

  const elapsed = (performance.now() - start) / checked.length
  const solutions: ExactSolution[] = []
  let [i, j, arc] = [0, 0, 0]
  for (let k = 0; k < checked.length; k++) {
    const problem = checked[k]
    const { n, m } = problem.reduced
    const { row, column, mass } = job.plan
    const part = {
      plan: {
        row: row.subarray(arc, arc + n + m - 1),
        column: column.subarray(arc, arc + n + m - 1),
        mass: mass.subarray(arc, arc + n + m - 1),
      },
      report: job.report.subarray(k * exactReportLength, (k + 1) * exactReportLength),
      // Copies, so that no solution keeps the memory of all others.
      f: job.f.slice(i, i + n),
      g: job.g.slice(j, j + m),
    }
    i += n
    j += m
    arc += n + m - 1
    const prepared = { problem, options, kernels: chosen }
    solutions.push(
      await inProblemAsync(k, async () => {
        checkBorrowed(problem)
        checkOutcome(problem, part)
        return makeSolution(prepared, part, await potentialsOf(prepared, part.f, part.g), elapsed)
      }),
    )
  }
  return solutions
}

/** A job with room for its results. */
export function exactJob(
  problem: ExactProblemData,
  settings: ExactSettings,
  f: Float64Array = new Float64Array(problem.n),
  g: Float64Array = new Float64Array(problem.m),
): ExactJob {
  const plan = emptyPlan(problem.n + problem.m - 1)
  return { problem, settings, f, g, plan, report: new Float64Array(exactReportLength) }
}

function emptyPlan(length: number): ExactPlan {
  return { row: new Int32Array(length), column: new Int32Array(length), mass: new Float64Array(length) }
}

/** Large costs are borrowed: whoever has transferred them away in the meantime gets an error instead of numbers. */
export function checkBorrowed({ reduced }: CheckedExactProblem): void {
  if (!isArcs(reduced.cost)) checkKept(reduced.cost)
}

type Solver = Pick<Prepared, 'problem' | 'options' | 'kernels'>

async function potentialsOf(
  { problem, options, kernels }: Solver,
  f: Float64Array,
  g: Float64Array,
): Promise<Potentials> {
  const steps = allPotentials(problem, f, g, options.threads)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    await kernels.transport.transform.run(value, options.control)
  }
}

function potentialsOfSync({ problem, options, kernels }: Solver, f: Float64Array, g: Float64Array): Potentials {
  const steps = allPotentials(problem, f, g, options.threads)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    kernels.transport.transform.runSync(value, options.control)
  }
}

function makeSolution(
  { problem, kernels }: Solver,
  { plan, report }: Pick<ExactJob, 'plan' | 'report'>,
  potentials: Potentials,
  elapsed: number,
): ExactSolution {
  const { rows, columns } = problem
  const entries = report[exactField.entries]
  const arcs = {
    row: plan.row.slice(0, entries).map((i) => rows?.[i] ?? i),
    column: plan.column.slice(0, entries).map((j) => columns?.[j] ?? j),
    mass: plan.mass.slice(0, entries),
  }
  return new BasicSolution(problem, arcs, report, potentials, elapsed, kernels.name)
}

export function inProblem<T>(k: number, body: () => T): T {
  try {
    return body()
  } catch (error) {
    throw nameProblem(k, error)
  }
}

async function inProblemAsync<T>(k: number, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    throw nameProblem(k, error)
  }
}

export function nameProblem(k: number, error: unknown): unknown {
  if (!(error instanceof ExtremaError)) return error
  return new ExtremaError(error.code, `problems[${k}].${error.message}`, { cause: error })
}
