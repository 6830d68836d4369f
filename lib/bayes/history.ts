import type { Direction } from './study/events.js'
import type { TrialRecord } from './study/record.js'

/** What a sampler or pruner may look at. It is live: take what you need before you await anything. */
export interface History<P = unknown> {
  readonly directions: readonly Direction[]
  /** Outcome constraints of a trial. */
  readonly constraints: number
  readonly seed: number
  /** All trials, by number, in whatever state: those that run are as much a fact as those that are complete. */
  readonly trials: readonly TrialRecord<P>[]
}

/** 1 if smaller is better, else -1: values times this are minimized. */
export const signOf = (direction: Direction): 1 | -1 => (direction === 'minimize' ? 1 : -1)
