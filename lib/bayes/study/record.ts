import type { Coordinate } from '../space/dimensions.js'
import type { Outcome, Reason } from './events.js'

export type TrialState = 'waiting' | 'running' | Outcome['state']

/** A value on the way of a trial. */
export interface Report {
  /** How far the trial was: epochs, seconds, examples. */
  readonly step: number
  readonly value: number
}

/** A trial as the study knows it. It changes while the trial runs. */
export interface TrialRecord<P = unknown> {
  /** From 0, in the order of proposal. */
  readonly number: number
  /** waiting → running → complete, pruned, failed or cancelled. */
  readonly state: TrialState
  readonly params: P
  /** The objectives, once complete. */
  readonly values: readonly number[] | undefined
  /** The outcomes that must be <= 0, in their order. */
  readonly constraints: readonly number[] | undefined
  /** The derivative of the objective by numeric parameters, if told. */
  readonly gradient: Readonly<Record<string, number>> | undefined
  /** Why it failed. */
  readonly error: string | undefined
  readonly reports: readonly Report[]
  /** Who proposed it: the sampler's name, `enqueued` or `imported`. */
  readonly sampler: string
  readonly reason: Reason
  /** Times it was begun. */
  readonly attempt: number
  /** Milliseconds since 1970. */
  readonly startedAt: number | undefined
  readonly finishedAt: number | undefined
}

/** Most trials report nothing. */
const none: readonly Report[] = []

/** The record that events change. The point is built from its coordinates when it is asked for. */
export class LiveRecord<P> implements TrialRecord<P> {
  readonly number: number
  readonly coordinates: readonly Coordinate[]
  readonly sampler: string
  readonly reason: Reason
  state: TrialState = 'waiting'
  attempt = 0
  /** The worker that began it last. */
  worker: string | undefined
  outcome: Outcome | undefined
  startedAt: number | undefined
  finishedAt: number | undefined
  reports: readonly Report[] = none
  readonly #build: (coordinates: readonly Coordinate[]) => P
  #params: P | undefined

  constructor(
    number: number,
    coordinates: readonly Coordinate[],
    sampler: string,
    reason: Reason,
    build: (coordinates: readonly Coordinate[]) => P,
  ) {
    this.number = number
    this.coordinates = coordinates
    this.sampler = sampler
    this.reason = reason
    this.#build = build
  }

  addReport(report: Report): void {
    if (this.reports.length === 0) this.reports = [report]
    else (this.reports as Report[]).push(report)
  }

  get params(): P {
    this.#params ??= deepFreeze(this.#build(this.coordinates))
    return this.#params
  }

  get values(): readonly number[] | undefined {
    return this.outcome?.values
  }

  get constraints(): readonly number[] | undefined {
    return this.outcome?.constraints
  }

  get gradient(): Readonly<Record<string, number>> | undefined {
    return this.outcome?.gradient
  }

  get error(): string | undefined {
    return this.outcome?.error
  }
}

/** The record as it is now, as plain data. */
export function snapshotOf<P>(record: TrialRecord<P>): TrialRecord<P> {
  const { number, state, params, values, constraints, gradient, error, sampler, reason, attempt } = record
  const { reports, startedAt, finishedAt } = record
  return {
    ...{ number, state, params, values, constraints, gradient, error, sampler, reason, attempt, startedAt, finishedAt },
    reports: [...reports],
  }
}

/** A point is shared by all who look at the trial. */
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}
