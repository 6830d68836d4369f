import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, whole } from '../../core/options.js'
import { type ConvOptions, conv1d, conv2d, conv3d } from '../conv.js'
import { add } from '../elementwise.js'
import { avgPool1d, avgPool2d, avgPool3d, maxPool1d, maxPool2d, maxPool3d, type PoolOptions } from '../pool.js'
import { reshape } from '../shape.js'
import { sizeOf, type Tensor, zeros } from '../tensor.js'
import { he, type Initializer } from './initializers.js'
import { lambdaLayer, type NoParams } from './lambda-layer.js'
import { checkCount, checkSizes, type Layer } from './layer.js'

export interface ConvLayerOptions extends ConvOptions {
  /** Default true. */
  bias?: boolean
  /** Of the weights; biases start at 0. Default `he()`. */
  weight?: Initializer
}

export interface ConvParams {
  /** filters × channels / groups × kernel */
  weight: Tensor
  bias?: Tensor
}

const names: ReadonlySet<string> = new Set(['bias', 'weight', 'stride', 'padding', 'dilation', 'groups'])
const convolutions = [conv1d, conv2d, conv3d]

/** A convolution of [batch, channels, …] over as many axes, one to three, as the kernel has lengths. */
export function convLayer(
  channels: number,
  filters: number,
  kernel: readonly number[],
  options: ConvLayerOptions = {},
): Layer<ConvParams> {
  checkNames('convLayer', options, names)
  const lengths = checkKernel('kernel', kernel)
  const { bias = true, weight = he(), ...windows } = options
  const groups = whole('groups', options.groups, 1, 1)
  if (checkCount('channels', channels) % groups !== 0 || checkCount('filters', filters) % groups !== 0) {
    const came = `${channels} and ${filters} in ${groups} groups`
    throw new ExtremaError('ERR_OPTION', `groups: expected a divisor of channels and filters, got ${came}`)
  }
  const taps = sizeOf(lengths)
  const fans = { in: (channels / groups) * taps, out: (filters / groups) * taps }
  return {
    init(random, { dtype = 'float64' } = {}) {
      const params: ConvParams = { weight: weight(random, [filters, channels / groups, ...lengths], fans, dtype) }
      if (bias) params.bias = zeros([filters], { dtype })
      return params
    },
    apply(params, x) {
      const y = convolutions[lengths.length - 1](x, params.weight, windows)
      return params.bias === undefined ? y : add(y, reshape(params.bias, [filters, ...lengths.map(() => 1)]))
    },
  }
}

/** One length per axis, of one to three. */
export function checkKernel(name: string, kernel: readonly number[]): number[] {
  const checked = checkSizes(name, kernel, 1)
  if (checked.length <= 3) return checked
  throw new ExtremaError('ERR_OPTION', `${name}: expected one to three lengths, got ${describe(kernel.length)}`)
}

function pooling(name: string, pools: readonly ((x: Tensor, window: number[], options?: PoolOptions) => Tensor)[]) {
  return (window: readonly number[], options: PoolOptions = {}): Layer<NoParams> => {
    const lengths = checkKernel(name, window)
    return lambdaLayer((x) => pools[lengths.length - 1](x, lengths, options))
  }
}

/** The largest entry of each window, over as many axes as it has lengths. */
export const maxPoolLayer = pooling('maxPoolLayer', [maxPool1d, maxPool2d, maxPool3d])
/** The mean of each window. */
export const avgPoolLayer = pooling('avgPoolLayer', [avgPool1d, avgPool2d, avgPool3d])
