import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { type Report, snapshotOf, type TrialRecord } from './record.js'

/** What a trial needs of its study. */
export interface TrialHost {
  report(number: number, attempt: number, step: number, value: number): Promise<void>
  shouldPrune(record: TrialRecord): boolean
}

/** Thrown by `trial.prune()`; `study.optimize` takes it for what it says. */
export class Pruned extends Error {
  override name = 'Pruned'
}

/** A trial that is yours to evaluate, until it is told. */
export class Trial<P = unknown> {
  readonly number: number
  /** Which beginning of the trial this is: one that another process has taken over since can no longer be told. */
  readonly attempt: number
  readonly params: P
  /** Aborted when the study no longer waits for the result. */
  readonly signal: AbortSignal
  readonly #record: TrialRecord<P>
  readonly #host: TrialHost
  /** Reports on their way to the storage. */
  #pending: Report[] = []

  /** Trials come from `study.ask()`. */
  constructor(record: TrialRecord<P>, host: TrialHost, signal: AbortSignal = new AbortController().signal) {
    this.#record = record
    this.#host = host
    this.number = record.number
    this.attempt = record.attempt
    this.params = record.params
    this.signal = signal
  }

  /** The same trial with another signal. */
  withSignal(signal: AbortSignal): Trial<P> {
    return new Trial(this.#record, this.#host, signal)
  }

  /** What the study knows of it. */
  get record(): TrialRecord<P> {
    return this.#record
  }

  /**
   * Says how good the trial is so far, for pruners. Steps are numbers >= 0 that ascend: epochs, examples, seconds.
   * Resolves when the value is in the storage.
   */
  async report(step: number, value: number): Promise<void> {
    if (typeof step !== 'number' || !Number.isFinite(step) || step < 0) {
      throw new ExtremaError('ERR_OPTION', `step: expected a finite number >= 0, got ${describe(step)}`)
    }
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new ExtremaError('ERR_NOT_FINITE', `value: expected a finite number, got ${describe(value)}`)
    }
    const last = this.#reports().at(-1)
    if (last !== undefined && step <= last.step) {
      throw new ExtremaError('ERR_OPTION', `step: expected one above the last, ${last.step}, got ${step}`)
    }
    const report = { step, value: value + 0 }
    this.#pending.push(report)
    try {
      await this.#host.report(this.number, this.attempt, report.step, report.value)
    } finally {
      this.#pending = this.#pending.filter((other) => other !== report)
    }
  }

  /** Whether the study's pruner would stop the trial here. Never without one. */
  shouldPrune(): boolean {
    if (this.#pending.length === 0) return this.#host.shouldPrune(this.#record)
    return this.#host.shouldPrune({ ...snapshotOf(this.#record), reports: this.#reports() })
  }

  /** Ends the objective of `study.optimize` here, as pruned. */
  prune(): never {
    throw new Pruned(`trial ${this.number} was pruned`)
  }

  #reports(): readonly Report[] {
    return [...this.#record.reports, ...this.#pending]
  }
}
