import { kernels } from '../../../backend/index.js'
import { checkRunOptions } from '../../../backend/options.js'
import { Monitor, turn } from '../../../backend/portable/driver.js'
import { ExtremaError } from '../../../core/errors.js'
import { oneOf, type SolverOptions, whole } from '../../../core/options.js'
import type { Status } from '../../../core/solution.js'
import { withBackend } from '../../backend.js'
import { valueAndGrad } from '../../grad.js'
import type { Optimizer } from '../../optimizer.js'
import type { Tensor } from '../../tensor.js'
import { flatten } from '../../tree.js'
import { withArena } from '../../with-arena.js'
import type { BatchSource } from '../data-loader.js'
import type { LayerState } from '../layer.js'
import { checkCheckpoint, type Judged, type TrainCheckpoint, type TrainEntry } from './checkpoint.js'
import {
  checkOptimizer,
  checkValidation,
  type Limits,
  limitsOf,
  type NotFinite,
  type TrainOptions,
  type TrainSolution,
  trainNames,
  type Validation,
} from './options.js'
import {
  copyState,
  copyTree,
  type ReadProblem,
  readProblem,
  type StepContext,
  samplesIn,
  streamOfSteps,
  type TrainProblem,
} from './problem.js'

/** One run of {@link train}. */
export class Run<P, Batch> {
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
    const { control, backend } = checkRunOptions(options as SolverOptions, trainNames, '{ optimizer, … }')
    control.signal?.throwIfAborted()
    this.options = options
    this.limits = limitsOf(options)
    this.optimizer = checkOptimizer(options.optimizer)
    this.steps =
      options.checkpointEvery === undefined ? undefined : whole('checkpointEvery', options.checkpointEvery, 1, 1)
    this.throws = oneOf('onNotFinite', options.onNotFinite, ['stop', 'throw'] as const, 'stop') === 'throw'
    checkValidation(options.validation)
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
        if (isEnd || this.paramsAreFinite()) await this.options.onCheckpoint?.(this.checkpoint())
      }
      if (this.status === undefined) {
        const done = at.epoch >= limits.epochs || at.step >= limits.steps
        const status = done ? 'iteration-limit' : monitor.expired() ? 'time-limit' : undefined
        if (status !== undefined && (isEnd || this.paramsAreFinite())) this.status = status
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
    if (!this.paramsAreFinite()) return
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

  /** Ends the run if they are not. */
  private paramsAreFinite(): boolean {
    const finite = allFinite(this.at.params)
    if (!finite) this.endNotFinite('params', 'params: expected finite numbers, got others')
    return finite
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
    const { at, problem } = this
    // Parameters and metrics are looked at after a step, which may have been the last of an epoch.
    const counted = what === 'params' || what === 'validation'
    const over = counted && at.index === 0
    const step = counted ? at.step : at.step + 1
    const epoch = over ? at.epoch : at.epoch + 1
    const index = over ? problem.data.batches - 1 : counted ? at.index - 1 : at.index
    if (this.throws) throw new ExtremaError('ERR_NOT_FINITE', `${message} at step ${step}`)
    this.notFinite = { what, step, epoch, index, message }
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
