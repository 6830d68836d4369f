import { type BackendName, kernels } from '../backend/index.js'
import type { Control, SolveSettings } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import {
  checkFinite,
  type MatrixLike,
  type NdArray,
  shapeText,
  toDenseMatrix,
  type VectorLike,
} from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import type { Solution, Status } from '../core/solution.js'
import { generator } from '../random/index.js'
import { entropicPlans, exactPlans } from './free-barycenter-plans.js'
import { readWeights } from './problem.js'
import { readShares, rescaled } from './shares.js'

/** Weighted points. */
export interface Measure {
  /** n × d */
  points: MatrixLike
  /** >= 0; all measures have the same total (to 1e-6 relative; they are rescaled to that of the first). Default: 1/n each. */
  weights?: VectorLike
}

export interface FreeBarycenterProblem {
  measures: readonly Measure[]
  /** Weights lambda of the K measures, >= 0, of any total. Default: 1/K each. */
  weights?: VectorLike
  /** N × d points to start from. */
  initial?: MatrixLike
  /** N, where no `initial` is given: random points with the mean and the spread of all measures. Default: the largest n. */
  supportSize?: number
  /** Weights b of the N points of the barycenter, > 0, of any total. They stay. Default: equal. */
  supportWeights?: VectorLike
}

export interface FreeBarycenterOptions extends SolverOptions {
  /** Strength of the entropic term of the plans, in units of squared distance. Default: none, the plans are exact. */
  epsilon?: number
  /** How entropic plans are found. Default `'sinkhornNewtonSparse'`. Only with `epsilon`. */
  method?: 'sinkhornNewtonSparse' | 'sinkhorn'
  /** On the marginal error of entropic plans. Default 1e-9. Only with `epsilon`. */
  planTolerance?: number
  /** Of the random start. Default 0. */
  seed?: number | bigint
}

export interface FreeBarycenterSolution extends Solution {
  /** N × d */
  points: NdArray
  /** b, with the total of the measures. */
  weights: Float64Array
  /** sum_k lambda_k sum_ij P_k,ij |x_i - y_j|² of the last plans. */
  value: number
}

/** A measure in arrays of our own, its points row-major. */
export interface CheckedMeasure {
  points: Float64Array
  n: number
  weights: Float64Array
}

/** What the plans between N points and a measure say of the next points. */
export interface Step {
  /** N × d: where the plan sends each point on average. */
  projection: Float64Array
  /** <C, P> */
  value: number
  /** Whether the plan is as exact as was asked. */
  settled: boolean
}

/** Finds plans from moving points to a measure, each from where the last one ended. */
export interface Planner {
  run(x: Float64Array, control: Control): Promise<Step>
  runSync(x: Float64Array, control: Control): Step
}

const problemNames: ReadonlySet<string> = new Set(['measures', 'weights', 'initial', 'supportSize', 'supportWeights'])
const measureNames: ReadonlySet<string> = new Set(['points', 'weights'])
const optionNames: ReadonlySet<string> = new Set([
  'epsilon',
  'method',
  'planTolerance',
  'seed',
  'tolerance',
  'maxIterations',
  ...runNames,
])
const methods = ['sinkhornNewtonSparse', 'sinkhorn'] as const

/**
 * The barycenter of K weighted point clouds as N weighted points that go where they cost least: optimal plans P_k from the
 * points to each cloud, then x_i <- sum_k lambda_k sum_j P_k,ij y_j / b_i, and again. For the squared distance. Plans are
 * exact, or entropic where `epsilon` is given. A local optimum, as with k-means: the start matters.
 *
 * `residual` is the last move of the points, root of the mean square, over the spread of all measures; `tolerance` defaults
 * to 1e-6, `maxIterations` to 200. `status` is `'stalled'` where plans did not reach `planTolerance`.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_OPTION`, `ERR_BUFFER`,
 * `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: Cuturi, Doucet 2014 (arXiv 1310.4375), algorithm 2, with step 1; Álvarez-Esteban et al. 2016 (arXiv 1511.05355).
 */
export async function freeBarycenter(
  problem: FreeBarycenterProblem,
  options: FreeBarycenterOptions = {},
): Promise<FreeBarycenterSolution> {
  const run = prepare(problem, options)
  while (!run.ended) {
    const control = run.nextControl()
    run.advance(await Promise.all(run.planners.map((planner) => planner.run(run.x, control))))
  }
  return run.solution()
}

/** {@link freeBarycenter} on the calling thread. */
export function freeBarycenterSync(
  problem: FreeBarycenterProblem,
  options: FreeBarycenterOptions = {},
): FreeBarycenterSolution {
  const run = prepare(problem, options)
  while (!run.ended) {
    const control = run.nextControl()
    run.advance(run.planners.map((planner) => planner.runSync(run.x, control)))
  }
  return run.solution()
}

function prepare(problem: FreeBarycenterProblem, options: FreeBarycenterOptions): Run {
  const start = performance.now()
  const { control, backend, threads } = checkRunOptions(options, optionNames)
  const epsilon = options.epsilon === undefined ? undefined : positive('epsilon', options.epsilon)
  for (const name of ['method', 'planTolerance'] as const) {
    if (epsilon !== undefined || options[name] === undefined) continue
    throw new ExtremaError('ERR_OPTION', `${name}: expected with epsilon only, got ${describe(options[name])}`)
  }
  const method = oneOf('method', options.method, methods, 'sinkhornNewtonSparse')
  const planTolerance = nonNegative('planTolerance', options.planTolerance, 1e-9)
  const tolerance = nonNegative('tolerance', options.tolerance, 1e-6)
  const maxIterations = whole('maxIterations', options.maxIterations, 200, 1)
  const random = generator(options.seed ?? 0)
  control.signal?.throwIfAborted()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { measures, … }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, problemNames)
  const { measures, d, mass } = readMeasures(problem.measures)
  const shares = readShares(problem.weights, measures.length, 'measures')
  const { mean, deviation } = moments(measures, shares, mass, d)
  const { x, n } = readInitial(problem, d, () => {
    const size = whole('supportSize', problem.supportSize, Math.max(...measures.map((measure) => measure.n)), 1)
    return random.normal(size * d).map((value, k) => mean[k % d] + deviation[k % d] * value)
  })
  const b = readSupportWeights(problem.supportWeights, n, mass)
  // The plans are found side by side.
  const run = { threads: Math.max(1, Math.floor(threads / measures.length)), backend }
  const planners = measures.map((measure) =>
    epsilon === undefined
      ? exactPlans(measure, d, b, run)
      : entropicPlans(measure, d, b, { ...run, epsilon, method, tolerance: planTolerance }),
  )
  const spread = Math.sqrt(deviation.reduce((sum, value) => sum + value * value, 0))
  const scale = spread > 0 ? spread : 1
  return new Run(x, b, d, shares, planners, { tolerance, maxIterations, scale, mass, control, start }, backend)
}

export interface PlanRun {
  threads: number
  backend: BackendName | undefined
}

export interface EntropicSettings extends PlanRun, Pick<SolveSettings, 'epsilon' | 'tolerance'> {
  method: NonNullable<FreeBarycenterOptions['method']>
}

interface RunSettings {
  tolerance: number
  maxIterations: number
  /** What moves are measured by. */
  scale: number
  mass: number
  control: Control
  start: number
}

const progressInterval = 50

/** The points on their way. */
class Run {
  ended = false
  private status: Status = 'iteration-limit'
  private iterations = 0
  private residual = Number.POSITIVE_INFINITY
  private value = 0
  private lastReport = Number.NEGATIVE_INFINITY

  constructor(
    public x: Float64Array,
    private readonly b: Float64Array,
    private readonly d: number,
    private readonly shares: Float64Array,
    readonly planners: Planner[],
    private readonly settings: RunSettings,
    private readonly backend: BackendName | undefined,
  ) {}

  /** For the next plans: what is left of the time. */
  nextControl(): Control {
    const { signal, timeLimit } = this.settings.control
    signal?.throwIfAborted()
    return { signal, timeLimit: Math.max(1, timeLimit - this.elapsed()) }
  }

  /** x_i <- sum_k lambda_k sum_j P_k,ij y_j / b_i */
  advance(steps: Step[]): void {
    const { x, b, d, shares } = this
    const { tolerance, maxIterations, scale, mass, control } = this.settings
    const next = new Float64Array(x.length)
    this.value = 0
    steps.forEach(({ projection, value }, k) => {
      for (let i = 0; i < x.length; i++) next[i] += shares[k] * projection[i]
      this.value += shares[k] * value
    })
    let moved = 0
    for (let i = 0; i < x.length; i++) moved += b[Math.floor(i / d)] * (next[i] - x[i]) ** 2
    // The plans' cost at the new points: these are the means of where the plans send the old ones.
    this.value -= moved
    this.x = next
    this.residual = Math.sqrt(moved / mass) / scale
    this.iterations++
    this.report()
    control.signal?.throwIfAborted()
    this.ended = true
    if (this.residual <= tolerance) this.status = steps.every(({ settled }) => settled) ? 'converged' : 'stalled'
    else if (this.elapsed() >= control.timeLimit) this.status = 'time-limit'
    else if (this.iterations >= maxIterations) this.status = 'iteration-limit'
    else this.ended = false
  }

  solution(): FreeBarycenterSolution {
    const { x, b, d, status, iterations, residual, value } = this
    return {
      status,
      iterations,
      residual,
      elapsed: this.elapsed(),
      backend: kernels(this.backend).name,
      points: { data: x, shape: [b.length, d] },
      weights: b,
      value,
    }
  }

  private elapsed(): number {
    return performance.now() - this.settings.start
  }

  private report(): void {
    const { onProgress } = this.settings.control
    const elapsed = this.elapsed()
    if (onProgress === undefined || elapsed - this.lastReport < progressInterval) return
    this.lastReport = elapsed
    onProgress({ iteration: this.iterations, residual: this.residual, elapsed })
  }
}

function readMeasures(given: readonly Measure[]): { measures: CheckedMeasure[]; d: number; mass: number } {
  if (!Array.isArray(given) || given.length === 0) {
    const came = Array.isArray(given) ? 'none' : describe(given)
    throw new ExtremaError('ERR_SHAPE', `measures: expected an array of at least one { points, weights }, got ${came}`)
  }
  let d = 0
  let mass = 0
  const measures = given.map((measure: Measure, k): CheckedMeasure => {
    const name = `measures[${k}]`
    if (typeof measure !== 'object' || measure === null) {
      throw new ExtremaError('ERR_SHAPE', `${name}: expected { points, weights }, got ${describe(measure)}`)
    }
    checkNames(name, measure, measureNames)
    const { data, rows, columns } = readPoints(`${name}.points`, measure.points, k === 0 ? undefined : d)
    d = columns
    const { weights, total } = readWeights(`${name}.weights`, measure.weights, rows, () => `the ${rows} points`)
    if (k === 0) mass = total
    const scaled = rescaled(`${name}.weights`, weights, total, mass, 'measures[0]')
    return { points: data, n: rows, weights: scaled }
  })
  return { measures, d, mass }
}

/** A copy. */
function readPoints(name: string, given: MatrixLike, d: number | undefined) {
  const { data, rows, columns } = toDenseMatrix(name, given)
  if (rows === 0 || columns === 0 || (d !== undefined && columns !== d)) {
    const wanted = d === undefined ? 'non-empty n×d points' : `n×${d} points`
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${wanted}, got ${shapeText(rows, columns)}`)
  }
  checkFinite(name, data, { columns, what: 'coordinate' })
  return { data: Float64Array.from(data), rows, columns }
}

function readInitial(problem: FreeBarycenterProblem, d: number, make: () => Float64Array) {
  if (problem.initial === undefined) {
    const x = make()
    return { x, n: x.length / d }
  }
  if (problem.supportSize !== undefined) {
    throw new ExtremaError('ERR_OPTION', 'supportSize: expected initial or supportSize, got both')
  }
  const { data, rows } = readPoints('initial', problem.initial, d)
  return { x: data, n: rows }
}

function readSupportWeights(given: VectorLike | undefined, n: number, mass: number): Float64Array {
  const { weights, total } = readWeights('supportWeights', given, n, () => `the ${n} points of the barycenter`)
  const zero = weights.indexOf(0)
  if (zero >= 0) {
    throw new ExtremaError('ERR_NOT_POSITIVE', `supportWeights[${zero}]: expected a weight > 0, got 0`)
  }
  return weights.map((weight) => weight * (mass / total))
}

/** Mean and standard deviation of each coordinate over all measures. */
function moments(measures: CheckedMeasure[], shares: Float64Array, mass: number, d: number) {
  const mean = new Float64Array(d)
  const deviation = new Float64Array(d)
  const each = (visit: (share: number, value: number, k: number) => void) => {
    measures.forEach(({ points, weights }, k) => {
      for (let i = 0; i < points.length; i++) visit((shares[k] * weights[Math.floor(i / d)]) / mass, points[i], i % d)
    })
  }
  each((share, value, k) => {
    mean[k] += share * value
  })
  each((share, value, k) => {
    deviation[k] += share * (value - mean[k]) ** 2
  })
  return { mean, deviation: deviation.map(Math.sqrt) }
}
