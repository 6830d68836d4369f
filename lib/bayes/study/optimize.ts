import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, positive, whole } from '../../core/options.js'
import type { ParameterMap, ParamsOf } from '../space/parameters.js'
import type { TrialRecord } from './record.js'
import type { TrialResult } from './result.js'
import type { Best, Study } from './study.js'
import { Pruned, type Trial } from './trial.js'

/** Evaluates a point. Report to `trial` what is known on the way; stop when `trial.signal` aborts. */
export type Objective<P> = (params: P, trial: Trial<P>) => number | TrialResult | Promise<number | TrialResult>

export interface OptimizeOptions<P> {
  /** Trials to evaluate in this call. */
  trials?: number
  /** Trials evaluated at once. Default: 1. */
  parallel?: number
  /** Milliseconds. Trials still under way then go back to those that wait. */
  timeLimit?: number
  /** Aborting rejects with its reason; trials under way go back to those that wait. */
  signal?: AbortSignal
  /** Called after each trial, in the order they end. */
  onTrial?: (trial: TrialRecord<P>) => void
}

export interface OptimizeSolution<P> {
  /** `'iteration-limit'`: all trials were evaluated; `'converged'`: a finite space has nothing left to try. */
  status: 'iteration-limit' | 'time-limit' | 'converged'
  /** Trials evaluated in this call. */
  iterations: number
  /** Of these, how many failed and were pruned. */
  failed: number
  pruned: number
  /** The best of the study, of a single objective; undefined if no trial is complete. */
  best: Best<P> | undefined
  /** Milliseconds. */
  elapsed: number
}

const names: ReadonlySet<string> = new Set(['trials', 'parallel', 'timeLimit', 'signal', 'onTrial'])

export async function optimize<S extends ParameterMap>(
  study: Study<S>,
  objective: Objective<ParamsOf<S>>,
  options: OptimizeOptions<ParamsOf<S>>,
): Promise<OptimizeSolution<ParamsOf<S>>> {
  if (typeof objective !== 'function') {
    throw new ExtremaError('ERR_OPTION', `objective: expected a function, got ${describe(objective)}`)
  }
  checkNames('options', options, names)
  const { trials, signal, onTrial } = options
  const budget = trials === undefined ? Number.POSITIVE_INFINITY : whole('trials', trials, 0, 0)
  const parallel = whole('parallel', options.parallel, 1, 1, 10_000)
  const timeLimit = options.timeLimit === undefined ? undefined : positive('timeLimit', options.timeLimit)
  const endless = trials === undefined && timeLimit === undefined && signal === undefined
  if (endless && !Number.isFinite(study.space.cardinality)) {
    throw new ExtremaError('ERR_OPTION', 'options: expected trials, timeLimit or signal, got none')
  }
  signal?.throwIfAborted()
  const started = performance.now()
  const run = new Run(study, objective, budget, onTrial)
  const onAbort = () => run.stop(signal!.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const timer =
    timeLimit === undefined ? undefined : setTimeout(() => run.stop(timeIsUp), Math.min(timeLimit, longestTimer))
  try {
    // All, so that none is at the storage any more when this returns.
    await Promise.allSettled(Array.from({ length: parallel }, () => run.lane()))
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
  if (run.stopped && run.reason !== timeIsUp) throw run.reason
  const { evaluated, failed, pruned, lastError, lastFailure } = run
  if (evaluated > 0 && failed === evaluated && !study.trials.some(({ state }) => state === 'complete')) {
    throw new ExtremaError(
      'ERR_ORACLE',
      `objective: expected a value of some trial, got ${failed} failures; the last: ${lastFailure}`,
      {
        cause: lastError,
      },
    )
  }
  return {
    status: run.stopped ? 'time-limit' : run.exhausted ? 'converged' : 'iteration-limit',
    ...{ iterations: evaluated, failed, pruned },
    best: study.directions.length > 1 ? undefined : study.best,
    elapsed: performance.now() - started,
  }
}

const timeIsUp = new DOMException('the time limit of the study was reached', 'TimeoutError')

/** Node's timers end at once when they are set for longer: 25 days. */
const longestTimer = 2 ** 31 - 1

const ended = Symbol('ended')

/** The state that the lanes of one call share. */
class Run<S extends ParameterMap> {
  evaluated = 0
  failed = 0
  pruned = 0
  exhausted = false
  /** What the last trial failed of, and the error behind it, if one was thrown. */
  lastFailure = ''
  lastError: Error | undefined
  readonly #study: Study<S>
  readonly #objective: Objective<ParamsOf<S>>
  readonly #onTrial: ((trial: TrialRecord<ParamsOf<S>>) => void) | undefined
  readonly #controller = new AbortController()
  /** Resolves when nobody is to wait any longer for what is under way. */
  readonly #end = new Promise<typeof ended>((resolve) => {
    this.#controller.signal.addEventListener('abort', () => resolve(ended), { once: true })
  })
  /** Trials that may still be begun. */
  #left: number
  #adopting = true

  constructor(
    study: Study<S>,
    objective: Objective<ParamsOf<S>>,
    budget: number,
    onTrial: ((trial: TrialRecord<ParamsOf<S>>) => void) | undefined,
  ) {
    this.#study = study
    this.#objective = objective
    this.#left = budget
    this.#onTrial = onTrial
  }

  get stopped(): boolean {
    return this.#controller.signal.aborted
  }

  get reason(): unknown {
    return this.#controller.signal.reason
  }

  stop(reason: unknown): void {
    this.#controller.abort(reason)
  }

  /** Evaluates one trial after another. What goes wrong outside the objective stops all lanes. */
  async lane(): Promise<void> {
    try {
      while (!this.stopped && !this.exhausted && this.#left > 0) {
        this.#left--
        const trial = await this.#next()
        if (trial === undefined) return
        if (this.stopped) return await this.#study.release(trial)
        await this.#evaluate(trial)
      }
    } catch (error) {
      this.stop(error)
    }
  }

  async #next(): Promise<Trial<ParamsOf<S>> | undefined> {
    if (this.#adopting) {
      const orphan = await this.#study.adopt()
      if (orphan !== undefined) return orphan
      this.#adopting = false
    }
    try {
      return await this.#study.ask()
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_EXHAUSTED') throw error
      this.exhausted = true
      return undefined
    }
  }

  async #evaluate(asked: Trial<ParamsOf<S>>): Promise<void> {
    const trial = asked.withSignal(this.#controller.signal)
    const result = await Promise.race([this.#call(trial), this.#end])
    if (result === ended) return await this.#study.release(trial)
    if (!(await this.#tell(trial, result))) return
    const { record } = trial
    this.evaluated++
    if (record.state === 'failed') {
      this.failed++
      this.lastFailure = record.error ?? 'for a reason that was not said'
    }
    if (record.state === 'pruned') this.pruned++
    this.#onTrial?.(record)
  }

  /** False if the trial ended or was taken over elsewhere. */
  async #tell(trial: Trial<ParamsOf<S>>, result: number | TrialResult): Promise<boolean> {
    try {
      await this.#study.tell(trial, result)
      return true
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'ERR_TRIAL') return false
      // The objective gave what is no result.
      if (code !== 'ERR_OPTION' && code !== 'ERR_SHAPE' && code !== 'ERR_NOT_FINITE') throw error
      this.lastError = error as Error
      return this.#tell(trial, { failed: (error as Error).message })
    }
  }

  async #call(trial: Trial<ParamsOf<S>>): Promise<number | TrialResult> {
    try {
      return await this.#objective(trial.params, trial)
    } catch (error) {
      if (error instanceof Pruned) return { pruned: true }
      this.lastError = error instanceof Error ? error : new Error(String(error))
      return { failed: this.lastError.message }
    }
  }
}
