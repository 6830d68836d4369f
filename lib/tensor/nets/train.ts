import type { TrainOptions, TrainSolution } from './training/options.js'
import type { LossProblem, ModelProblem, TrainProblem } from './training/problem.js'
import { Run } from './training/run.js'

export type { TrainCheckpoint, TrainEntry } from './training/checkpoint.js'
export type {
  NotFinite,
  StepInfo,
  TrainOptions,
  TrainProgress,
  TrainSolution,
  Validation,
} from './training/options.js'
export type { LossProblem, ModelProblem, StepContext, TrainProblem } from './training/problem.js'

/**
 * Trains parameters on batches: gradient of the loss, step of the optimizer, epoch after epoch. The run is judged at the end
 * of an epoch by the metric of the validation, or by the mean loss of the epoch; less is better.
 *
 * Steps run on the calling thread, each within an arena, and the event loop gets its turn after some 4 ms, or after a step that
 * takes longer. `residual` is the best judged value; `status` is `'converged'` when it is <= `tolerance` (default: no such end),
 * `'stalled'` when `patience` runs out or a number is not finite, `'iteration-limit'` after all epochs or `maxIterations`
 * steps. `iterations` counts steps.
 *
 * @throws ExtremaError `ERR_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, and `ERR_NOT_FINITE` with `onNotFinite: 'throw'`; what loss,
 *   data, optimizer and callbacks throw; the reason of `signal` when aborted: keep checkpoints to go on then
 */
export async function train<P, Batch>(
  problem: LossProblem<P, Batch>,
  options: TrainOptions<P, Batch>,
): Promise<TrainSolution<P>>
export async function train<P, Batch>(
  problem: ModelProblem<P, Batch>,
  options: TrainOptions<P, Batch>,
): Promise<TrainSolution<P>>
export async function train<P, Batch>(
  problem: TrainProblem<P, Batch>,
  options: TrainOptions<P, Batch>,
): Promise<TrainSolution<P>> {
  const run = new Run(problem, options)
  await run.toEnd()
  return run.solution()
}
