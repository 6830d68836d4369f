import { ExtremaError } from '../../core/errors.js'
import { checkNames, flag, oneOf, whole } from '../../core/options.js'
import { shapeText, sizeOf } from '../tensor.js'
import { convLayer, maxPoolLayer } from './conv-layer.js'
import { type Activation, activation, flattenLayer } from './lambda-layer.js'
import { checkSizes, type Layer } from './layer.js'
import { mlp, weightFor } from './mlp.js'
import { batchNormLayer } from './norm-layer.js'
import { sequential } from './sequential.js'

export interface CnnOptions {
  /** Channels and one to three lengths of an input: [1, 28, 28]. */
  inputs: readonly number[]
  /** Filters of the convolutions, one behind the other: [16, 32]. */
  filters: readonly number[]
  /** Widths behind them, the last of them the output's: [10]. */
  head: readonly number[]
  /** Length of the kernels along every axis. Default 3. */
  kernel?: number
  /** Length of the pooled windows behind every convolution, 1 for none. Default 2. */
  pool?: number
  /** Batch normalization behind every convolution. Default 'none'. */
  norm?: 'none' | 'batch'
  /** Default 'relu'. */
  activation?: Activation
  /** Of the dense layers. Default true. */
  bias?: boolean
}

const names: ReadonlySet<string> = new Set([
  ...['inputs', 'filters', 'head', 'kernel', 'pool', 'norm', 'activation', 'bias'],
])

/** A convolutional net for [batch, channels, …]: convolutions that keep the size, activation, largest of windows; then an `mlp`. */
export function cnn(options: CnnOptions): Layer<unknown[]> {
  checkNames('cnn', options, names)
  const [channels, ...lengths] = checkSizes('inputs', options.inputs, 2)
  const filters = checkSizes('filters', options.filters, 1)
  const head = checkSizes('head', options.head, 1)
  const kernel = whole('kernel', options.kernel, 3, 1)
  const pool = whole('pool', options.pool, 2, 1)
  const bias = flag('bias', options.bias, true)
  const norm = oneOf('norm', options.norm, ['none', 'batch'] as const, 'none')
  const { activation: function_ = 'relu' } = options
  const layers: Layer[] = []
  let sizes = lengths
  filters.forEach((count, i) => {
    const from = i === 0 ? channels : filters[i - 1]
    const window = lengths.map(() => kernel)
    // The shift of the normalization takes the place of a bias.
    layers.push(
      convLayer(from, count, window, { padding: 'same', weight: weightFor(function_), bias: norm === 'none' }),
    )
    if (norm === 'batch') layers.push(batchNormLayer(count))
    layers.push(activation(function_))
    if (pool > 1) layers.push(maxPoolLayer(lengths.map(() => pool)))
    sizes = sizes.map((length) => Math.floor(length / pool))
  })
  if (sizes.includes(0)) {
    const expected = `lengths for ${filters.length} poolings by ${pool}`
    throw new ExtremaError('ERR_OPTION', `inputs: expected ${expected}, got ${shapeText(lengths)}`)
  }
  const width = filters[filters.length - 1] * sizeOf(sizes)
  layers.push(flattenLayer(), mlp([width, ...head], { activation: function_, bias }))
  return sequential(...layers)
}
