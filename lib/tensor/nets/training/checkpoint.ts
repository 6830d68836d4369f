import { ExtremaError } from '../../../core/errors.js'
import { describe } from '../../../core/options.js'
import type { OptimizerState } from '../../optimizer.js'
import { flatten, matchingLeaves } from '../../tree.js'
import type { LayerState } from '../layer.js'

/** What was found at the end of an epoch. */
export interface TrainEntry {
  /** Counted from 1. */
  epoch: number
  /** Steps so far. */
  step: number
  /** Mean over the samples of the epoch, each at the parameters of its step. */
  loss: number
  /** The metric of the validation, where it was looked at. */
  validation?: number
}

/** Parameters with the value that they were judged by. */
export interface Judged<P> {
  value: number
  epoch: number
  params: P
  state: LayerState
}

/**
 * Everything that the rest of a run depends on besides problem and options, as plain data for `save`. A run that goes on from
 * one ends with the same numbers, bit for bit, as one that was never interrupted.
 */
export interface TrainCheckpoint<P> {
  version: 1
  /** Steps so far, epoch and batch of the next one, counted from 0. */
  step: number
  epoch: number
  index: number
  /** Sums of the epoch so far: losses times samples, and samples. */
  lossSum: number
  samples: number
  params: P
  state: LayerState
  optimizer: OptimizerState
  /** Best so far; the parameters at the start before the first judgement. */
  best: Judged<P>
  /** Judgements since the last improvement. */
  stale: number
  history: TrainEntry[]
}

/** Refuses checkpoints of other problems. */
export function checkCheckpoint<P>(
  checkpoint: TrainCheckpoint<P>,
  params: P,
  state: LayerState,
  batches: number,
): void {
  if (typeof checkpoint !== 'object' || checkpoint === null || checkpoint.version !== 1) {
    const came = describe((checkpoint as { version?: unknown } | null)?.version)
    throw new ExtremaError('ERR_OPTION', `resume: expected a checkpoint of version 1, got ${came}`)
  }
  for (const name of ['step', 'epoch', 'index', 'samples', 'stale'] as const) {
    if (Number.isSafeInteger(checkpoint[name]) && checkpoint[name] >= 0) continue
    const came = describe(checkpoint[name])
    throw new ExtremaError('ERR_OPTION', `resume.${name}: expected a whole number >= 0, got ${came}`)
  }
  if (checkpoint.index >= batches) {
    throw new ExtremaError('ERR_OPTION', `resume.index: expected a batch below ${batches}, got ${checkpoint.index}`)
  }
  const like = flatten('params', params)
  matchingLeaves('resume.params', checkpoint.params, like)
  matchingLeaves('resume.best.params', checkpoint.best?.params, like)
  matchingLeaves('resume.state', checkpoint.state, flatten('state', state))
}
