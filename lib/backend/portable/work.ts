import type { Monitor } from './driver.js'

/** What a kernel asks of its monitor. */
export type Watch = Pick<Monitor, 'due' | 'expired' | 'progress'>

/** Whether the event loop is due: all that a computation without limits of its own asks. */
export type Clock = Pick<Watch, 'due'>

/** A part of a kernel, with its result. Yields where the event loop may take over. */
export type Work<T> = Generator<void, T, void>

/** Entries handled between two looks at the clock: tens of microseconds. */
export const segmentLength = 4096

/** The monitor of work that is done at once. */
export const unhurried: Watch = { due: () => false, expired: () => false, progress: () => {} }

/** Runs work through at once. */
export function finish<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}
