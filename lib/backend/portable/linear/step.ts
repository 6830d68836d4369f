import type { Clock, Watch } from '../work.js'

/**
 * A part of an iteration. It yields nothing where the event loop may take over, and the promise of an oracle where it
 * waits for one: kernels have no oracles.
 */
export type Step<T> = Generator<undefined | PromiseLike<unknown>, T, unknown>

/** Writes the image of x to out. */
export type Apply = (x: Float64Array, out: Float64Array) => Step<void>

export type { Clock, Watch }

/** Entries handled between two looks at the clock: tens of microseconds. */
export const segment = 1 << 14
