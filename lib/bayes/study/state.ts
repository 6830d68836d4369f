import type { Coordinate } from '../space/dimensions.js'
import type { ParameterMap, ParamsOf } from '../space/parameters.js'
import type { SearchSpace } from '../space/space.js'
import type { Definition, Entry, Outcome, StudyEvent } from './events.js'
import type { Owner } from './owner.js'
import { LiveRecord } from './record.js'

/**
 * What the events so far make of the study. Events are applied in the order of the storage, the same in every process, and one
 * that no longer fits is void: of two processes that claim the same trial the first has it, and both learn so when
 * they read their own event back.
 */
export class StudyState<S extends ParameterMap> {
  readonly trials: LiveRecord<ParamsOf<S>>[] = []
  readonly waiting = new Set<LiveRecord<ParamsOf<S>>>()
  readonly running = new Set<LiveRecord<ParamsOf<S>>>()
  readonly owners = new Map<string, Owner>()
  definition: Definition | undefined
  /** Trials that were told, however they ended. */
  finished = 0
  /** How many trials have a point, by its key; of finite spaces only. */
  readonly #tried: Map<string, number> | undefined
  readonly #build: (coordinates: readonly Coordinate[]) => ParamsOf<S>

  constructor(space: SearchSpace<S>) {
    this.#tried = Number.isFinite(space.cardinality) ? new Map() : undefined
    this.#build = (coordinates) => space.fromCoordinates(coordinates)
  }

  /** Whether a trial has the point already. */
  tried(key: string): boolean {
    return this.#tried?.has(key) ?? false
  }

  /** Applies an event; returns false if it is void. */
  apply({ ticket, event }: Entry): boolean {
    const worker = ticket.slice(0, ticket.indexOf('.'))
    switch (event[0]) {
      case 'study':
        if (this.definition !== undefined) return false
        this.definition = event[1]
        return true
      case 'worker':
        this.owners.set(worker, event[1])
        return true
      case 'ask':
        return this.#asked(event, worker)
      case 'enqueue': {
        const [, number, coordinates] = event
        return this.#add(number, new LiveRecord(number, coordinates, 'enqueued', {}, this.#build))
      }
      case 'start':
        return this.#started(event, worker)
      case 'report': {
        const [, number, attempt, step, value] = event
        const record = this.#runningRecord(number, attempt)
        record?.reports.push({ step, value })
        return record !== undefined
      }
      case 'tell': {
        const [, number, attempt, outcome, time] = event
        const record = this.#runningRecord(number, attempt)
        if (record !== undefined) this.#finish(record, outcome, time)
        return record !== undefined
      }
      case 'release': {
        const [, number, attempt] = event
        const record = this.#runningRecord(number, attempt)
        if (record === undefined) return false
        this.running.delete(record)
        record.state = 'waiting'
        this.waiting.add(record)
        return true
      }
      case 'import': {
        const [, number, { coordinates, outcome, reports, sampler, reason }, time] = event
        const record = new LiveRecord(number, coordinates, sampler, reason, this.#build)
        if (!this.#add(number, record)) return false
        record.reports = reports.map(([step, value]) => ({ step, value }))
        this.waiting.delete(record)
        this.#finish(record, outcome, time)
        return true
      }
    }
  }

  #asked([, number, coordinates, sampler, reason, time]: Extract<StudyEvent, ['ask', ...unknown[]]>, worker: string) {
    const record = new LiveRecord(number, coordinates, sampler, reason, this.#build)
    if (!this.#add(number, record)) return false
    this.#begin(record, worker, time)
    return true
  }

  /** A waiting trial is begun, or one whose process has ended is begun again. */
  #started([, number, attempt, time]: Extract<StudyEvent, ['start', ...unknown[]]>, worker: string): boolean {
    const record = this.trials[number]
    const open = record?.state === 'waiting' || record?.state === 'running'
    if (!open || attempt !== record.attempt + 1) return false
    record.reports = []
    this.#begin(record, worker, time)
    return true
  }

  #begin(record: LiveRecord<ParamsOf<S>>, worker: string, time: number): void {
    this.waiting.delete(record)
    this.running.add(record)
    record.state = 'running'
    record.attempt++
    record.worker = worker
    record.startedAt = time
  }

  /** Numbers are given in order, so that whoever proposes a trial has seen all before it. */
  #add(number: number, record: LiveRecord<ParamsOf<S>>): boolean {
    if (number !== this.trials.length) return false
    this.trials.push(record)
    this.waiting.add(record)
    this.#count(record.coordinates, 1)
    return true
  }

  #runningRecord(number: number, attempt: number): LiveRecord<ParamsOf<S>> | undefined {
    const record = this.trials[number]
    return record?.state === 'running' && record.attempt === attempt ? record : undefined
  }

  #finish(record: LiveRecord<ParamsOf<S>>, outcome: Outcome, time: number): void {
    this.running.delete(record)
    record.state = outcome.state
    record.outcome = outcome
    record.finishedAt = time
    this.finished++
    // Nothing was learnt of its point.
    if (outcome.state === 'cancelled') this.#count(record.coordinates, -1)
  }

  #count(coordinates: readonly Coordinate[], change: 1 | -1): void {
    if (this.#tried === undefined) return
    const key = coordinates.join()
    const count = (this.#tried.get(key) ?? 0) + change
    if (count === 0) this.#tried.delete(key)
    else this.#tried.set(key, count)
  }
}
