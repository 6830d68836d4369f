import { kernels } from '../backend/index.js'
import {
  type BatchJob,
  type Control,
  type Kernels,
  reportField,
  reportLength,
  type SolveJob,
  type TransformJob,
} from '../backend/kernels.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { type OrderedClouds, type OrderUses, orderClouds, orderUses, scatter } from './multiscale.js'
import { type CheckedOptions, startPotential } from './options.js'
import { checkKept } from './plan-view.js'
import { type CheckedProblem, checkProblem, type TransportProblem } from './problem.js'
import { type Program, remaining, runProgram, runProgramSync } from './program.js'
import { historyOf, spread } from './report.js'
import { EntropicSolution, type TransportSolution } from './solution.js'

export type Method = 'sinkhorn' | 'sinkhornNewtonSparse'

/** Reports whose numbers have been read: allocating one costs as much as a small solve. */
const reports: Float64Array[] = []

interface Prepared {
  problem: CheckedProblem
  options: CheckedOptions
  kernels: Kernels
  job: SolveJob
  /** Of the order of the points. */
  uses: OrderUses
  control: Control
  start: number
}

function prepare(method: Method, problem: TransportProblem, options: CheckedOptions): Prepared {
  const start = performance.now()
  options.control.signal?.throwIfAborted()
  const checked = checkProblem(problem, true)
  const uses =
    method === 'sinkhorn'
      ? orderUses(checked.reduced, options, options.warmStart !== undefined)
      : { multiscale: false, truncation: false }
  const job: SolveJob = {
    problem: checked.reduced,
    settings: uses.truncation ? { ...options.settings, truncated: true } : options.settings,
    f: startPotential('f', options.warmStart, checked.n, checked.rows),
    g: startPotential('g', options.warmStart, checked.m, checked.columns),
    report: reports.pop() ?? new Float64Array(reportLength),
    history: historyOf(options.history, options.settings.maxIterations),
  }
  const { control } = options
  return { problem: checked, options, kernels: kernels(options.backend), job, uses, control, start }
}

/** The preparation of a problem between points that are to be in order, null for others. */
function orderOf({ problem, kernels, job, uses }: Prepared): Program<OrderedClouds> | null {
  if (!uses.multiscale && !uses.truncation) return null
  return orderClouds(kernels, problem.reduced, job.settings, job, uses.multiscale)
}

/** Takes the result back to the caller's order. */
function leaveOrder({ rows, columns, f, g, passes }: OrderedClouds, job: SolveJob): void {
  scatter(f, rows, job.f)
  scatter(g, columns, job.g)
  job.report[reportField.passes] += Math.ceil(passes)
}

/** Runs a solver kernel off the event loop and makes its solution. */
export async function solve(
  method: Method,
  problem: TransportProblem,
  options: CheckedOptions,
): Promise<TransportSolution> {
  const prepared = prepare(method, problem, options)
  const { job, control } = prepared
  const program = orderOf(prepared)
  if (program === null) {
    await prepared.kernels.transport[method].run(job, control)
  } else {
    const clouds = await runProgram(program, { ...control, onProgress: undefined })
    const ordered = { ...job, problem: clouds.problem, f: clouds.f, g: clouds.g }
    await prepared.kernels.transport[method].run(ordered, remaining(control, prepared.start))
    leaveOrder(clouds, job)
  }
  checkKept(prepared.problem.full)
  const { f, g } = expand(prepared.problem, job.f, job.g)
  for (const transform of missingPotentials(prepared.problem, f, g, options.settings.threads)) {
    await prepared.kernels.transport.transform.run(transform, control)
    fillMissing(transform, f, g)
  }
  return finish(method, prepared, f, g)
}

/** Runs a solver kernel here and now. */
export function solveSync(method: Method, problem: TransportProblem, options: CheckedOptions): TransportSolution {
  const prepared = prepare(method, problem, options)
  const { job, control } = prepared
  const program = orderOf(prepared)
  if (program === null) {
    prepared.kernels.transport[method].runSync(job, control)
  } else {
    const clouds = runProgramSync(program, control)
    const ordered = { ...job, problem: clouds.problem, f: clouds.f, g: clouds.g }
    prepared.kernels.transport[method].runSync(ordered, remaining(control, prepared.start))
    leaveOrder(clouds, job)
  }
  const { f, g } = expand(prepared.problem, job.f, job.g)
  for (const transform of missingPotentials(prepared.problem, f, g, options.settings.threads)) {
    prepared.kernels.transport.transform.runSync(transform, control)
    fillMissing(transform, f, g)
  }
  return finish(method, prepared, f, g)
}

/** Solves many problems with the same options, side by side, a thread each. */
export async function solveBatch(
  method: Method,
  problems: readonly TransportProblem[],
  options: CheckedOptions,
): Promise<TransportSolution[]> {
  const start = performance.now()
  options.control.signal?.throwIfAborted()
  if (!Array.isArray(problems)) {
    throw new ExtremaError('ERR_SHAPE', `problems: expected an array of problems, got ${describe(problems)}`)
  }
  const single = {
    warmStart: options.warmStart,
    history: options.history || undefined,
    multiscale: options.multiscale || undefined,
    truncation: options.truncation || undefined,
  }
  for (const [name, given] of Object.entries(single)) {
    if (given === undefined) continue
    throw new ExtremaError(
      'ERR_OPTION',
      `${name}: expected for single problems only, got a batch of ${problems.length}`,
    )
  }
  if (problems.length === 0) return []
  const checked = problems.map(checkItem)
  const job: BatchJob = {
    method,
    problems: checked.map((problem) => problem.reduced),
    settings: options.settings,
    f: new Float64Array(checked.reduce((total, { reduced }) => total + reduced.n, 0)),
    g: new Float64Array(checked.reduce((total, { reduced }) => total + reduced.m, 0)),
    reports: new Float64Array(problems.length * reportLength),
  }
  const chosen = kernels(options.backend)
  const { control } = options
  await chosen.transport.batch.run(job, control)

  const solutions: TransportSolution[] = []
  const elapsed = performance.now() - start
  let fStart = 0
  let gStart = 0
  for (let k = 0; k < checked.length; k++) {
    const problem = checked[k]
    const { reduced } = problem
    checkKept(problem.full, `problems[${k}].`)
    // Copies, so that no solution keeps the memory of all others.
    const { f, g } = expand(problem, job.f.slice(fStart, fStart + reduced.n), job.g.slice(gStart, gStart + reduced.m))
    fStart += reduced.n
    gStart += reduced.m
    for (const transform of missingPotentials(problem, f, g, 1)) {
      await chosen.transport.transform.run(transform, control)
      fillMissing(transform, f, g)
    }
    const report = job.reports.subarray(k * reportLength, (k + 1) * reportLength)
    solutions.push(makeSolution(method, problem, options, chosen.name, f, g, report, null, elapsed / checked.length))
  }
  return solutions
}

function checkItem(problem: TransportProblem, k: number): CheckedProblem {
  try {
    return checkProblem(problem, false)
  } catch (error) {
    if (!(error instanceof ExtremaError)) throw error
    throw new ExtremaError(error.code, `problems[${k}].${error.message}`, { cause: error })
  }
}

export interface Potentials {
  f: Float64Array
  g: Float64Array
}

/** Puts the potentials of the reduced problem at the original nodes; nodes without weight get -Infinity for now. */
export function expand(
  problem: Pick<CheckedProblem, 'n' | 'm' | 'rows' | 'columns'>,
  f: Float64Array,
  g: Float64Array,
): Potentials {
  if (problem.rows === null || problem.columns === null) return { f, g }
  const { n, m, rows, columns } = problem
  return { f: spread(f, rows, n, Number.NEGATIVE_INFINITY), g: spread(g, columns, m, Number.NEGATIVE_INFINITY) }
}

/** The c-transforms that give nodes without weight a potential; the columns' takes in what the rows' has filled in. */
export function* missingPotentials(
  problem: CheckedProblem,
  f: Float64Array,
  g: Float64Array,
  threads: number,
): Generator<TransformJob> {
  const { n, m, full: cost, rows, columns } = problem
  if (rows !== null && rows.length < n) {
    yield { cost, threads, transpose: false, potential: g.slice(), out: new Float64Array(n) }
  }
  if (columns !== null && columns.length < m) {
    checkKept(cost)
    yield { cost, threads, transpose: true, potential: f.slice(), out: new Float64Array(m) }
  }
}

export function fillMissing(
  transform: Pick<TransformJob, 'transpose' | 'out'>,
  f: Float64Array,
  g: Float64Array,
): void {
  const target = transform.transpose ? g : f
  // A node without any arc may have any potential; one that is finite can be started from again.
  const least = target.reduce((x, y) => (y === Number.NEGATIVE_INFINITY ? x : Math.min(x, y)), Number.POSITIVE_INFINITY)
  for (let i = 0; i < target.length; i++) {
    if (target[i] === Number.NEGATIVE_INFINITY)
      target[i] = transform.out[i] === Number.POSITIVE_INFINITY ? least : transform.out[i]
  }
}

function finish(method: Method, prepared: Prepared, f: Float64Array, g: Float64Array): TransportSolution {
  const { problem, options, job } = prepared
  const elapsed = performance.now() - prepared.start
  const solution = makeSolution(method, problem, options, prepared.kernels.name, f, g, job.report, job.history, elapsed)
  reports.push(job.report)
  return solution
}

function makeSolution(
  method: Method,
  problem: CheckedProblem,
  options: CheckedOptions,
  backend: 'native' | 'portable',
  f: Float64Array,
  g: Float64Array,
  report: Float64Array,
  history: Float64Array | null,
  elapsed: number,
): TransportSolution {
  const { epsilon, threads, certificate } = options.settings
  const plan = {
    cost: problem.full,
    epsilon,
    threads,
    f: withoutMass(f, problem.full.a, problem.rows),
    g: withoutMass(g, problem.full.b, problem.columns),
  }
  const newton = method === 'sinkhornNewtonSparse'
  return new EntropicSolution({
    plan,
    potentials: { f, g },
    report,
    certificate,
    newton,
    truncated: method === 'sinkhorn' && problem.reduced.metric !== 'dense',
    history,
    elapsed,
    backend,
  })
}

/** Potentials for reading the plan: nodes without weight must not receive any. */
export function withoutMass(potential: Float64Array, weights: Float64Array, kept: Int32Array | null): Float64Array {
  if (kept === null) return potential
  return potential.map((value, i) => (weights[i] > 0 ? value : Number.NEGATIVE_INFINITY))
}
