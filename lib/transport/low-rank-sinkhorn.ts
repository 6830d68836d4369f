import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import { type LowRankJob, lowRankField, lowRankReportLength } from '../backend/transport-low-rank.js'
import { checkBuffer, type FloatArray, type NdArray, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, type SolverOptions, whole } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import { generator } from '../random/index.js'
import { checkScan, scanJob } from './gromov-problem.js'
import { type CheckedProblem, checkProblem, type TransportProblem } from './problem.js'
import { call, type Program, runProgram, runProgramSync } from './program.js'
import { checkSteady } from './report.js'

export interface LowRankOptions extends SolverOptions {
  /** Of the plan: the number of components, at most min(n, m). */
  rank: number
  /** Strength of an entropic term on the factors, in units of the cost. Default 0. */
  epsilon?: number
  /** Stop when the symmetrised divergence of successive factors over the square of the step is at most this. Default 1e-6. */
  tolerance?: number
  /** Default 1000. */
  maxIterations?: number
  /** Of the random start. Default 0. */
  seed?: number | bigint
}

export interface LowRankSolution extends Solution {
  /** <C, P> of this plan, whose marginals are exact: an upper bound of the optimum over all plans. */
  value: number
  /** P = Q diag(1/g) Rᵀ: Q is n × rank with row sums a, R m × rank with row sums b, both with column sums g. */
  factors: { q: NdArray; g: Float64Array; r: NdArray }
  /** The n × m plan, formed now. */
  plan(): NdArray
  /** P v for v of length m, in O((n + m) rank). */
  apply(v: VectorLike): Float64Array
  /** Pᵀ v for v of length n. */
  applyTranspose(v: VectorLike): Float64Array
}

const names: ReadonlySet<string> = new Set([...['rank', 'epsilon', 'tolerance', 'maxIterations', 'seed'], ...runNames])

/**
 * Transport by plans of low rank: min <C,P> over P = Q diag(1/g) Rᵀ with the marginals a and b, by mirror descent with
 * Dykstra's projections. For points with the cost `'sqeuclidean'` time and memory are O((n + m) (rank + d)); other costs
 * are read as a matrix, by two products with it per iteration.
 *
 * The problem is not convex: the result depends on `seed`, and its value is an upper bound only. It never rises from one
 * iteration to the next: a step that would raise the objective is taken back and halved.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_OPTION`, `ERR_BUFFER`; the
 * reason of `signal` when aborted.
 *
 * Source: Scetbon, Cuturi, Peyré 2021, "Low-rank Sinkhorn factorization" (arXiv 2103.04737), algorithms 2 and 3; step of
 * Scetbon, Cuturi 2022 (arXiv 2205.12365).
 */
export async function lowRankSinkhorn(problem: TransportProblem, options: LowRankOptions): Promise<LowRankSolution> {
  const prepared = prepare(problem, options)
  const solution = await runProgram(solve(prepared), prepared.control)
  checkBuffer('cost', prepared.problem.full.x)
  return solution
}

/** {@link lowRankSinkhorn} on the calling thread. */
export function lowRankSinkhornSync(problem: TransportProblem, options: LowRankOptions): LowRankSolution {
  const prepared = prepare(problem, options)
  return runProgramSync(solve(prepared), prepared.control)
}

interface Prepared {
  problem: CheckedProblem
  job: LowRankJob
  control: Control
  kernels: Kernels
  mass: number
  begun: number
}

function prepare(problem: TransportProblem, options: LowRankOptions): Prepared {
  const begun = performance.now()
  const { control, backend, threads } = checkRunOptions(options, names, '{ rank, … }')
  if (options.rank === undefined) {
    throw new ExtremaError('ERR_OPTION', 'rank: expected a whole number >= 1, got undefined')
  }
  const epsilon = nonNegative('epsilon', options.epsilon, 0)
  const tolerance = nonNegative('tolerance', options.tolerance, 1e-6)
  const maxIterations = whole('maxIterations', options.maxIterations, 1000, 1)
  const random = generator(options.seed ?? 0)
  control.signal?.throwIfAborted()
  const checked = checkProblem(problem, true)
  const { metric, n, m, x, y, d, a, b } = checked.reduced
  const rank = whole('rank', options.rank, 1, 1, Math.min(n, m))
  if (metric !== 'dense' && metric !== 'sqeuclidean') {
    throw new ExtremaError('ERR_OPTION', `cost: expected a matrix or 'sqeuclidean' points, got '${metric}'`)
  }
  const mass = a.reduce((sum, weight) => sum + weight, 0)
  const weights = [a, b].map((side) => side.map((weight) => weight / mass))
  const points = metric === 'dense' ? null : pointFactors(x, y as FloatArray, d)
  const job: LowRankJob = {
    rank,
    cost: points === null ? (x instanceof Float64Array ? x : new Float64Array(x)) : null,
    u: points?.u ?? null,
    w: points?.w ?? null,
    factors: points === null ? 0 : d + 2,
    a: weights[0],
    b: weights[1],
    scale: points?.scale ?? 1,
    epsilon,
    tolerance,
    maxIterations,
    threads,
    q: randomFactor(weights[0], random.normal(n * rank), rank),
    r: randomFactor(weights[1], random.normal(m * rank), rank),
    g: new Float64Array(rank),
    report: new Float64Array(lowRankReportLength),
  }
  return { problem: checked, job, control, kernels: kernels(backend), mass, begun }
}

/** |x - y|² = (|x|², 1, -2 x) · (1, |y|², y), about the common mean, so that the squares keep their digits. */
function pointFactors(x: FloatArray, y: FloatArray, d: number) {
  const mean = new Float64Array(d)
  for (const points of [x, y]) for (let k = 0; k < points.length; k++) mean[k % d] += points[k]
  const count = (x.length + y.length) / d
  const width = d + 2
  const side = (points: FloatArray, square: number, factor: number) => {
    const out = new Float64Array((points.length / d) * width)
    let largest = 0
    for (let i = 0; i * d < points.length; i++) {
      let squares = 0
      for (let k = 0; k < d; k++) {
        const value = points[i * d + k] - mean[k] / count
        squares += value * value
        out[i * width + 2 + k] = factor * value
      }
      out[i * width + square] = squares
      out[i * width + 1 - square] = 1
      largest = Math.max(largest, squares)
    }
    return { out, largest }
  }
  const source = side(x, 0, -2)
  const target = side(y, 1, 1)
  const scale = (Math.sqrt(source.largest) + Math.sqrt(target.largest)) ** 2
  if (!Number.isFinite(scale)) {
    throw new ExtremaError('ERR_NOT_FINITE', `cost: expected points with finite squared distances, got ${scale}`)
  }
  return { u: source.out, w: target.out, scale: scale > 0 ? scale : 1 }
}

/** Rows of random proportions that sum to the weights, in the memory of `normals`. */
function randomFactor(weights: Float64Array, normals: Float64Array, rank: number): Float64Array {
  for (let i = 0; i < weights.length; i++) {
    let total = 0
    for (let k = i * rank; k < (i + 1) * rank; k++) {
      normals[k] = Math.exp(normals[k])
      total += normals[k]
    }
    for (let k = i * rank; k < (i + 1) * rank; k++) normals[k] *= weights[i] / total
  }
  return normals
}

function* solve(prepared: Prepared): Program<LowRankSolution> {
  const { problem, job, mass, begun } = prepared
  if (job.cost !== null) {
    const scan = scanJob(job.cost, problem.reduced.n, problem.reduced.m, job.threads)
    yield call(prepared.kernels.transport.gromovScan, scan)
    job.scale = checkScan('cost', scan) || 1
  }
  yield call(prepared.kernels.transport.lowRankSinkhorn, job)
  const { report, rank } = job
  checkSteady(report[lowRankField.value])
  const q = scatter(job.q, problem.rows, problem.n, rank, mass)
  const r = scatter(job.r, problem.columns, problem.m, rank, mass)
  const g = job.g.map((weight) => weight * mass)
  return {
    status: statuses[report[lowRankField.status]],
    iterations: report[lowRankField.iterations],
    residual: report[lowRankField.residual],
    elapsed: performance.now() - begun,
    backend: prepared.kernels.name,
    value: report[lowRankField.value] * mass,
    factors: { q: { data: q, shape: [problem.n, rank] }, g, r: { data: r, shape: [problem.m, rank] } },
    ...readers(q, g, r),
  }
}

/** Rows at the original nodes, times the mass. */
function scatter(
  factor: Float64Array,
  kept: Int32Array | null,
  length: number,
  rank: number,
  mass: number,
): Float64Array {
  const out = new Float64Array(length * rank)
  for (let at = 0; at < factor.length; at++) {
    const row = Math.floor(at / rank)
    out[(kept === null ? row : kept[row]) * rank + (at % rank)] = factor[at] * mass
  }
  return out
}

function readers(q: Float64Array, g: Float64Array, r: Float64Array) {
  const rank = g.length
  const product = (left: Float64Array, right: Float64Array, given: VectorLike): Float64Array => {
    const v = toFloat64('v', given)
    if (v.length !== right.length / rank) {
      throw new ExtremaError('ERR_SHAPE', `v: expected ${right.length / rank} numbers, got ${v.length}`)
    }
    const small = new Float64Array(rank)
    for (let at = 0; at < right.length; at++) small[at % rank] += right[at] * v[Math.floor(at / rank)]
    const out = new Float64Array(left.length / rank)
    for (let at = 0; at < left.length; at++) out[Math.floor(at / rank)] += (left[at] * small[at % rank]) / g[at % rank]
    return out
  }
  const plan = (): NdArray => {
    const [n, m] = [q.length / rank, r.length / rank]
    const data = new Float64Array(n * m)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        let sum = 0
        for (let k = 0; k < rank; k++) sum += (q[i * rank + k] * r[j * rank + k]) / g[k]
        data[i * m + j] = sum
      }
    }
    return { data, shape: [n, m] }
  }
  return {
    plan,
    apply: (v: VectorLike) => product(q, r, v),
    applyTranspose: (v: VectorLike) => product(r, q, v),
  }
}
