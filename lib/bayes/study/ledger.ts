import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { ExtremaError } from '../../core/errors.js'
import type { ParameterMap } from '../space/parameters.js'
import type { Storage } from '../storage/storage.js'
import { decodeEntries, encodeEntry, type StudyEvent } from './events.js'
import { thisProcess } from './owner.js'
import type { StudyState } from './state.js'

/** Events that are applied at a stretch. */
const batch = 2000

/** Events go to the storage, come back in the order of all processes, and only then change the state. */
export class Ledger<S extends ParameterMap> {
  /** Names this study object among all that use the storage. */
  readonly worker = randomBytes(6).toString('base64url')
  readonly #prefix = `${this.worker}.`
  readonly #storage: Storage
  readonly #state: StudyState<S>
  /** What became of our events that were read back. */
  readonly #applied = new Map<string, boolean>()
  #serial = 0
  #turn: Promise<unknown> = Promise.resolve()
  #failure: unknown
  #closed = false
  #known = false

  constructor(storage: Storage, state: StudyState<S>) {
    this.#storage = storage
    this.#state = state
  }

  /** Takes notice of what others have done. */
  sync(): Promise<void> {
    return this.#inTurn(() => this.#pull())
  }

  /**
   * Resolves to whether the event counts, when it and all before it are durable; false if it is void. A function is called
   * when it is the event's turn.
   */
  async commit(event: StudyEvent | (() => StudyEvent)): Promise<boolean> {
    const applied = await this.#inTurn(async () => {
      const made = typeof event === 'function' ? event() : event
      if (!this.#known && made[0] !== 'study') {
        this.#known = true
        await this.#append(['worker', thisProcess()])
      }
      const ticket = await this.#append(made)
      await this.#pull()
      const result = this.#applied.get(ticket)
      this.#applied.delete(ticket)
      if (result === undefined) {
        throw new ExtremaError(
          'ERR_STORAGE',
          'storage: expected to read back what was written, got less; it was cut or replaced',
        )
      }
      return result
    })
    await this.flush()
    return applied
  }

  /** Resolves when all that was read back is durable. Once that failed, a later success says nothing of what came before. */
  async flush(): Promise<void> {
    if (this.#failure === undefined) {
      try {
        await this.#storage.flush()
      } catch (error) {
        this.#failure ??= error
      }
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#turn.catch(() => {}) // its caller hears of it
    await this.#storage.close()
  }

  async #append(event: StudyEvent): Promise<string> {
    const ticket = this.#prefix + (this.#serial++).toString(36)
    await this.#storage.append(encodeEntry(ticket, event))
    return ticket
  }

  async #pull(): Promise<void> {
    const records = await this.#storage.read()
    for (let from = 0; from < records.length; from += batch) {
      if (from > 0) await setImmediate() // a study with many trials must not hold up the event loop when it opens
      for (const entry of decodeEntries(records.slice(from, from + batch))) {
        const applied = this.#state.apply(entry)
        if (entry[0].startsWith(this.#prefix) && entry[1] !== 'worker') this.#applied.set(entry[0], applied)
      }
    }
  }

  /** One at a time; after a storage failed nothing more is believed. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      return Promise.reject(new ExtremaError('ERR_STORAGE', 'study: expected to be open, got a call after close()'))
    }
    const run = this.#turn.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      try {
        return await task()
      } catch (error) {
        this.#failure = error
        throw error
      }
    })
    this.#turn = run.catch(() => {})
    return run
  }
}
