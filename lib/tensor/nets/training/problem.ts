import { ExtremaError } from '../../../core/errors.js'
import { checkNames, describe } from '../../../core/options.js'
import { type Generator, generator } from '../../../random/index.js'
import { Tensor } from '../../tensor.js'
import { flatten, mapTree } from '../../tree.js'
import type { BatchSource } from '../data-loader.js'
import type { Layer, LayerContext, LayerOptions, LayerState } from '../layer.js'

/** What a loss or a metric may look at besides parameters and batch. */
export interface StepContext extends LayerContext {
  /** While training: another one every step, from the seed and the number of the step. */
  random?: Generator
}

/** A loss of parameters. */
export interface LossProblem<P, Batch> {
  /** To start with. They are copied. */
  params: P
  /** A tensor of one number, to be small. */
  loss(params: P, batch: Batch, context: StepContext): Tensor
  data: BatchSource<Batch>
  /** For `context.state`, to start with. Default: none. */
  state?: LayerState
}

/** A model and a loss of what it says. */
export interface ModelProblem<P, Batch> {
  model: Layer<P>
  /** A tensor of one number, to be small. */
  loss(prediction: Tensor, batch: Batch): Tensor
  data: BatchSource<Batch>
  /** What of a batch goes into the model. Default: `batch.x`. */
  input?(batch: Batch): Tensor
  /** To start with. They are copied. Default: those that `model.init` makes from the seed. */
  params?: P
  state?: LayerState
}

export type TrainProblem<P, Batch> = LossProblem<P, Batch> | ModelProblem<P, Batch>

/** A problem in one form, with copies of what is trained. */
export interface ReadProblem<P, Batch> {
  params: P
  state: LayerState
  data: BatchSource<Batch>
  loss(params: P, batch: Batch, context: StepContext): Tensor
}

const lossNames: ReadonlySet<string> = new Set(['params', 'loss', 'data', 'state'])
const modelNames: ReadonlySet<string> = new Set([...lossNames, 'model', 'input'])

/** The stream of the numbers for the parameters; those of step k are from stream k of another one. */
const initStream = 0
const stepStream = 1

export function readProblem<P, Batch>(
  problem: TrainProblem<P, Batch>,
  seed: number | bigint,
  options: LayerOptions,
): ReadProblem<P, Batch> {
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError(
      'ERR_OPTION',
      `problem: expected { params, loss, data } or { model, loss, data }, got ${describe(problem)}`,
    )
  }
  const hasModel = 'model' in problem
  checkNames('problem', problem, hasModel ? modelNames : lossNames)
  if (typeof problem.loss !== 'function') {
    throw new ExtremaError('ERR_OPTION', `loss: expected a function, got ${describe(problem.loss)}`)
  }
  const data = checkSource('data', problem.data)
  if (!hasModel) {
    return {
      params: copyTree('params', problem.params),
      state: copyState(problem.state ?? []),
      data,
      loss: problem.loss,
    }
  }
  const { model, input = inputOf } = problem
  const params = problem.params ?? model.init(generator(seed).split(initStream), options)
  const state = problem.state ?? model.state?.(options) ?? []
  return {
    params: copyTree('params', params),
    state: copyState(state),
    data,
    loss: (current, batch, context) => problem.loss(model.apply(current, input(batch), context), batch),
  }
}

/** The numbers of each step, whatever came before it. */
export function streamOfSteps(seed: number | bigint): (step: number) => Generator {
  const steps = generator(seed).split(stepStream)
  return (step) => steps.split(step)
}

function inputOf(batch: unknown): Tensor {
  const x = (batch as { x?: unknown } | null)?.x
  if (x instanceof Tensor) return x
  throw new ExtremaError('ERR_SHAPE', `batch.x: expected a tensor for the model (see input), got ${describe(x)}`)
}

export function checkSource<Batch>(name: string, source: BatchSource<Batch>): BatchSource<Batch> {
  if (typeof source !== 'object' || source === null || typeof source.batch !== 'function') {
    throw new ExtremaError('ERR_OPTION', `${name}: expected { batches, batch(epoch, index) }, got ${describe(source)}`)
  }
  if (Number.isSafeInteger(source.batches) && source.batches >= 1) return source
  throw new ExtremaError('ERR_OPTION', `${name}.batches: expected a whole number >= 1, got ${describe(source.batches)}`)
}

/** The same tensors in memory of their own. */
export function copyTree<T>(name: string, tree: T): T {
  flatten(name, tree)
  return mapTree(tree, (leaf) => new Tensor(leaf.data.slice(), leaf.shape, leaf.dtype))
}

/** Other arrays and objects with the same tensors, for layers to put new ones in. */
export function copyState(state: LayerState): LayerState {
  if (state instanceof Tensor) return state
  if (Array.isArray(state)) return state.map(copyState)
  return Object.fromEntries(Object.entries(state).map(([name, part]) => [name, copyState(part)]))
}

/** How many samples a batch has: the first axis of the first tensor in it; 1 for batches of other kinds. */
export function samplesIn(batch: unknown): number {
  if (batch instanceof Tensor) return batch.shape[0] ?? 1
  if (typeof batch !== 'object' || batch === null) return 1
  const first = Object.values(batch).find((part) => part instanceof Tensor && part.rank > 0)
  return (first as Tensor | undefined)?.shape[0] ?? 1
}
