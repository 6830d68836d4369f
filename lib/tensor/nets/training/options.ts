import { runNames } from '../../../backend/options.js'
import { ExtremaError } from '../../../core/errors.js'
import { describe, type Progress, type SolverOptions, whole } from '../../../core/options.js'
import type { Solution } from '../../../core/solution.js'
import type { DType } from '../../arena.js'
import type { Optimizer } from '../../optimizer.js'
import type { Tensor } from '../../tensor.js'
import type { BatchSource } from '../data-loader.js'
import type { LayerState } from '../layer.js'
import type { TrainCheckpoint, TrainEntry } from './checkpoint.js'
import { checkSource, type StepContext } from './problem.js'

export interface TrainProgress extends Progress {
  /** Counted from 1. */
  epoch: number
  /** Of the last step. */
  loss: number
}

export interface StepInfo {
  /** Counted from 1. */
  step: number
  epoch: number
  /** Of the batch within its epoch, counted from 0. */
  index: number
  loss: number
}

export interface Validation<P, Batch> {
  data: BatchSource<Batch>
  /**
   * What is to be small, as a mean over the batch: for accuracy take 1 - accuracy. Default: the loss, not training. Batches
   * count by their samples (the first axis of their first tensor).
   */
  metric?(params: P, batch: Batch, context: StepContext): Tensor | number
  /** Every so many epochs. Default 1. */
  every?: number
}

export interface TrainOptions<P, Batch>
  extends Pick<SolverOptions, 'tolerance' | 'maxIterations' | 'timeLimit' | 'signal' | 'backend'> {
  optimizer: Optimizer
  /** Most epochs, those before `resume` included. Default 10. */
  epochs?: number
  /** Of first parameters and of the numbers in each step. Default 0. */
  seed?: number | bigint
  /** Of the parameters that the model makes. Default float64. */
  dtype?: DType
  validation?: Validation<P, Batch>
  /** Stop after so many judgements without improvement. Default: never. */
  patience?: number
  /** What counts as improvement of the judged value. Default 0: any. */
  minImprovement?: number
  /** A loss, gradient, parameter or metric that is no finite number ends the run (default), or rejects with `ERR_NOT_FINITE`. */
  onNotFinite?: 'stop' | 'throw'
  /** At most 20 times a second. */
  onProgress?: (progress: TrainProgress) => void
  /** After every step. */
  onStep?: (info: StepInfo) => void
  /** After every epoch. */
  onEpoch?: (entry: TrainEntry) => void
  /** After every epoch, or every `checkpointEvery` steps, with copies: to be saved, for instance. It is waited for. */
  onCheckpoint?: (checkpoint: TrainCheckpoint<P>) => void | Promise<void>
  checkpointEvery?: number
  /** Go on from there: with the same problem and options, the rest is the same bit for bit. */
  resume?: TrainCheckpoint<P>
}

/** The number that was none. */
export interface NotFinite {
  what: 'loss' | 'gradient' | 'params' | 'validation'
  step: number
  /** Of the batch; epochs are counted from 1, batches from 0. */
  epoch: number
  index: number
  message: string
}

export interface TrainSolution<P> extends Solution {
  /**
   * With a validation: the best of all that were judged. Otherwise the last, but after `notFinite` the ones of the epoch with
   * the least loss, or those at the start.
   */
  params: P
  /** Running statistics and the like of these parameters. */
  state: LayerState
  /** Of the best: counted from 1; 0 for the start. */
  bestEpoch: number
  history: TrainEntry[]
  /** Where the run stands, to go on with `resume`; absent after `notFinite`. */
  checkpoint?: TrainCheckpoint<P>
  notFinite?: NotFinite
}

export const trainNames: ReadonlySet<string> = new Set([
  ...runNames.filter((name) => name !== 'threads'),
  ...['tolerance', 'maxIterations', 'optimizer', 'epochs', 'seed', 'dtype', 'validation', 'patience', 'minImprovement'],
  ...['onNotFinite', 'onStep', 'onEpoch', 'onCheckpoint', 'checkpointEvery', 'resume'],
])

/** When a run ends. */
export interface Limits {
  tolerance: number
  epochs: number
  steps: number
  patience: number
  minImprovement: number
}

export function limitsOf<P, Batch>(options: TrainOptions<P, Batch>): Limits {
  const { tolerance = Number.NEGATIVE_INFINITY, minImprovement = 0 } = options
  for (const [name, value] of Object.entries({ tolerance, minImprovement })) {
    if (typeof value === 'number' && !Number.isNaN(value)) continue
    throw new ExtremaError('ERR_OPTION', `${name}: expected a number, got ${describe(value)}`)
  }
  return {
    tolerance,
    minImprovement,
    epochs: whole('epochs', options.epochs, 10, 1),
    steps: whole('maxIterations', options.maxIterations, Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER),
    patience: whole('patience', options.patience, Number.MAX_SAFE_INTEGER, 1),
  }
}

export function checkOptimizer(optimizer: Optimizer): Optimizer {
  if (typeof optimizer?.step === 'function' && typeof optimizer.state === 'function') return optimizer
  throw new ExtremaError('ERR_OPTION', `optimizer: expected one, such as adam(), got ${describe(optimizer)}`)
}

export function checkValidation<P, Batch>(validation: Validation<P, Batch> | undefined): void {
  if (validation === undefined) return
  checkSource('validation.data', validation.data)
  whole('validation.every', validation.every, 1, 1)
}
