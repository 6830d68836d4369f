import { kernels } from '../backend/index.js'
import { type Control, type Kernels, reportLength } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import { scanField } from '../backend/transport-gromov.js'
import type { Csr, MatrixLike, NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, flag, nonNegative, positive, type SolverOptions, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { type Generator, generator } from '../random/index.js'
import { type Descent, entropicDescent, entropicSettings, frankWolfe, GromovState } from './gromov-descent.js'
import {
  type CheckedGromov,
  checkGromovKept,
  checkGromovProblem,
  checkScan,
  type GromovWassersteinProblem,
  part,
  readRectangle,
  scanJob,
} from './gromov-problem.js'
import { call, type Program, runProgram, runProgramSync } from './program.js'
import { total } from './sparse-plan.js'

export type { GromovWassersteinProblem } from './gromov-problem.js'

export interface GromovWassersteinOptions extends SolverOptions {
  /** Weight of the structural part, in [0, 1]; 1 - alpha that of the features. Default 1, with features 0.5. */
  alpha?: number
  /** Strength of an entropic term, > 0, in units of the objective: + epsilon sum T (log T - 1). Default: none, exact. */
  epsilon?: number
  /**
   * Stop when the residual is at most this. Exact: the Frank-Wolfe gap relative to the objective's scale; entropic: the
   * relative change sum |S - T| / sum(a) of the plan by one more iteration. Default 1e-9.
   */
  tolerance?: number
  /** Default 1000, of each start. */
  maxIterations?: number
  /** A plan to start from, n × m with the marginals a and b (to 1e-6 relative). Default: a bᵀ. */
  start?: MatrixLike
  /** How many starts: the first as above, the others random plans. The best result is returned. Default 1. */
  starts?: number
  /** Of the random starts. Default 0. */
  seed?: number | bigint
  /** Keep the objective before every iteration in `solution.history`. Default false. */
  history?: boolean
}

export interface GromovWassersteinSolution extends Solution {
  /**
   * E(T) = (1 - alpha) <M, T> + alpha sum_ijkl (C1_ik - C2_jl)² T_ij T_kl of this plan: an upper bound of the minimum,
   * which is hard to find or to prove.
   */
  value: number
  /** value + epsilon sum T (log T - 1), with `epsilon`. */
  regularizedValue?: number
  /** (|T1 - a|_1 + |Tᵀ1 - b|_1) / sum(a), measured on this plan. */
  marginalError: number
  /** Which start led here, 0 for the first. */
  start: number
  /** The n × m plan, a copy. */
  plan(): NdArray
  /** The entries of the plan that are >= threshold (> 0). */
  sparsePlan(threshold: number): Csr
  /** Objective before every iteration of this start, with `history: true`. */
  history?: Float64Array
}

const names: ReadonlySet<string> = new Set([
  ...['alpha', 'epsilon', 'tolerance', 'maxIterations', 'start', 'starts', 'seed', 'history'],
  ...runNames,
])

/**
 * Gromov-Wasserstein transport with the square loss: a plan between two sets of points that are known by the distances
 * (similarities, adjacencies) within each, such that pairs of points go to pairs of about the same distance,
 *
 *   min over plans T of sum_ijkl (C1_ik - C2_jl)² T_ij T_kl;
 *
 * with `features` the fused form, E(T) = (1 - alpha) <M, T> + alpha (the above).
 *
 * Without `epsilon` by Frank-Wolfe, whose vertices are those of `assignment` where n = m and weights are equal, else of `emd`.
 * With it by iterated entropic transport. The problem is not convex: the solution is a stationary point, and `starts` tries several. An iteration costs O(n² m + n m²), memory is
 * five n × m matrices.
 *
 * @throws {ExtremaError} `ERR_SHAPE` (also for an unsymmetric matrix, naming the entry), `ERR_NOT_FINITE`,
 * `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_OPTION`, `ERR_BUFFER`; the reason of `signal` when aborted.
 *
 * Source: Peyré, Cuturi, Solomon 2016, "Gromov-Wasserstein averaging of kernel and distance matrices"; Vayer, Chapel,
 * Flamary, Tavenard, Courty 2019 (arXiv 1805.09114), algorithms 1 and 2.
 */
export async function gromovWasserstein(
  problem: GromovWassersteinProblem,
  options: GromovWassersteinOptions = {},
): Promise<GromovWassersteinSolution> {
  const prepared = prepare(problem, options)
  const { signal, timeLimit } = prepared.control
  const solution = await runProgram(solve(prepared, progressOf(prepared.control)), { signal, timeLimit })
  checkGromovKept(prepared.problem.full)
  return solution
}

/** {@link gromovWasserstein} on the calling thread. */
export function gromovWassersteinSync(
  problem: GromovWassersteinProblem,
  options: GromovWassersteinOptions = {},
): GromovWassersteinSolution {
  const prepared = prepare(problem, options)
  return runProgramSync(
    solve(prepared, () => {}),
    prepared.control,
  )
}

interface Prepared {
  problem: CheckedGromov
  given: Float64Array | null
  alpha: number
  epsilon: number
  tolerance: number
  maxIterations: number
  starts: number
  random: Generator
  history: boolean
  threads: number
  control: Control
  kernels: Kernels
  begun: number
}

function prepare(problem: GromovWassersteinProblem, options: GromovWassersteinOptions): Prepared {
  const begun = performance.now()
  const { control, backend, threads } = checkRunOptions(options, names, '{ alpha, epsilon, … }')
  const epsilon = options.epsilon === undefined ? 0 : positive('epsilon', options.epsilon)
  const tolerance = nonNegative('tolerance', options.tolerance, 1e-9)
  const maxIterations = whole('maxIterations', options.maxIterations, 1000, 1)
  const starts = whole('starts', options.starts, 1, 1, 10_000)
  const random = generator(options.seed ?? 0)
  const history = flag('history', options.history, false)
  control.signal?.throwIfAborted()
  const checked = checkGromovProblem(problem)
  const { full, rows, columns } = checked
  const alpha = checkAlpha(options.alpha, full.features !== null)
  let given = options.start === undefined ? null : readRectangle('start', options.start, full.n, full.m)
  if (given !== null && rows !== null && columns !== null) given = part(given, full.m, rows, columns)
  const rest = { alpha, epsilon, tolerance, maxIterations, starts, random, history, threads, control, begun }
  return { problem: checked, given, kernels: kernels(backend), ...rest }
}

function checkAlpha(alpha: number | undefined, fused: boolean): number {
  const chosen = alpha ?? (fused ? 0.5 : 1)
  if (typeof chosen !== 'number' || !(chosen >= 0 && chosen <= 1)) {
    throw new ExtremaError('ERR_OPTION', `alpha: expected a number in [0, 1], got ${describe(chosen)}`)
  }
  if (!fused && chosen !== 1) {
    throw new ExtremaError('ERR_OPTION', `alpha: expected 1 where the problem has no features, got ${chosen}`)
  }
  return chosen
}

/** Starts whose results differ by less, relative to the scale of the objective, have found the same. */
const settled = 1e-9

const progressInterval = 50

function progressOf({ onProgress }: Control): (iteration: number, residual: number) => void {
  if (onProgress === undefined) return () => {}
  const start = performance.now()
  let last = Number.NEGATIVE_INFINITY
  return (iteration, residual) => {
    const elapsed = performance.now() - start
    if (elapsed - last < progressInterval) return
    last = elapsed
    onProgress({ iteration, residual, elapsed })
  }
}

function* solve(
  prepared: Prepared,
  report: (iteration: number, residual: number) => void,
): Program<GromovWassersteinSolution> {
  const { problem, alpha, epsilon, tolerance, maxIterations, threads, control, begun } = prepared
  const data = problem.reduced
  const { u, v, scale } = yield* scanProblem(prepared)
  const structure = weighted(data.a, u) + weighted(data.b, v)
  const deadline = begun + control.timeLimit
  const settings = { alpha, epsilon, tolerance, maxIterations, threads, deadline, structure, scale, report }
  let best: { descent: Descent; objective: number; start: number } | undefined
  let iterations = 0
  let state: GromovState | undefined
  for (let k = 0; k < prepared.starts; k++) {
    if (k > 0 && performance.now() >= deadline) break
    // The memory of a start that was not the best serves the next one.
    if (state === undefined || best?.descent.plan === state.plan) {
      state = new GromovState(data, u, v, settings, prepared.kernels)
    }
    yield* startPlan(prepared, k, state.plan)
    const descent: Descent = yield* epsilon > 0 ? entropicDescent(state) : frankWolfe(state)
    iterations += descent.iterations
    const objective = descent.value + (epsilon > 0 ? epsilon * (yield* negativeEntropy(prepared, descent.plan)) : 0)
    if (best === undefined || objective < best.objective - settled * scale) best = { descent, objective, start: k }
  }
  const { descent, objective, start } = best as NonNullable<typeof best>
  const marginalError = yield* measureMarginals(prepared, descent.plan)
  if (Number.isNaN(descent.value) || Number.isNaN(marginalError)) {
    throw new ExtremaError('ERR_NOT_FINITE', 'source, target: expected numbers that stay as they are, got NaN')
  }
  const solution: GromovWassersteinSolution = {
    status: descent.status,
    iterations,
    residual: descent.residual,
    elapsed: performance.now() - begun,
    backend: prepared.kernels.name,
    value: descent.value,
    marginalError,
    start,
    ...planReaders(problem, descent.plan),
  }
  if (epsilon > 0) solution.regularizedValue = objective
  if (prepared.history) solution.history = Float64Array.from(descent.history)
  return solution
}

/** Checks all that takes a pass over a matrix; u = (C1∘C1) a, v = (C2∘C2) b, and the size of the objective. */
function* scanProblem({ problem, given, alpha, threads, kernels }: Prepared): Program<{
  u: Float64Array
  v: Float64Array
  scale: number
}> {
  const { full, reduced, mass } = problem
  const { n, m, features } = full
  const sides: Float64Array[] = []
  let scale = 0
  for (const side of ['source', 'target'] as const) {
    const size = side === 'source' ? n : m
    const weights = side === 'source' ? full.a : full.b
    const squares = new Float64Array(size)
    const job = { ...scanJob(full[side], size, size, threads), symmetric: true, weights, squares }
    yield call(kernels.transport.gromovScan, job)
    const largest = checkScan(side, job)
    if (!Number.isFinite(largest * largest * mass * mass)) {
      throw new ExtremaError('ERR_NOT_FINITE', `${side}: expected entries with finite squares, got ${largest}`)
    }
    scale += alpha * weighted(weights, squares)
    const kept = side === 'source' ? problem.rows : problem.columns
    sides.push(kept === null ? squares : Float64Array.from(kept, (i) => squares[i]))
  }
  if (features !== null) {
    const job = scanJob(features, n, m, threads)
    yield call(kernels.transport.gromovScan, job)
    scale += (1 - alpha) * checkScan('features', job) * mass
  }
  if (given !== null) yield* checkStart(given, reduced.n, reduced.m, reduced.a, reduced.b, threads, kernels)
  return { u: sides[0], v: sides[1], scale: scale > 0 ? scale : 1 }
}

const startTolerance = 1e-6

function* checkStart(
  given: Float64Array,
  n: number,
  m: number,
  a: Float64Array,
  b: Float64Array,
  threads: number,
  kernels: Kernels,
): Program<void> {
  const job = { ...scanJob(given, n, m, threads), rowSums: new Float64Array(n), columnSums: new Float64Array(m) }
  yield call(kernels.transport.gromovScan, job)
  checkScan('start', job)
  const negative = job.report[scanField.negative]
  if (negative >= 0) {
    const place = `start[${Math.floor(negative / m)}][${negative % m}]`
    throw new ExtremaError('ERR_NOT_POSITIVE', `${place}: expected a number >= 0, got ${given[negative]}`)
  }
  const error = (distance(job.rowSums, a) + distance(job.columnSums, b)) / total(a)
  if (error <= startTolerance) return
  throw new ExtremaError('ERR_MASS', `start: expected a plan with the marginals a and b, got one that misses ${error}`)
}

/** How sharp random starts are: the cost is of order one. */
const startEpsilon = 0.01
const startDimension = 2

/** Writes the plan that start number k begins with. */
function* startPlan(
  { problem, given, random, threads, kernels }: Prepared,
  k: number,
  out: Float64Array,
): Program<void> {
  if (k === 0 && given !== null) {
    out.set(given)
    return
  }
  // The entropic plan between random points; where all of them are at the origin, that is a bᵀ.
  const { n, m, a, b } = problem.reduced
  const d = k === 0 ? 1 : startDimension
  const points = random.split(k)
  const x = k === 0 ? new Float64Array(n) : points.normal(n * d)
  const y = k === 0 ? new Float64Array(m) : points.normal(m * d)
  const cost = { n, m, metric: 'sqeuclidean' as const, x, y, d }
  const epsilon = k === 0 ? 1 : startEpsilon
  const f = a.map((weight) => epsilon * Math.log(weight))
  const g = b.map((weight) => epsilon * Math.log(weight / problem.mass))
  if (k > 0) {
    yield call(kernels.transport.sinkhornNewtonSparse, {
      problem: { ...cost, a, b },
      settings: entropicSettings(epsilon, 1e-13, threads),
      f,
      g,
      report: new Float64Array(reportLength),
      history: null,
    })
  }
  yield call(kernels.transport.plan, { cost, epsilon, f, g, threads, out })
}

/** sum T (log T - 1) */
function* negativeEntropy({ problem, threads, kernels }: Prepared, plan: Float64Array): Program<number> {
  const report = new Float64Array(3)
  yield call(kernels.transport.gromovCompare, { plan, next: plan, entropies: true, threads, report })
  return report[1] - problem.mass
}

function* measureMarginals({ problem, threads, kernels }: Prepared, plan: Float64Array): Program<number> {
  const { n, m, a, b } = problem.reduced
  const job = { ...scanJob(plan, n, m, threads), rowSums: new Float64Array(n), columnSums: new Float64Array(m) }
  yield call(kernels.transport.gromovScan, job)
  return (distance(job.rowSums, a) + distance(job.columnSums, b)) / problem.mass
}

function planReaders({ full, reduced, rows, columns }: CheckedGromov, kept: Float64Array) {
  const { n, m } = full
  const row = (i: number) => (rows === null ? i : rows[i])
  const column = (j: number) => (columns === null ? j : columns[j])
  const plan = (): NdArray => {
    if (rows === null && columns === null) return { data: kept.slice(), shape: [n, m] }
    const data = new Float64Array(n * m)
    for (let i = 0, k = 0; i < reduced.n; i++) {
      for (let j = 0; j < reduced.m; j++, k++) data[row(i) * m + column(j)] = kept[k]
    }
    return { data, shape: [n, m] }
  }
  const sparsePlan = (threshold: number): Csr => {
    const least = positive('threshold', threshold)
    const indptr = new Int32Array(n + 1)
    for (let k = 0; k < kept.length; k++) if (kept[k] >= least) indptr[row(Math.floor(k / reduced.m)) + 1]++
    for (let i = 0; i < n; i++) indptr[i + 1] += indptr[i]
    const indices = new Int32Array(indptr[n])
    const data = new Float64Array(indptr[n])
    for (let k = 0, at = 0; k < kept.length; k++) {
      if (kept[k] < least) continue
      indices[at] = column(k % reduced.m)
      data[at++] = kept[k]
    }
    return { shape: [n, m], indptr, indices, data }
  }
  return { plan, sparsePlan }
}

function weighted(weights: Float64Array, values: Float64Array): number {
  let sum = 0
  // A value of infinite size must not meet a weight of zero.
  for (let i = 0; i < weights.length; i++) if (weights[i] > 0) sum += weights[i] * values[i]
  return sum
}

function distance(x: Float64Array, y: Float64Array): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += Math.abs(x[i] - y[i])
  return sum
}
