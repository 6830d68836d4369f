import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { generator } from '../../random/index.js'
import type { History } from '../history.js'
import { type ImportanceOptions, importance } from '../importance/importance.js'
import { bestOf, frontOf, violationOf } from '../incumbent.js'
import type { Pruner } from '../pruner.js'
import type { Proposal, Sampler } from '../sampler.js'
import type { Coordinate } from '../space/dimensions.js'
import type { ParameterMap, ParamsOf } from '../space/parameters.js'
import type { SearchSpace } from '../space/space.js'
import { openStorage } from '../storage/storage.js'
import type { Definition, Direction, ImportedTrial, Outcome, StudyEvent } from './events.js'
import { type Explanation, explanationOf } from './explanation.js'
import { Ledger } from './ledger.js'
import { type Objective, type OptimizeOptions, type OptimizeSolution, optimize } from './optimize.js'
import { type CheckedOptions, checkSame, checkStudyOptions, type StudyOptions } from './options.js'
import { isAlive } from './owner.js'
import type { LiveRecord, TrialRecord } from './record.js'
import { checkResult, type TrialResult } from './result.js'
import { StudyState } from './state.js'
import { Trial } from './trial.js'

/** The best trial of a study, and whether it keeps all outcome constraints. */
export interface Best<P> {
  readonly number: number
  readonly params: P
  readonly value: number
  /** False while no trial keeps all constraints; it is then the one that breaks them least. */
  readonly feasible: boolean
  /** The sum of what its constraints are above 0. */
  readonly violation: number
  readonly trial: TrialRecord<P>
}

/**
 * Opens a study: a search for the best parameters of something expensive, which is evaluated by whoever asks. The study
 * remembers every trial; if its storage holds one already, it goes on where that one stopped, trials under way included, and
 * proposes what it would have proposed without stopping.
 *
 * ```ts
 * const study = await createStudy({ space: { lr: real(1e-5, 1, { log: true }), layers: integer(1, 8) }, storage: 'study.journal' })
 * const trial = await study.ask()
 * await study.tell(trial, await train(trial.params))
 * ```
 *
 * @throws ExtremaError `ERR_OPTION` for options that are wrong or differ from the study in the storage; `ERR_STORAGE` for a
 *   storage that cannot be used or was damaged; `ERR_PEER` if it needs a package that is not installed
 */
export async function createStudy<const S extends ParameterMap>(options: StudyOptions<S>): Promise<Study<S>> {
  const checked = checkStudyOptions(options)
  const storage = await openStorage(options.storage ?? ':memory:')
  const state = new StudyState(checked.space)
  const ledger = new Ledger(storage, state)
  try {
    await ledger.sync()
    // Of two processes that begin the same study at once one does; the other finds it.
    if (state.definition === undefined) await ledger.commit(['study', checked.definition])
    checkSame(checked.given, state.definition!)
    return new Study(checked, state, ledger)
  } catch (error) {
    await ledger.close()
    throw error
  }
}

/** A search for the best parameters: see `createStudy`. */
export class Study<S extends ParameterMap> implements History<ParamsOf<S>> {
  readonly space: SearchSpace<S>
  readonly #state: StudyState<S>
  readonly #ledger: Ledger<S>
  readonly #sampler: Sampler
  readonly #pruner: Pruner | undefined
  readonly #duplicates: boolean
  readonly #definition: Definition
  #asking: Promise<unknown> = Promise.resolve()

  /** Use `createStudy`. */
  constructor({ space, sampler, pruner, duplicates }: CheckedOptions<S>, state: StudyState<S>, ledger: Ledger<S>) {
    this.space = space
    this.#sampler = sampler
    this.#pruner = pruner
    this.#duplicates = duplicates
    this.#state = state
    this.#ledger = ledger
    this.#definition = state.definition!
  }

  get directions(): readonly Direction[] {
    return this.#definition.directions
  }

  get constraints(): number {
    return this.#definition.constraints
  }

  get seed(): number {
    return this.#definition.seed
  }

  /** All trials, by number, whatever their state. Of other processes' as of the last call to the study, or `sync()`. */
  get trials(): readonly TrialRecord<ParamsOf<S>>[] {
    return this.#state.trials
  }

  /** The trials under way, whoever evaluates them: those of a study that is resumed can be told like new ones. */
  get pending(): Trial<ParamsOf<S>>[] {
    return [...this.#state.running].map((record) => this.#handle(record))
  }

  /** The best complete trial of a single objective; undefined before there is one. */
  get best(): Best<ParamsOf<S>> | undefined {
    if (this.directions.length > 1) {
      throw new ExtremaError(
        'ERR_OPTION',
        `best: expected one objective, got ${this.directions.length}; see paretoFront`,
      )
    }
    const trial = bestOf(this)
    if (trial === undefined) return undefined
    const violation = violationOf(trial)
    const { number, params, values } = trial
    return { number, params, value: values![0], feasible: violation === 0, violation, trial }
  }

  /**
   * The complete trials that no other is better than in all objectives, by number, among those that keep all constraints; if
   * none does, among those that break them least.
   */
  get paretoFront(): TrialRecord<ParamsOf<S>>[] {
    return frontOf(this)
  }

  /** Takes notice of what other processes have done. All calls that change the study do. */
  sync(): Promise<void> {
    return this.#ledger.sync()
  }

  /**
   * The next trial to evaluate: one that is waiting, or a new one of the sampler. It stays pending until it is told; any
   * number may be pending at once.
   *
   * @throws ExtremaError `ERR_EXHAUSTED` if all points of a finite space were tried (unless `duplicates`); `ERR_INFEASIBLE` if the
   *   space's constraints leave nothing
   */
  ask(): Promise<Trial<ParamsOf<S>>>
  /** The next so many of them; fewer if a finite space has no more. */
  ask(count: number): Promise<Trial<ParamsOf<S>>[]>
  async ask(count?: number): Promise<Trial<ParamsOf<S>> | Trial<ParamsOf<S>>[]> {
    if (count === undefined) return this.#handle(await this.#askOne())
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new ExtremaError('ERR_OPTION', `count: expected a whole number >= 1, got ${describe(count)}`)
    }
    const trials: Trial<ParamsOf<S>>[] = []
    try {
      for (let k = 0; k < count; k++) trials.push(this.#handle(await this.#askOne()))
    } catch (error) {
      if (trials.length === 0) throw error
      if (!(error instanceof ExtremaError && error.code === 'ERR_EXHAUSTED')) {
        await Promise.allSettled(trials.map((trial) => this.release(trial))) // nobody else knows of them
        throw error
      }
    }
    return trials
  }

  /**
   * Says what a trial gave: a number, `{ value }` or `{ values }` with `constraints` and `gradient`, `{ failed }`, `{ pruned }` or
   * `{ cancelled }`. In any order, from any process; the same result told twice counts once.
   *
   * @param trial the trial or its number
   * @throws ExtremaError `ERR_TRIAL` for a trial that there is not, that has another result, or that another process has taken
   *   over; `ERR_NOT_FINITE` and `ERR_SHAPE` for values that are wrong, and then the trial stays pending
   */
  async tell(trial: Trial<ParamsOf<S>> | number, result: TrialResult | number): Promise<void> {
    const outcome = checkResult(result, this.directions.length, this.constraints, this.space.dimensions)
    await this.#tell(trial, outcome)
  }

  /** Puts a point among those to be evaluated: the next `ask` gives it. Returns the trial's number. */
  async enqueue(params: ParamsOf<S>): Promise<number> {
    const coordinates = this.#allowed(params)
    return this.#append((number) => ['enqueue', number, coordinates, Date.now()])
  }

  /**
   * Adds a trial that was evaluated elsewhere, to start from what is known. Returns its number.
   *
   * @param result as for `tell`
   */
  async add(params: ParamsOf<S>, result: TrialResult | number): Promise<number> {
    const coordinates = this.#allowed(params)
    const outcome = checkResult(result, this.directions.length, this.constraints, this.space.dimensions)
    return this.import({ coordinates, outcome, reports: [], sampler: 'imported', reason: {} })
  }

  /** Adds a trial as it was exported: see `importTrials`. */
  import(trial: ImportedTrial): Promise<number> {
    return this.#append((number) => ['import', number, trial, Date.now()])
  }

  /**
   * Takes over a pending trial of a process that has ended, to evaluate it from the beginning; undefined if there is none.
   * `optimize` does so first. A trial whose process cannot be looked at (another machine) is taken to be alive.
   */
  async adopt(): Promise<Trial<ParamsOf<S>> | undefined> {
    await this.#ledger.sync()
    const alive = new Map<string, boolean>()
    for (const record of this.#state.running) {
      const worker = record.worker!
      if (worker === this.#ledger.worker) continue
      const owner = this.#state.owners.get(worker)
      if (!alive.has(worker)) alive.set(worker, owner === undefined || isAlive(owner))
      if (alive.get(worker)) continue
      if (await this.#ledger.commit(['start', record.number, record.attempt + 1, Date.now()]))
        return this.#handle(record)
    }
    return undefined
  }

  /** Gives a pending trial back: it waits to be asked for again, under its number. */
  async release(trial: Trial<ParamsOf<S>>): Promise<void> {
    const { number, attempt } = trial
    if (await this.#ledger.commit(['release', number, attempt])) return
    this.#refuse(number, attempt)
  }

  /**
   * Evaluates trials until so many are told, the time is up, `signal` aborts or a finite space is exhausted. Trials of processes that
   * ended come first, then those that wait. See `OptimizeOptions`.
   *
   * @param objective may return a number or what `tell` takes, or a promise of it; what it throws makes the trial a failed one
   */
  optimize(
    objective: Objective<ParamsOf<S>>,
    options: OptimizeOptions<ParamsOf<S>> = {},
  ): Promise<OptimizeSolution<ParamsOf<S>>> {
    return optimize(this, objective, options)
  }

  /** Who proposed a trial and why, and how it compares. */
  explain(trial: Trial<ParamsOf<S>> | number): Explanation {
    const number = typeof trial === 'number' ? trial : trial.number
    return explanationOf(this.#record(number), this)
  }

  /** How much each parameter matters for an objective: see `ImportanceOptions`. */
  importance(options: ImportanceOptions = {}): Promise<Record<string, number>> {
    return importance(this, this.space, options)
  }

  /** Ends the use of the storage. Pending trials stay pending. */
  close(): Promise<void> {
    return this.#ledger.close()
  }

  /** The handle of a trial in the state it is in. */
  #handle(record: LiveRecord<ParamsOf<S>>): Trial<ParamsOf<S>> {
    return new Trial(record, {
      report: async (number, attempt, step, value) => {
        if (await this.#ledger.commit(['report', number, attempt, step, value])) return
        this.#refuse(number, attempt)
      },
      shouldPrune: (current) => {
        if (this.#pruner === undefined) return false
        if (this.directions.length > 1) {
          throw new ExtremaError('ERR_OPTION', `pruner: expected one objective, got ${this.directions.length}`)
        }
        return this.#pruner.shouldPrune(current, this)
      },
    })
  }

  /** One at a time: each proposal knows of the one before. */
  #askOne(): Promise<LiveRecord<ParamsOf<S>>> {
    const turn = this.#asking.then(() => this.#propose())
    this.#asking = turn.catch(() => {}) // its caller hears of it
    return turn
  }

  async #propose(): Promise<LiveRecord<ParamsOf<S>>> {
    const state = this.#state
    for (;;) {
      await this.#ledger.sync()
      const [waiting] = state.waiting
      if (waiting !== undefined) {
        if (await this.#ledger.commit(['start', waiting.number, waiting.attempt + 1, Date.now()])) return waiting
        continue
      }
      const number = state.trials.length
      const { params, reason = {}, name } = await this.#proposal(number)
      const coordinates = this.#allowed(params)
      // What came meanwhile may change the proposal, and has taken its number.
      if (state.trials.length !== number) continue
      if (await this.#ledger.commit(['ask', number, coordinates, name, reason, Date.now()])) return state.trials[number]
    }
  }

  async #proposal(number: number): Promise<Proposal<ParamsOf<S>> & { name: string }> {
    const random = generator(this.seed).split(number)
    const { name } = this.#sampler
    const proposal = await this.#sampler.ask<S>(this, this.space, random.split(0))
    if (this.#duplicates || !this.#state.tried(this.space.key(proposal.params))) return { ...proposal, name }
    const rest = await this.space.remaining(random.split(1), (key) => this.#state.tried(key))
    if (rest !== undefined) return { params: rest, reason: { ...proposal.reason, replaced: 'already tried' }, name }
    const count = this.space.cardinality.toLocaleString('en-US')
    throw new ExtremaError('ERR_EXHAUSTED', `space: expected a point that no trial has had, got none among ${count}`)
  }

  #allowed(params: ParamsOf<S>): Coordinate[] {
    const coordinates = this.space.toCoordinates(params)
    if (!this.space.constrained || this.space.allows(params)) return coordinates
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      `params: expected a point that the space's constraints allow, got ${JSON.stringify(params)}`,
    )
  }

  /** Adds a trial under the next free number. */
  async #append(event: (number: number) => StudyEvent): Promise<number> {
    for (;;) {
      await this.#ledger.sync()
      let number = 0
      const next = () => {
        number = this.#state.trials.length // in its turn: of calls at once each has a number of its own
        return event(number)
      }
      if (await this.#ledger.commit(next)) return number
    }
  }

  async #tell(trial: Trial<ParamsOf<S>> | number, outcome: Outcome): Promise<void> {
    const number = typeof trial === 'number' ? trial : trial.number
    // Another process may know more of it.
    if (this.#state.trials[number]?.state !== 'running') await this.#ledger.sync()
    const record = this.#record(number)
    const attempt = typeof trial === 'number' ? record.attempt : trial.attempt
    if (record.state === 'running' && record.attempt === attempt) {
      if (await this.#ledger.commit(['tell', number, attempt, outcome, Date.now()])) return
    }
    const same = JSON.stringify(record.outcome) === JSON.stringify(outcome)
    if (same && record.attempt === attempt) return this.#ledger.flush() // what told it may still be on its way
    this.#refuse(number, attempt)
  }

  #record(number: number): LiveRecord<ParamsOf<S>> {
    const record = this.#state.trials[number]
    if (record !== undefined) return record
    const count = this.#state.trials.length
    throw new ExtremaError('ERR_TRIAL', `trial: expected one of ${count}, got number ${describe(number)}`)
  }

  #refuse(number: number, attempt: number): never {
    const { state, attempt: current } = this.#record(number)
    const came = current === attempt ? state : `${state}, begun again since`
    throw new ExtremaError('ERR_TRIAL', `trial ${number}: expected one that is running, got one that is ${came}`)
  }
}
