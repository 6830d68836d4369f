import { kernels } from '../../backend/index.js'
import { checkRunOptions } from '../../backend/options.js'
import type { NdArray } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, type Progress, whole } from '../../core/options.js'
import type { Solution } from '../../core/solution.js'
import { type Generator, generator } from '../../random/index.js'
import { type LightBridgeJson, toJson } from './json.js'
import { conditionalCovariance, type Model, meansOf, squareOf, userParameters } from './mixture.js'
import { type PointsLike, type Query, readQuery } from './points.js'
import { children } from './streams.js'
import { fromStandard, meanAt, toStandard } from './transform.js'

/** v(x1) = sum_k alpha_k N(x1 | r_k, epsilon S_k), in the units of the data. */
export interface LightBridgeParameters {
  /** log alpha_k, of weights with sum 1: K. */
  logWeights: Float64Array
  /** r_k: K × D. */
  means: NdArray
  /** S_k: their diagonals, K × D, or K × D × D. */
  scales: NdArray
}

/** pi(x1 | x0) as a mixture of K Gaussians. For n points x0 weights and means have n as a first axis. */
export interface ConditionalPlan {
  /** K, or n × K: sum to 1. */
  weights: NdArray
  /** K × D, or n × K × D: r_k + S_k x0. */
  means: NdArray
  /** epsilon S_k, the same for all x0: their diagonals, K × D, or K × D × D. */
  covariances: NdArray
}

export interface SampleOptions {
  /** Draws for each point. Without it the result has no axis for them. */
  count?: number
  /** Default 0: the same draws at every call. */
  seed?: number | bigint
}

export interface TrajectoryOptions {
  /** Steps of equal length from 0 to 1. Default 100. */
  steps?: number
  /**
   * Times in [0, 1], ascending, whose states are returned; they refine the steps where they do not coincide with their
   * ends. Default: all ends, so `steps + 1` states.
   */
  times?: ArrayLike<number>
  /** Default 0: the same paths at every call. */
  seed?: number | bigint
}

export interface AsyncControl {
  signal?: AbortSignal
  /** Counts steps done; the residual are those to go. */
  onProgress?: (progress: Progress) => void
}

/**
 * A Light Schrödinger Bridge: a stochastic map from x0 to x1, and the process between them. Points are a vector (one point;
 * results then have no axis for points) or an n × D matrix, in the units of the data.
 */
export interface LightBridge {
  readonly epsilon: number
  readonly dimension: number
  readonly components: number
  readonly covariance: 'diagonal' | 'full'
  /** The fitted potential. */
  readonly parameters: LightBridgeParameters
  /** pi(x1 | x0) as a Gaussian mixture. */
  conditional(x0: PointsLike): ConditionalPlan
  /** E[X1 | X0 = x0]: n × D. */
  conditionalMean(x0: PointsLike): NdArray
  /** Cov[X1 | X0 = x0]: n × D × D. */
  conditionalCovariance(x0: PointsLike): NdArray
  /** log pi(x1 | x0) of pairs: n numbers. */
  logDensity(x0: PointsLike, x1: PointsLike): Float64Array
  /** Draws from pi(x1 | x0): n × D, or with `count` n × count × D. */
  sample(x0: PointsLike, options?: SampleOptions): NdArray
  /** {@link sample} off the event loop. */
  sampleAsync(x0: PointsLike, options?: SampleOptions & Pick<AsyncControl, 'signal'>): Promise<NdArray>
  /** g(x, t) of dX = g(X, t) dt + sqrt(epsilon) dW, t in [0, 1]: n × D. */
  drift(x: PointsLike, t: number): NdArray
  /** Paths from x0 by Euler-Maruyama: n × times × D. */
  trajectories(x0: PointsLike, options?: TrajectoryOptions): NdArray
  /** {@link trajectories} off the event loop. */
  trajectoriesAsync(x0: PointsLike, options?: TrajectoryOptions & AsyncControl): Promise<NdArray>
  /** Draws of X_t given both ends, from the Brownian bridge N((1 - t) x0 + t x1, t (1 - t) epsilon I): n × D. */
  bridge(x0: PointsLike, x1: PointsLike, t: number, options?: { seed?: number | bigint }): NdArray
  /** Plain data for `lightBridgeFromJSON`. */
  toJSON(): LightBridgeJson
}

export interface LightBridgeSolution extends LightBridge, Solution {
  /** KL(pi* ‖ pi) up to a constant of the data, on up to 20,000 (standardised) points of each side; of matching its own loss. */
  loss: number
  /** The loss of each iteration (the first million): of its minibatch, or with L-BFGS of all points. */
  history: Float64Array
  /** What was changed or may be wrong, in words. */
  warnings: string[]
}

const sampleNames: ReadonlySet<string> = new Set(['count', 'seed'])
const sampleAsyncNames: ReadonlySet<string> = new Set([...sampleNames, 'signal'])
const trajectoryNames: ReadonlySet<string> = new Set(['steps', 'times', 'seed'])
const trajectoryAsyncNames: ReadonlySet<string> = new Set([...trajectoryNames, 'signal', 'onProgress'])
const bridgeNames: ReadonlySet<string> = new Set(['seed'])
const noControl = { timeLimit: Number.POSITIVE_INFINITY }

class FittedBridge implements LightBridge {
  readonly epsilon: number
  readonly dimension: number
  readonly components: number
  readonly covariance: 'diagonal' | 'full'
  readonly #model: Model
  /** S_k */
  readonly #scales: Float64Array

  constructor(model: Model) {
    const { components, dimension, full } = model.mixture
    this.epsilon = model.epsilon
    this.dimension = dimension
    this.components = components
    this.covariance = full ? 'full' : 'diagonal'
    this.#model = model
    this.#scales = squareOf(model.mixture)
  }

  get parameters(): LightBridgeParameters {
    const { components: K, dimension: D } = this
    const { logWeights, means } = userParameters(this.#model, this.#scales)
    return {
      logWeights,
      means: { data: means, shape: [K, D] },
      scales: { data: this.#scales.slice(), shape: this.covariance === 'full' ? [K, D, D] : [K, D] },
    }
  }

  conditional(x0: PointsLike): ConditionalPlan {
    const { components: K, dimension: D, epsilon } = this
    const query = this.#read('x0', x0)
    const { x, weights } = this.#weights(query)
    return {
      weights: { data: weights, shape: [...query.shape, K] },
      means: { data: meansOf(this.#model, this.#scales, x), shape: [...query.shape, K, D] },
      covariances: {
        data: this.#scales.map((scale) => epsilon * scale),
        shape: this.covariance === 'full' ? [K, D, D] : [K, D],
      },
    }
  }

  conditionalMean(x0: PointsLike): NdArray {
    const { data, shape } = this.#read('x0', x0)
    const { transform } = this.#model
    const x = toStandard(data, transform.source, transform.scale)
    // The drift at time 0 is the mean less the point.
    const drift = this.#drift(x, 0)
    for (let i = 0; i < x.length; i++) drift[i] += x[i]
    return { data: fromStandard(drift, transform.target, transform.scale), shape: [...shape, this.dimension] }
  }

  conditionalCovariance(x0: PointsLike): NdArray {
    const query = this.#read('x0', x0)
    const { x, weights } = this.#weights(query)
    const data = conditionalCovariance(this.#model, this.#scales, x, weights)
    return { data, shape: [...query.shape, this.dimension, this.dimension] }
  }

  logDensity(x0: PointsLike, x1: PointsLike): Float64Array {
    const { dimension: D } = this
    const { mixture, transform } = this.#model
    const [first, second] = this.#readPairs(x0, x1)
    const x = toStandard(first.data, transform.source, transform.scale)
    const y = toStandard(second.data, transform.target, transform.scale)
    // log v(x1) + x0'x1 / epsilon - log c(x0)
    const out = this.#evaluate(y, 'target', null)
    const logC = this.#evaluate(x, 'source', null)
    for (let i = 0; i < out.length; i++) {
      let product = 0
      for (let l = i * D; l < (i + 1) * D; l++) product += x[l] * y[l]
      out[i] += product / mixture.epsilon - logC[i] - D * Math.log(transform.scale)
    }
    return out
  }

  sample(x0: PointsLike, options: SampleOptions = {}): NdArray {
    checkOwn(options, sampleNames)
    const { job, result } = this.#sampleJob(x0, options)
    this.#kernels().sample.runSync(job, noControl)
    return result()
  }

  async sampleAsync(x0: PointsLike, options: SampleOptions & Pick<AsyncControl, 'signal'> = {}): Promise<NdArray> {
    const { control } = checkRunOptions(options, sampleAsyncNames)
    const { job, result } = this.#sampleJob(x0, options)
    control.signal?.throwIfAborted()
    await this.#kernels().sample.run(job, control)
    return result()
  }

  drift(x: PointsLike, t: number): NdArray {
    const { data, shape } = this.#read('x', x)
    const { transform } = this.#model
    const time = checkTime('t', t)
    const out = this.#drift(toStandard(data, meanAt(transform, time), transform.scale), time)
    const { source, target, scale } = transform
    return {
      data: fromStandard(
        out,
        target.map((mean, l) => mean - source[l]),
        scale,
      ),
      shape: [...shape, this.dimension],
    }
  }

  trajectories(x0: PointsLike, options: TrajectoryOptions = {}): NdArray {
    checkOwn(options, trajectoryNames)
    const { job, result } = this.#trajectoriesJob(x0, options)
    this.#kernels().trajectories.runSync(job, noControl)
    return result()
  }

  async trajectoriesAsync(x0: PointsLike, options: TrajectoryOptions & AsyncControl = {}): Promise<NdArray> {
    const { control } = checkRunOptions(options, trajectoryAsyncNames)
    const { job, result } = this.#trajectoriesJob(x0, options)
    control.signal?.throwIfAborted()
    await this.#kernels().trajectories.run(job, control)
    return result()
  }

  bridge(x0: PointsLike, x1: PointsLike, t: number, options: { seed?: number | bigint } = {}): NdArray {
    checkOwn(options, bridgeNames)
    const random = generator(options.seed ?? 0).split(children.bridges)
    const [first, second] = this.#readPairs(x0, x1)
    const time = checkTime('t', t)
    const noise = Math.sqrt(time * (1 - time) * this.epsilon)
    const data = random.normal(first.data.length)
    for (let i = 0; i < data.length; i++) data[i] = (1 - time) * first.data[i] + time * second.data[i] + noise * data[i]
    return { data, shape: [...first.shape, this.dimension] }
  }

  toJSON(): LightBridgeJson {
    return toJson(this.#model)
  }

  #kernels() {
    return kernels(this.#model.backend).transport.lightBridge
  }

  #read(name: string, value: PointsLike): Query {
    return readQuery(name, value, this.dimension)
  }

  #readPairs(x0: PointsLike, x1: PointsLike): [Query, Query] {
    const first = this.#read('x0', x0)
    const second = this.#read('x1', x1)
    if (first.rows === second.rows) return [first, second]
    throw new ExtremaError('ERR_SHAPE', `x1: expected a point for each of x0 (${first.rows}), got ${second.rows}`)
  }

  #evaluate(x: Float64Array, side: 'source' | 'target', weights: Float64Array | null): Float64Array {
    const { mixture, threads } = this.#model
    const logSum = new Float64Array(x.length / this.dimension)
    this.#kernels().evaluate.runSync({ mixture, threads, x, side, logSum, weights }, noControl)
    return logSum
  }

  #weights({ data, rows }: Query): { x: Float64Array; weights: Float64Array } {
    const { transform } = this.#model
    const x = toStandard(data, transform.source, transform.scale)
    const weights = new Float64Array(rows * this.components)
    this.#evaluate(x, 'source', weights)
    return { x, weights }
  }

  #drift(x: Float64Array, t: number): Float64Array {
    const { mixture, threads } = this.#model
    const out = new Float64Array(x.length)
    this.#kernels().drift.runSync({ mixture, threads, x, t, out }, noControl)
    return out
  }

  #sampleJob(x0: PointsLike, options: SampleOptions) {
    const { mixture, threads, transform } = this.#model
    const random = generator(options.seed ?? 0)
    const query = this.#read('x0', x0)
    const count = whole('count', options.count, 1, 1)
    const x = toStandard(query.data, transform.source, transform.scale)
    const out = allocate(x.length * count)
    const shape = options.count === undefined ? query.shape : [...query.shape, count]
    const job = {
      mixture,
      threads,
      x,
      count,
      picks: words(random, children.picks),
      normals: words(random, children.normals),
      out,
    }
    const result = () => ({
      data: fromStandard(out, transform.target, transform.scale),
      shape: [...shape, this.dimension],
    })
    return { job, result }
  }

  #trajectoriesJob(x0: PointsLike, options: TrajectoryOptions) {
    const { dimension: D } = this
    const { mixture, threads, transform } = this.#model
    const random = generator(options.seed ?? 0)
    const query = this.#read('x0', x0)
    const steps = whole('steps', options.steps, 100, 1, 1_000_000)
    const { grid, keep, times } = timeGrid(steps, options.times)
    const x = toStandard(query.data, transform.source, transform.scale)
    const out = allocate(x.length * times.length)
    const job = { mixture, threads, x, grid, keep, normals: words(random, children.steps), out }
    const result = () => {
      const means = Array.from(times, (t) => meanAt(transform, t))
      for (let i = 0; i < out.length; i += D) {
        const mean = means[(i / D) % times.length]
        for (let l = 0; l < D; l++) out[i + l] = mean[l] + transform.scale * out[i + l]
      }
      return { data: out, shape: [...query.shape, times.length, D] }
    }
    return { job, result }
  }
}

class FittedSolution extends FittedBridge implements LightBridgeSolution {
  readonly status: LightBridgeSolution['status']
  readonly iterations: number
  readonly residual: number
  readonly elapsed: number
  readonly backend: 'native' | 'portable'
  readonly loss: number
  readonly history: Float64Array
  readonly warnings: string[]

  constructor(model: Model, result: FitResult) {
    super(model)
    this.status = result.status
    this.iterations = result.iterations
    this.residual = result.residual
    this.elapsed = result.elapsed
    this.backend = result.backend
    this.loss = result.loss
    this.history = result.history
    this.warnings = result.warnings
  }
}

export type FitResult = Solution & Pick<LightBridgeSolution, 'loss' | 'history' | 'warnings'>

export function bridgeOf(model: Model): LightBridge {
  return new FittedBridge(model)
}

export function fittedBridge(model: Model, result: FitResult): LightBridgeSolution {
  return new FittedSolution(model, result)
}

/** Key and counter of a child stream. */
function words(random: Generator, child: number): Uint32Array {
  const { key, counter } = random.split(child).state()
  return Uint32Array.of(...key, ...counter)
}

function checkOwn(options: object, names: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { … }, got ${describe(options)}`)
  }
  checkNames('options', options, names)
}

function checkTime(name: string, t: number): number {
  if (typeof t === 'number' && t >= 0 && t <= 1) return t
  throw new ExtremaError('ERR_OPTION', `${name}: expected a time in [0, 1], got ${describe(t)}`)
}

/** Ends of the steps, with the wanted times in between. */
function timeGrid(steps: number, wanted: ArrayLike<number> | undefined) {
  const ends = Array.from({ length: steps + 1 }, (_, k) => k / steps)
  if (wanted !== undefined && (typeof wanted !== 'object' || wanted === null)) {
    throw new ExtremaError('ERR_OPTION', `times: expected numbers, got ${describe(wanted)}`)
  }
  const times = wanted === undefined ? ends : Array.from(wanted)
  times.forEach((t, k) => {
    checkTime(`times[${k}]`, t)
    if (k > 0 && t <= times[k - 1]) {
      throw new ExtremaError('ERR_OPTION', `times[${k}]: expected a time after ${times[k - 1]}, got ${t}`)
    }
  })
  if (times.length === 0) throw new ExtremaError('ERR_OPTION', 'times: expected at least one time, got none')
  const last = times[times.length - 1]
  const grid = [...new Set([...ends, ...times])].filter((t) => t <= last).sort((a, b) => a - b)
  const kept = new Set(times)
  return {
    grid: Float64Array.from(grid),
    keep: Float64Array.from(grid, (t) => (kept.has(t) ? 1 : 0)),
    times: Float64Array.from(times),
  }
}

function allocate(length: number): Float64Array {
  try {
    return new Float64Array(length)
  } catch (cause) {
    throw new ExtremaError('ERR_MEMORY', `x0: expected a result that fits into memory, got ${length} numbers`, {
      cause,
    })
  }
}
