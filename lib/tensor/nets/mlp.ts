import { checkNames } from '../../core/options.js'
import { dense } from './dense.js'
import { dropoutLayer } from './dropout-layer.js'
import { glorot, he, type Initializer } from './initializers.js'
import { type Activation, activation } from './lambda-layer.js'
import { checkSizes, type Layer } from './layer.js'
import { sequential } from './sequential.js'

export interface MlpOptions {
  /** Behind every layer but the last. Default 'relu'. */
  activation?: Activation
  /** Behind the last one. Default: none. */
  output?: Activation
  /** Default true. */
  bias?: boolean
  /** Of the last layer. Default: as `bias`. */
  outputBias?: boolean
  /** Rate of the dropout behind every activation. Default 0. */
  dropout?: number
  /** Default `he()` for the ReLU and its kind, else `glorot()`. */
  weight?: Initializer
}

const names: ReadonlySet<string> = new Set(['activation', 'output', 'bias', 'outputBias', 'dropout', 'weight'])

/** What goes before the function of that name. */
export function weightFor(name: Activation): Initializer {
  return name === 'tanh' || name === 'sigmoid' || name === 'identity' ? glorot() : he()
}

/** A multilayer perceptron along the last axis, `sizes` = [inputs, hidden…, outputs]; parameters layer by layer. */
export function mlp(sizes: readonly number[], options: MlpOptions = {}): Layer<unknown[]> {
  checkNames('mlp', options, names)
  const checked = checkSizes('sizes', sizes, 2)
  const { activation: hidden = 'relu', output, bias = true, outputBias = bias, dropout = 0 } = options
  const { weight = weightFor(hidden) } = options
  const layers: Layer[] = []
  for (let i = 1; i < checked.length; i++) {
    const isLast = i === checked.length - 1
    layers.push(dense(checked[i - 1], checked[i], { bias: isLast ? outputBias : bias, weight }))
    if (!isLast) {
      layers.push(activation(hidden))
      if (dropout !== 0) layers.push(dropoutLayer(dropout))
    }
  }
  if (output !== undefined) layers.push(activation(output))
  return sequential(...layers)
}
