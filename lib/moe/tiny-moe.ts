import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, nonNegative, whole } from '../core/options.js'
import type { Generator } from '../random/index.js'
import {
  activation,
  add,
  crossEntropy,
  type DenseParams,
  dense,
  he,
  type Layer,
  type LayerContext,
  type LayerState,
  mul,
  slice,
  type Tensor,
} from '../tensor/index.js'
import type { MlpExpert } from './merge.js'
import {
  type MoeLayer,
  type MoeLayerOptions,
  type MoeOutput,
  type MoeParams,
  type MoeRun,
  moeLayer,
} from './moe-layer.js'
import type { PruneLayer } from './prune.js'
import type { ExpertTrace } from './trace.js'

export interface TinyMoeOptions extends Omit<MoeLayerOptions, 'outputs'> {
  /** Numbers of an input. */
  inputs: number
  /** Classes. */
  outputs: number
  /** Factor of the balance loss in `loss`. Default 0. */
  auxiliary?: number
}

export interface TinyMoeParams {
  embed: DenseParams
  moe: MoeParams
  head: DenseParams
}

export interface TinyMoe extends Layer<TinyMoeParams> {
  readonly layer: MoeLayer
  /** What the mixture gets as tokens: the embedding of inputs, with a ReLU. */
  tokens(params: TinyMoeParams, x: Tensor): Tensor
  /** Logits of the classes, and what happened in the mixture. */
  forward(params: TinyMoeParams, x: Tensor, run?: MoeRun): { logits: Tensor; moe: MoeOutput }
  /** Cross-entropy of a batch, and while training `auxiliary` times the balance loss: for `train`. */
  loss(params: TinyMoeParams, batch: { x: Tensor; y: Tensor }, context: LayerContext): Tensor
  /** For `merge`. */
  experts(params: TinyMoeParams): MlpExpert[]
  /** The router's logits and every expert's outputs on inputs: for `prune`. */
  calibration(params: TinyMoeParams, x: Tensor): PruneLayer
  /** The experts of each input: for `cache`, `prefetch` and `simulate`. */
  trace(params: TinyMoeParams, x: Tensor, context?: LayerContext): ExpertTrace
}

const own: ReadonlySet<string> = new Set([
  ...['inputs', 'outputs', 'auxiliary', 'width', 'hidden', 'experts', 'k', 'normalize', 'balance', 'step'],
])

/**
 * A small classifier around one mixture of experts: a dense layer with a ReLU, {@link moeLayer}, a dense layer. It can be
 * trained within seconds, so that routings, traces, pruned and merged experts can be judged by what they do to the accuracy of
 * a model instead of by scores alone.
 */
export function tinyMoe(options: TinyMoeOptions): TinyMoe {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { inputs, outputs, … }, got ${describe(options)}`)
  }
  checkNames('options', options, own)
  const { inputs, outputs, auxiliary: given, ...mixture } = options
  const auxiliary = nonNegative('auxiliary', given, 0)
  whole('inputs', inputs ?? null, 0, 1)
  whole('outputs', outputs ?? null, 0, 1)
  const layer = moeLayer(mixture)
  const embed = dense(inputs, options.width, { weight: he() })
  const bend = activation('relu')
  const head = dense(options.width, outputs)
  const inMoe = (context: LayerContext | undefined): LayerContext | undefined => {
    if (context?.state === undefined) return context
    return { ...context, state: (context.state as { moe: LayerState }).moe }
  }
  const model: TinyMoe = {
    layer,
    init: (random: Generator, given) => ({
      embed: embed.init(random, given),
      moe: layer.init(random, given),
      head: head.init(random, given),
    }),
    state: (given): LayerState => ({ moe: layer.state?.(given) ?? [] }),
    tokens: (params, x) => bend.apply([], embed.apply(params.embed, x)),
    forward(params, x, run = {}) {
      const moe = layer.forward(params.moe, model.tokens(params, x), { ...run, context: inMoe(run.context) })
      return { logits: head.apply(params.head, moe.value), moe }
    },
    apply: (params, x, context) => model.forward(params, x, { context }).logits,
    loss(params, { x, y }, context) {
      const { logits, moe } = model.forward(params, x, { context })
      const loss = crossEntropy(logits, y)
      return auxiliary > 0 && context.training ? add(loss, mul(auxiliary, moe.balanceLoss)) : loss
    },
    experts: ({ moe }) =>
      Array.from(
        { length: layer.experts },
        (_, e): MlpExpert => ({
          w1: transposed(slice(moe.w1, [e])),
          b1: Float64Array.from(slice(moe.b1, [e, 0]).data),
          w2: transposed(slice(moe.w2, [e])),
          b2: Float64Array.from(slice(moe.b2, [e, 0]).data),
        }),
      ),
    calibration(params, x) {
      const tokens = model.tokens(params, x)
      const { logits } = layer.forward(params.moe, tokens)
      const all = layer.all(params.moe, tokens)
      return {
        k: layer.k,
        logits: matrix(logits),
        outputs: Array.from({ length: layer.experts }, (_, e) => matrix(slice(all, [e]))),
      }
    },
    trace(params, x, context) {
      const { choices } = layer.forward(params.moe, model.tokens(params, x), { context: inMoe(context) })
      return { data: choices, shape: [1, x.shape[0], layer.k], experts: layer.experts }
    },
  }
  return model
}

function matrix({ data, shape }: Tensor): { data: Float64Array; shape: [number, number] } {
  return { data: Float64Array.from(data), shape: [shape[0], shape[1]] }
}

/** The matrix as other functions of this room have it: a row for each output. */
function transposed({ data, shape }: Tensor): { data: Float64Array; shape: number[]; stride: number[] } {
  return { data: Float64Array.from(data), shape: [shape[1], shape[0]], stride: [1, shape[1]] }
}
