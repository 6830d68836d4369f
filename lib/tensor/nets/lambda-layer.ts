import { ExtremaError } from '../../core/errors.js'
import { describe, oneOf } from '../../core/options.js'
import { gelu, leakyRelu, relu, sigmoid, silu, softplus, tanh } from '../elementwise.js'
import { reshape } from '../shape.js'
import type { Tensor } from '../tensor.js'
import type { Layer, LayerContext } from './layer.js'

/** A layer without parameters has none. */
export type NoParams = never[]

/** A function as a layer without parameters. */
export function lambdaLayer(f: (x: Tensor, context?: LayerContext) => Tensor): Layer<NoParams> {
  if (typeof f !== 'function') {
    throw new ExtremaError('ERR_OPTION', `lambdaLayer: expected a function of a tensor, got ${describe(f)}`)
  }
  return { init: () => [], apply: (_params, x, context) => f(x, context) }
}

const functions = {
  relu,
  leakyRelu: (x: Tensor) => leakyRelu(x),
  gelu,
  silu,
  tanh,
  sigmoid,
  softplus,
  identity: (x: Tensor) => x,
}

export type Activation = keyof typeof functions

/** The function of that name, entry by entry. */
export function activation(name: Activation): Layer<NoParams> {
  const known = oneOf('activation', name, Object.keys(functions) as Activation[], 'identity')
  const f = functions[known]
  return lambdaLayer((x) => f(x))
}

/** All axes but the first as one. */
export function flattenLayer(): Layer<NoParams> {
  return lambdaLayer((x) => reshape(x, [x.shape[0], x.shape[0] === 0 ? 0 : x.size / x.shape[0]]))
}
