import type { Coordinate } from '../space/dimensions.js'
import type { ParameterMap, ParamsOf } from '../space/parameters.js'
import type { SearchSpace } from '../space/space.js'
import type { Definition, Entry, Outcome } from './events.js'
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
  apply(entry: Entry): boolean {
    switch (entry[1]) {
      case 'study':
        if (this.definition !== undefined) return false
        this.definition = entry[2]
        return true
      case 'worker':
        this.owners.set(workerOf(entry[0]), entry[2])
        return true
      case 'ask': {
        const [ticket, , number, coordinates, sampler, reason, time] = entry
        const record = new LiveRecord(number, coordinates, sampler, reason, this.#build)
        if (!this.#add(number, record)) return false
        this.#begin(record, ticket, time)
        return true
      }
      case 'enqueue': {
        const [, , number, coordinates] = entry
        const record = new LiveRecord(number, coordinates, 'enqueued', {}, this.#build)
        if (!this.#add(number, record)) return false
        this.waiting.add(record)
        return true
      }
      case 'start':
        return this.#start(entry)
      case 'report': {
        const [, , number, attempt, step, value] = entry
        const record = this.#runningRecord(number, attempt)
        record?.addReport({ step, value })
        return record !== undefined
      }
      case 'tell': {
        const [, , number, attempt, outcome, time] = entry
        const record = this.#runningRecord(number, attempt)
        if (record === undefined) return false
        this.#finish(record, outcome, time)
        return true
      }
      case 'release': {
        const [, , number, attempt] = entry
        const record = this.#runningRecord(number, attempt)
        if (record === undefined) return false
        this.running.delete(record)
        record.state = 'waiting'
        this.waiting.add(record)
        return true
      }
      case 'import': {
        const [, , number, { coordinates, outcome, reports, sampler, reason }, time] = entry
        const record = new LiveRecord(number, coordinates, sampler, reason, this.#build)
        if (!this.#add(number, record)) return false
        record.reports = reports.map(([step, value]) => ({ step, value }))
        this.#finish(record, outcome, time)
        return true
      }
    }
  }

  /** A waiting trial is begun, or one whose process has ended is begun again. */
  #start([ticket, , number, attempt, time]: Extract<Entry, [string, 'start', ...unknown[]]>): boolean {
    const record = this.trials[number]
    const open = record?.state === 'waiting' || record?.state === 'running'
    if (!open || attempt !== record.attempt + 1) return false
    record.reports = []
    this.waiting.delete(record)
    this.#begin(record, ticket, time)
    return true
  }

  #begin(record: LiveRecord<ParamsOf<S>>, ticket: string, time: number): void {
    this.running.add(record)
    record.state = 'running'
    record.attempt++
    record.worker = workerOf(ticket)
    record.startedAt = time
  }

  /** Numbers are given in order, so that whoever proposes a trial has seen all before it. */
  #add(number: number, record: LiveRecord<ParamsOf<S>>): boolean {
    if (number !== this.trials.length) return false
    this.trials.push(record)
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

const workerOf = (ticket: string) => ticket.slice(0, ticket.indexOf('.'))
