import { kernels } from '../../backend/index.js'
import { checkRunOptions, runNames } from '../../backend/options.js'
import { Monitor, turn } from '../../backend/portable/driver.js'
import { ExtremaError } from '../../core/errors.js'
import { describe, oneOf, type Progress, type SolverOptions, whole } from '../../core/options.js'
import type { Solution, Status } from '../../core/solution.js'
import type { DType } from '../arena.js'
import { withBackend } from '../backend.js'
import { valueAndGrad } from '../grad.js'
import type { Optimizer } from '../optimizer.js'
import type { Tensor } from '../tensor.js'
import { flatten } from '../tree.js'
import { withArena } from '../with-arena.js'
import type { BatchSource } from './data-loader.js'
import type { LayerState } from './layer.js'
import { checkCheckpoint, type Judged, type TrainCheckpoint, type TrainEntry } from './training/checkpoint.js'
import {
  checkSource,
  copyState,
  copyTree,
  type LossProblem,
  type ModelProblem,
  type ReadProblem,
  readProblem,
  type StepContext,
  samplesIn,
  streamOfSteps,
  type TrainProblem,
} from './training/problem.js'

export type { TrainCheckpoint, TrainEntry } from './training/checkpoint.js'
export type { LossProblem, ModelProblem, StepContext, TrainProblem } from './training/problem.js'

export interface TrainProgress extends Progress {
  /** Counted from 1. */
  epoch: number
  /** Of the last step. */
  loss: number
}

export interface StepInfo {
  /** Counted from 1. */
  step: number
  epoch: number
  /** Of the batch within its epoch, counted from 0. */
  index: number
  loss: number
}

export interface Validation<P, Batch> {
  data: BatchSource<Batch>
  /**
   * What is to be small, as a mean over the batch: for accuracy take 1 - accuracy. Default: the loss, not training. Batches
   * count by their samples (the first axis of their first tensor).
   */
  metric?(params: P, batch: Batch, context: StepContext): Tensor | number
  /** Every so many epochs. Default 1. */
  every?: number
}

export interface TrainOptions<P, Batch>
  extends Pick<SolverOptions, 'tolerance' | 'maxIterations' | 'timeLimit' | 'signal' | 'backend'> {
  optimizer: Optimizer
  /** Most epochs, those before `resume` included. Default 10. */
  epochs?: number
  /** Of first parameters and of the numbers in each step. Default 0. */
  seed?: number | bigint
  /** Of the parameters that the model makes. Default float64. */
  dtype?: DType
  validation?: Validation<P, Batch>
  /** Stop after so many judgements without improvement. Default: never. */
  patience?: number
  /** What counts as improvement of the judged value. Default 0: any. */
  minImprovement?: number
  /** A loss, gradient, parameter or metric that is no finite number ends the run (default), or rejects with `ERR_NOT_FINITE`. */
  onNotFinite?: 'stop' | 'throw'
  /** At most 20 times a second. */
  onProgress?: (progress: TrainProgress) => void
  /** After every step. */
  onStep?: (info: StepInfo) => void
  /** After every epoch. */
  onEpoch?: (entry: TrainEntry) => void
  /** After every epoch, or every `checkpointEvery` steps, with copies: to be saved, for instance. It is waited for. */
  onCheckpoint?: (checkpoint: TrainCheckpoint<P>) => void | Promise<void>
  checkpointEvery?: number
  /** Go on from there: with the same problem and options, the rest is the same bit for bit. */
  resume?: TrainCheckpoint<P>
}

/** The number that was none. */
export interface NotFinite {
  what: 'loss' | 'gradient' | 'params' | 'validation'
  step: number
  /** Of the batch; epochs are counted from 1, batches from 0. */
  epoch: number
  index: number
  message: string
}

export interface TrainSolution<P> extends Solution {
  /**
   * With a validation: the best of all that were judged. Otherwise the last, but after `notFinite` the ones of the epoch with
   * the least loss, or those at the start.
   */
  params: P
  /** Running statistics and the like of these parameters. */
  state: LayerState
  /** Of the best: counted from 1; 0 for the start. */
  bestEpoch: number
  history: TrainEntry[]
  /** Where the run stands, to go on with `resume`; absent after `notFinite`. */
  checkpoint?: TrainCheckpoint<P>
  notFinite?: NotFinite
}

const names: ReadonlySet<string> = new Set([
  ...runNames.filter((name) => name !== 'threads'),
  ...['tolerance', 'maxIterations', 'optimizer', 'epochs', 'seed', 'dtype', 'validation', 'patience', 'minImprovement'],
  ...['onNotFinite', 'onStep', 'onEpoch', 'onCheckpoint', 'checkpointEvery', 'resume'],
])

/**
 * Trains parameters on batches: gradient of the loss, step of the optimizer, epoch after epoch. The run is judged at the end
 * of an epoch by the metric of the validation, or by the mean loss of the epoch; less is better.
 *
 * Steps run on the calling thread, each within an arena, and the event loop gets its turn after some 4 ms, or after a step that
 * takes longer. `residual` is the best judged value; `status` is `'converged'` when it is <= `tolerance` (default: no such end),
 * `'stalled'` when `patience` runs out or a number is not finite, `'iteration-limit'` after all epochs or `maxIterations`
 * steps. `iterations` counts steps.
 *
 * @throws ExtremaError `ERR_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, and `ERR_NOT_FINITE` with `onNotFinite: 'throw'`; what loss,
 *   data, optimizer and callbacks throw; the reason of `signal` when aborted: keep checkpoints to go on then
 */
export async function train<P, Batch>(
  problem: LossProblem<P, Batch>,
  options: TrainOptions<P, Batch>,
): Promise<TrainSolution<P>>
export async function train<P, Batch>(
  problem: ModelProblem<P, Batch>,
  options: TrainOptions<P, Batch>,
): Promise<TrainSolution<P>>
export async function train<P, Batch>(
  problem: TrainProblem<P, Batch>,
  options: TrainOptions<P, Batch>,
): Promise<TrainSolution<P>> {
  const run = new Run(problem, options)
  await run.toEnd()
  return run.solution()
}

/** How long before, and what is left of it. */
interface Limits {
  tolerance: number
  epochs: number
  steps: number
  patience: number
  minImprovement: number
}

function limitsOf<P, Batch>(options: TrainOptions<P, Batch>): Limits {
  const { tolerance = Number.NEGATIVE_INFINITY, minImprovement = 0 } = options
  for (const [name, value] of Object.entries({ tolerance, minImprovement })) {
    if (typeof value === 'number' && !Number.isNaN(value)) continue
    throw new ExtremaError('ERR_OPTION', `${name}: expected a number, got ${describe(value)}`)
  }
  return {
    tolerance,
    minImprovement,
    epochs: whole('epochs', options.epochs, 10, 1),
    steps: whole('maxIterations', options.maxIterations, Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER),
    patience: whole('patience', options.patience, Number.MAX_SAFE_INTEGER, 1),
  }
}

class Run<P, Batch> {
  private readonly problem: ReadProblem<P, Batch>
  private readonly options: TrainOptions<P, Batch>
  private readonly limits: Limits
  private readonly monitor: Monitor
  private readonly optimizer: Optimizer
  private readonly random: ReturnType<typeof streamOfSteps>
  private readonly onBackend: <T>(body: () => T) => T
  private readonly gradient: (params: P, batch: Batch, context: StepContext) => { value: Tensor; gradient: P }
  private readonly steps: number | undefined
  private readonly throws: boolean
  private status: Status | undefined
  private notFinite: NotFinite | undefined
  private loss = Number.POSITIVE_INFINITY
  /** Where the run stands. */
  private at: Omit<TrainCheckpoint<P>, 'optimizer'>

  constructor(problem: TrainProblem<P, Batch>, options: TrainOptions<P, Batch>) {
    const { control, backend } = checkRunOptions(options as SolverOptions, names, '{ optimizer, … }')
    control.signal?.throwIfAborted()
    this.options = options
    this.limits = limitsOf(options)
    this.optimizer = checkOptimizer(options.optimizer)
    this.steps =
      options.checkpointEvery === undefined ? undefined : whole('checkpointEvery', options.checkpointEvery, 1, 1)
    this.throws = oneOf('onNotFinite', options.onNotFinite, ['stop', 'throw'] as const, 'stop') === 'throw'
    if (options.validation !== undefined) {
      checkSource('validation.data', options.validation.data)
      whole('validation.every', options.validation.every, 1, 1)
    }
    const seed = options.seed ?? 0
    this.random = streamOfSteps(seed)
    this.problem = readProblem(problem, seed, { dtype: options.dtype })
    this.onBackend = backend === undefined ? (body) => body() : (body) => withBackend(backend, body)
    this.gradient = valueAndGrad(this.problem.loss)
    const { params, state } = this.problem
    this.at = this.beginning(params, state)
    if (options.resume !== undefined) this.goOn(options.resume)
    const report = options.onProgress
    this.monitor = new Monitor(
      {
        timeLimit: control.timeLimit,
        signal: control.signal,
        onProgress: report && ((progress) => report({ ...progress, epoch: this.at.epoch + 1, loss: this.loss })),
      },
      false,
    )
  }

  private beginning(params: P, state: LayerState): Omit<TrainCheckpoint<P>, 'optimizer'> {
    const best: Judged<P> = { value: Number.POSITIVE_INFINITY, epoch: 0, params: copyTree('params', params), state }
    const counters = { step: 0, epoch: 0, index: 0, lossSum: 0, samples: 0, stale: 0 }
    return { version: 1, ...counters, params, state, best, history: [] }
  }

  private goOn(from: TrainCheckpoint<P>): void {
    checkCheckpoint(from, this.at.params, this.at.state, this.problem.data.batches)
    const { optimizer, ...rest } = from
    this.optimizer.restore(optimizer)
    this.at = {
      ...rest,
      params: copyTree('resume.params', from.params),
      state: copyState(from.state),
      history: from.history.slice(),
    }
  }

  /** Copies of where the run stands. */
  private checkpoint(): TrainCheckpoint<P> {
    const { at, optimizer } = this
    return {
      ...at,
      params: copyTree('params', at.params),
      state: copyState(at.state),
      best: { ...at.best, params: copyTree('params', at.best.params) },
      optimizer: optimizer.state(),
      history: at.history.slice(),
    }
  }

  async toEnd(): Promise<void> {
    const { at, limits, monitor, problem } = this
    if (at.epoch >= limits.epochs || at.step >= limits.steps) this.status = 'iteration-limit'
    while (this.status === undefined) {
      await this.step()
      if (this.status !== undefined) return
      const isEnd = at.index === problem.data.batches
      if (isEnd) await this.endEpoch()
      if (this.status === undefined && (this.steps === undefined ? isEnd : at.step % this.steps === 0)) {
        await this.options.onCheckpoint?.(this.checkpoint())
      }
      if (this.status === undefined) {
        if (at.epoch >= limits.epochs || at.step >= limits.steps) this.status = 'iteration-limit'
        else if (monitor.expired()) this.status = 'time-limit'
      }
      await this.breathe()
    }
  }

  /** Gives the event loop its turn when it is due, and hears the signal. */
  private async breathe(): Promise<void> {
    if (this.monitor.due()) {
      await turn()
      this.monitor.newSlice()
    }
    this.options.signal?.throwIfAborted()
  }

  private async step(): Promise<void> {
    const { at, problem } = this
    const made = await this.withBatch(problem.data, at.epoch, at.index, (batch) => this.takeStep(batch))
    if ('what' in made) {
      this.endNotFinite(made.what, made.message)
      return
    }
    this.loss = made.loss
    at.state = made.state
    at.lossSum += made.loss * made.samples
    at.samples += made.samples
    at.step++
    this.options.onStep?.({ step: at.step, epoch: at.epoch + 1, index: at.index, loss: made.loss })
    at.index++
    this.monitor.progress(at.step, at.best.value)
  }

  private takeStep(
    batch: Batch,
  ): { loss: number; samples: number; state: LayerState } | { what: 'loss' | 'gradient'; message: string } {
    const { at } = this
    const state = copyState(at.state)
    const context: StepContext = { training: true, random: this.random(at.step), state }
    const { value, gradient } = this.gradient(at.params, batch, context)
    const loss = value.item()
    if (!Number.isFinite(loss)) return { what: 'loss', message: `loss: expected a finite number, got ${loss}` }
    try {
      this.optimizer.step(at.params as object, gradient as object)
    } catch (error) {
      if (!(error instanceof ExtremaError && error.code === 'ERR_NOT_FINITE')) throw error
      return { what: 'gradient', message: error.message }
    }
    return { loss, samples: samplesIn(batch), state }
  }

  /** Makes a batch and uses it within one arena; if it is promised, within another one when it is there. */
  private async withBatch<T>(
    source: BatchSource<Batch>,
    epoch: number,
    index: number,
    use: (batch: Batch) => T,
  ): Promise<T> {
    const first = this.onBackend(() =>
      withArena((): { value: T } | { pending: () => Promise<Batch> } => {
        const batch = source.batch(epoch, index)
        return isPromise(batch) ? { pending: () => batch } : { value: use(batch) }
      }),
    )
    if ('value' in first) return first.value
    const batch = await first.pending()
    return this.onBackend(() => withArena(() => use(batch)))
  }

  private async endEpoch(): Promise<void> {
    const { at, options } = this
    at.index = 0
    at.epoch++
    const entry: TrainEntry = { epoch: at.epoch, step: at.step, loss: at.lossSum / at.samples }
    at.lossSum = 0
    at.samples = 0
    const { validation } = options
    if (!allFinite(at.params)) {
      this.endNotFinite('params', 'params: expected finite numbers, got others after this epoch')
      return
    }
    if (validation === undefined) this.judge(entry.loss)
    else if (at.epoch % (validation.every ?? 1) === 0) {
      const value = await this.validate(validation)
      if (!Number.isFinite(value)) {
        this.endNotFinite('validation', `validation: expected a finite number, got ${value}`)
        return
      }
      entry.validation = value
      this.judge(value)
    }
    at.history.push(entry)
    options.onEpoch?.(entry)
  }

  private judge(value: number): void {
    const { at, limits } = this
    const improved = value < at.best.value - limits.minImprovement || at.best.epoch === 0
    if (improved) {
      at.best = { value, epoch: at.epoch, params: copyTree('params', at.params), state: at.state }
      at.stale = 0
    } else at.stale++
    if (at.best.value <= limits.tolerance) this.status = 'converged'
    else if (at.stale >= limits.patience) this.status = 'stalled'
  }

  private async validate({ data, metric = this.problem.loss }: Validation<P, Batch>): Promise<number> {
    const { at } = this
    let sum = 0
    let samples = 0
    for (let index = 0; index < data.batches; index++) {
      const part = await this.withBatch(data, 0, index, (batch) => {
        const value = metric(at.params, batch, { training: false, state: at.state })
        return { value: typeof value === 'number' ? value : value.item(), samples: samplesIn(batch) }
      })
      sum += part.value * part.samples
      samples += part.samples
      await this.breathe()
    }
    return sum / samples
  }

  private endNotFinite(what: NotFinite['what'], message: string): void {
    const { step, epoch, index } = this.at
    if (this.throws) throw new ExtremaError('ERR_NOT_FINITE', `${message} at step ${step}`)
    this.notFinite = { what, step: step + 1, epoch: epoch + 1, index, message }
    this.status = 'stalled'
  }

  solution(): TrainSolution<P> {
    const { at, monitor, notFinite, options } = this
    const judged = at.best.epoch > 0
    const best = notFinite !== undefined || (options.validation !== undefined && judged)
    return {
      status: this.status as Status,
      iterations: at.step,
      residual: at.best.value,
      elapsed: performance.now() - monitor.start,
      backend: kernels(options.backend).name,
      params: best ? at.best.params : copyTree('params', at.params),
      state: best ? at.best.state : at.state,
      bestEpoch: at.best.epoch,
      history: at.history,
      ...(notFinite === undefined ? { checkpoint: this.checkpoint() } : { notFinite }),
    }
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function allFinite(params: unknown): boolean {
  return flatten('params', params).leaves.every(({ data }) => data.every((value) => Number.isFinite(value)))
}

function checkOptimizer(optimizer: Optimizer): Optimizer {
  if (typeof optimizer?.step === 'function' && typeof optimizer.state === 'function') return optimizer
  throw new ExtremaError('ERR_OPTION', `optimizer: expected one, such as adam(), got ${describe(optimizer)}`)
}
