import { kernels } from '../../backend/index.js'
import type { Control, Kernels } from '../../backend/kernels.js'
import { Coordinates } from '../../backend/portable/transport/light-bridge/coordinates.js'
import { type BridgeData, type FitJob, fitStatuses } from '../../backend/transport-light-bridge.js'
import type { MatrixLike } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { logSumExp } from './mixture.js'
import { fittedBridge, type LightBridgeSolution } from './model.js'
import {
  adaptiveLearningRate,
  type CheckedOptions,
  checkOptions,
  type LightBridgeOptions,
  paperLearningRate,
} from './options.js'
import type { Points } from './points.js'
import {
  type CheckedProblem,
  checkBatch,
  checkProblem,
  type LightBridgeProblem,
  type Sampler,
  type SamplerSync,
} from './problem.js'
import { differentRows, firstParameters } from './start.js'
import { children } from './streams.js'
import { standardize, type Transform, toStandard } from './transform.js'

/** Rows that loss and residual are measured on, and that L-BFGS works on. */
const mostEvaluated = 20_000
/** Minibatches that samplers are asked for at once. */
const batchesPerPart = 64
/** Parts between two looks at the residual. */
const partsPerCheck = 8
/** Least S_k over the smaller of 1 and variance / epsilon. */
const leastScale = 1e-6
const longestHistory = 1_000_000
const progressInterval = 50

/** What the fit needs next: batches of samplers, or a run of the kernel, during which the next batches may be made. */
type Request = { kind: 'batch'; count: number } | { kind: 'fit'; job: FitJob; control: Control; next: number }
type Batches = readonly [MatrixLike, MatrixLike]
type Fit = Generator<Request, LightBridgeSolution, Batches | undefined>

export async function fitBridge(
  problem: LightBridgeProblem,
  options: LightBridgeOptions,
): Promise<LightBridgeSolution> {
  const prepared = prepare(problem, options)
  const { checked, chosen } = prepared
  const running = steps(prepared)
  let batches: Batches | undefined
  for (;;) {
    const { done, value } = running.next(batches)
    if (done) return value
    const count = value.kind === 'batch' ? value.count : value.next
    // Both are awaited in any case: a kernel must not run on memory of a call that is over.
    const results = await Promise.allSettled([
      count > 0 ? ask(checked, count) : undefined,
      value.kind === 'fit' ? chosen.transport.lightBridge.fit.run(value.job, value.control) : undefined,
    ])
    for (const result of [results[1], results[0]]) if (result.status === 'rejected') throw result.reason
    batches = (results[0] as PromiseFulfilledResult<Batches | undefined>).value
    prepared.options.control.signal?.throwIfAborted()
  }
}

export function fitBridgeSync(
  problem: LightBridgeProblem<SamplerSync>,
  options: LightBridgeOptions,
): LightBridgeSolution {
  const prepared = prepare(problem, options)
  const { checked, chosen } = prepared
  const running = steps(prepared)
  let batches: Batches | undefined
  for (;;) {
    const { done, value } = running.next(batches)
    if (done) return value
    if (value.kind === 'fit') chosen.transport.lightBridge.fit.runSync(value.job, value.control)
    const count = value.kind === 'batch' ? value.count : value.next
    batches = count > 0 ? askSync(checked, count) : undefined
  }
}

async function ask(checked: CheckedProblem, count: number): Promise<Batches> {
  const { source, target } = checked as Extract<CheckedProblem, { kind: 'samplers' }>
  const first = await source(count)
  return [first, await target(count)]
}

function askSync(checked: CheckedProblem, count: number): Batches {
  const { source, target } = checked as Extract<CheckedProblem, { kind: 'samplers' }>
  const once = (name: string, sampler: Sampler): MatrixLike => {
    const points = sampler(count)
    const { then } = (points ?? {}) as Partial<Promise<unknown>>
    if (typeof then !== 'function') return points as MatrixLike
    Promise.resolve(points).catch(() => {}) // its failure is of no interest any more
    throw new ExtremaError('ERR_ORACLE', `${name}: expected a sampler for a synchronous call, got a Promise from it`)
  }
  return [once('source', source), once('target', target)]
}

interface Prepared {
  checked: CheckedProblem
  options: CheckedOptions
  chosen: Kernels
  start: number
}

function prepare(problem: LightBridgeProblem, given: LightBridgeOptions): Prepared {
  const start = performance.now()
  const options = checkOptions(given)
  options.control.signal?.throwIfAborted()
  const checked = checkProblem(problem, options.pairedRows)
  if (checked.kind === 'samplers' && options.optimizer === 'lbfgs') {
    throw new ExtremaError('ERR_OPTION', "optimizer: expected 'adam' for samplers, got 'lbfgs'")
  }
  return { checked, options, chosen: kernels(options.backend), start }
}

function steps(prepared: Prepared): Fit {
  return prepared.checked.kind === 'points'
    ? fitPoints(prepared, prepared.checked.source, prepared.checked.target)
    : fitSamplers(prepared)
}

function* fitPoints(prepared: Prepared, source: Points, target: Points): Fit {
  const { options } = prepared
  const state = new State(prepared, source, target)
  const sourceOrder = options.random.split(children.source).permutation(source.rows)
  const targetOrder = options.pairedRows ? sourceOrder : options.random.split(children.target).permutation(target.rows)
  const { batchSize } = options
  const data = {
    source: arrange(source, state.transform.source, state.transform.scale, sourceOrder, batchSize),
    target: arrange(target, state.transform.target, state.transform.scale, targetOrder, batchSize),
  }
  const evaluated = Math.max(data.source.evaluated, data.target.evaluated)
  const { components, dimension } = state.shape
  const small = Math.max(source.rows, target.rows) * components * dimension <= 2e7
  const lbfgs = options.optimizer === 'lbfgs' || (options.optimizer === 'auto' && !options.matching && small)
  state.begin(data.target.points, lbfgs ? 'lbfgs' : 'adam')
  const checkEvery = Math.max(200, 8 * Math.ceil(evaluated / batchSize))
  yield state.request({ ...data, first: 0, iterations: state.total, checkEvery }, 0)
  state.takeIn()
  return state.solution()
}

function* fitSamplers(prepared: Prepared): Fit {
  const { options } = prepared
  const rows = options.batchSize * batchesPerPart
  let batches = yield { kind: 'batch', count: rows }
  let { source, target } = checkBatch(batches as Batches, rows, 0)
  const state = new State(prepared, source, target)
  state.begin(toStandard(target.data, state.transform.target, state.transform.scale), 'adam')
  for (let part = 0; ; part++) {
    const first = part * batchesPerPart
    const iterations = Math.min(batchesPerPart, state.total - first)
    const last = first + iterations >= state.total
    const data = {
      source: { points: toStandard(source.data, state.transform.source, state.transform.scale), rows, evaluated: rows },
      target: { points: toStandard(target.data, state.transform.target, state.transform.scale), rows, evaluated: rows },
    }
    const checkEvery = (part + 1) % partsPerCheck === 0 ? iterations : iterations + 1
    batches = yield state.request({ ...data, first, iterations, checkEvery }, last ? 0 : rows)
    const ended = state.takeIn()
    if (last || ended) return state.solution()
    ;({ source, target } = checkBatch(batches as Batches, rows, state.shape.dimension))
  }
}

/** Standardised points in the given order, the first `wrap` of them again at the end. */
function arrange(
  { data, rows, columns }: Points,
  mean: Float64Array,
  scale: number,
  order: Int32Array,
  wrap: number,
): BridgeData {
  const points = new Float64Array((rows + Math.min(wrap, rows)) * columns)
  for (let i = 0; i < points.length / columns; i++) {
    const from = order[i % rows] * columns
    for (let l = 0; l < columns; l++) points[i * columns + l] = (data[from + l] - mean[l]) / scale
  }
  return { points, rows, evaluated: Math.min(rows, mostEvaluated) }
}

/** Of epsilon to the variance of the data: below, exponents would lose their digits. */
const leastRatio = 1e-9

/** A fit under way. */
class State {
  readonly transform: Transform
  readonly shape: FitJob['shape']
  total = 0
  readonly #prepared: Prepared
  readonly #floor: number
  readonly #warnings: string[] = []
  readonly #report = new Float64Array(4)
  readonly #draws: Uint32Array
  #iterations = 0
  #method: FitJob['method'] = 'adam'
  #theta!: Float64Array
  #moments!: Float64Array
  #history!: Float64Array
  #lastProgress = Number.NEGATIVE_INFINITY

  constructor(prepared: Prepared, source: Points, target: Points) {
    const { options } = prepared
    this.#prepared = prepared
    this.transform = standardize(source, target, options.epsilon)
    const epsilon = options.epsilon / this.transform.scale ** 2
    if (!(epsilon >= leastRatio)) {
      const least = `at least ${leastRatio} times the variance of the data (${this.transform.scale ** 2})`
      throw new ExtremaError('ERR_OPTION', `epsilon: expected ${least}, got ${options.epsilon}`)
    }
    if (epsilon < 1e-3) {
      this.#warnings.push(
        `epsilon is ${epsilon.toPrecision(2)} times the variance of the data: each point sees a single component, and ` +
          'few of them get gradients; expect to need more components and iterations, or a larger epsilon',
      )
    }
    const components = differentRows(target.data, target.columns, options.components).length
    if (components < options.components) {
      this.#warnings.push(
        `components: ${options.components} are more than the ${components} different target points; reduced to these`,
      )
    }
    this.shape = { components, dimension: source.columns, full: options.full, epsilon }
    this.#floor = leastScale * Math.min(1, 1 / epsilon)
    if (options.initialScale !== undefined && options.initialScale < 2 * this.#floor) {
      const least = (2 * this.#floor).toPrecision(3)
      throw new ExtremaError('ERR_OPTION', `initialScale: expected at least ${least}, got ${options.initialScale}`)
    }
    const streams = [children.matching, children.evaluation].map((child) => options.random.split(child).state())
    this.#draws = Uint32Array.from(streams.flatMap(({ key, counter }) => [...key, ...counter]))
  }

  begin(target: Float64Array, method: FitJob['method']): void {
    const { options } = this.#prepared
    this.#method = method
    this.total = options.maxIterations ?? (method === 'adam' ? 10_000 : 300)
    this.#theta = firstParameters(this.shape, target, {
      variant: options.variant,
      initialization: options.initialization,
      scale: options.initialScale,
      floor: this.#floor,
      random: options.random.split(children.start),
    })
    this.#moments = new Float64Array(method === 'adam' ? 2 * this.#theta.length : 1)
    this.#history = new Float64Array(Math.min(this.total, longestHistory))
  }

  request(
    part: Pick<FitJob, 'source' | 'target' | 'first' | 'iterations' | 'checkEvery'>,
    next: number,
  ): Request & { kind: 'fit' } {
    const { options, start } = this.#prepared
    const { control } = options
    const adaptive = options.variant === 'adaptive'
    const job: FitJob = {
      ...part,
      shape: this.shape,
      floor: this.#floor,
      method: this.#method,
      matching: options.matching,
      learningRate:
        options.learningRate ?? (adaptive ? adaptiveLearningRate(this.shape) : paperLearningRate(this.shape.epsilon)),
      cosine: adaptive,
      batch: options.batchSize,
      total: this.total,
      tolerance: options.tolerance,
      threads: options.threads,
      draws: this.#draws,
      theta: this.#theta,
      moments: this.#moments,
      history: part.first < longestHistory ? this.#history.subarray(part.first) : new Float64Array(1),
      report: this.#report,
    }
    const timeLimit = Math.max(0, control.timeLimit - (performance.now() - start))
    const onProgress = control.onProgress === undefined ? undefined : this.#progress(control.onProgress)
    return { kind: 'fit', job, control: { ...control, timeLimit, onProgress }, next }
  }

  /** Samplers split a call into many; their progress goes on from one to the next. */
  #progress(report: NonNullable<Control['onProgress']>): Control['onProgress'] {
    return ({ iteration, residual }) => {
      const elapsed = performance.now() - this.#prepared.start
      if (elapsed - this.#lastProgress < progressInterval) return
      this.#lastProgress = elapsed
      report({ iteration, residual, elapsed })
    }
  }

  /** Takes in the end of a part; whether it was the end of the fit. */
  takeIn(): boolean {
    this.#iterations += this.#report[1]
    return fitStatuses[this.#report[0]] !== 'iteration-limit'
  }

  solution(): LightBridgeSolution {
    const { options, chosen, start } = this.#prepared
    const [code, , residual, loss] = this.#report
    if (!Number.isFinite(residual) || !Number.isFinite(loss)) {
      const came = `${loss} at the first parameters`
      throw new ExtremaError('ERR_NOT_FINITE', `source, target: expected points where the loss is finite, got ${came}`)
    }
    const status = fitStatuses[code]
    const iterations = this.#iterations
    if (status === 'diverged') {
      this.#warnings.push(
        `the loss was not finite after ${iterations} iterations: these are the last parameters where it was; try a ` +
          'smaller learningRate',
      )
    }
    const mixture = new Coordinates(this.shape, this.#floor).expand(this.#theta)
    // Only ratios of the weights matter.
    const total = logSumExp(mixture.logWeights)
    mixture.logWeights = mixture.logWeights.map((value) => value - total)
    const { epsilon, threads } = options
    return fittedBridge(
      { epsilon, transform: this.transform, mixture, threads, backend: chosen.name },
      {
        status: status === 'diverged' ? 'stalled' : status,
        iterations,
        residual,
        elapsed: performance.now() - start,
        backend: chosen.name,
        loss,
        history: this.#history.slice(0, iterations),
        warnings: this.#warnings,
      },
    )
  }
}
