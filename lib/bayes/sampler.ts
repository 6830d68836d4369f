import type { Generator } from '../random/index.js'
import type { History } from './history.js'
import type { ParameterMap, ParamsOf } from './space/parameters.js'
import type { SearchSpace } from './space/space.js'
import type { Reason } from './study/events.js'

/** A point to try next, and why. */
export interface Proposal<P> {
  params: P
  /** Plain JSON, which is kept with the trial and returned by `study.explain`. */
  reason?: Reason
}

/**
 * Proposes points. It keeps no state of its own: what it proposes for trial number `history.trials.length` follows from
 * its arguments alone, so that a study that is resumed goes on as if it had never stopped.
 */
export interface Sampler {
  readonly name: string
  /** @param random the stream of this trial and no other: the same whatever was drawn for others, in whichever process */
  ask<S extends ParameterMap>(
    history: History<ParamsOf<S>>,
    space: SearchSpace<S>,
    random: Generator,
  ): Proposal<ParamsOf<S>> | Promise<Proposal<ParamsOf<S>>>
}
