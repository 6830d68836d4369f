import type { Watch } from '../work.js'

/** A part of a kernel: yields where the event loop may take over, and, only where an oracle is asked, a promise. */
export type Flow<T> = Generator<undefined | PromiseLike<unknown>, T, unknown>

export type { Watch }
