import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, positive } from '../../core/options.js'
import { add, mul } from '../elementwise.js'
import { batchNorm, groupNorm, layerNorm } from '../normalization.js'
import { ones, Tensor, zeros } from '../tensor.js'
import { checkCount, type Layer, type LayerContext, type LayerOptions, type LayerState } from './layer.js'

export interface NormParams {
  scale: Tensor
  shift: Tensor
}

export interface NormLayerOptions {
  /** Added to the variance under the root. Default 1e-5. */
  epsilon?: number
}

export interface BatchNormLayerOptions extends NormLayerOptions {
  /** Part of the batch's statistics in the running ones after a step, in (0, 1]. Default 0.1. */
  momentum?: number
}

const names: ReadonlySet<string> = new Set(['epsilon'])
const batchNames: ReadonlySet<string> = new Set(['epsilon', 'momentum'])

function affine(width: number) {
  return (_random: unknown, { dtype = 'float64' }: LayerOptions = {}): NormParams => ({
    scale: ones([width], { dtype }),
    shift: zeros([width], { dtype }),
  })
}

/** Layer normalization over the last axis, of `width`. */
export function layerNormLayer(width: number, options: NormLayerOptions = {}): Layer<NormParams> {
  checkNames('layerNormLayer', options, names)
  const epsilon = positive('epsilon', options.epsilon, 1e-5)
  return {
    init: affine(checkCount('width', width)),
    apply: ({ scale, shift }, x) => layerNorm(x, scale, shift, { epsilon }),
  }
}

/** Group normalization of [batch, channels, …]. */
export function groupNormLayer(channels: number, groups: number, options: NormLayerOptions = {}): Layer<NormParams> {
  checkNames('groupNormLayer', options, names)
  const epsilon = positive('epsilon', options.epsilon, 1e-5)
  if (checkCount('channels', channels) % checkCount('groups', groups) !== 0) {
    throw new ExtremaError('ERR_OPTION', `groups: expected a divisor of the ${channels} channels, got ${groups}`)
  }
  return {
    init: affine(channels),
    apply: ({ scale, shift }, x) => groupNorm(x, scale, shift, { groups, epsilon }),
  }
}

/**
 * Batch normalization of [batch, channels, …]: by the batch while training, else by running means and variances, which are its
 * state. They start at 0 and 1 and take in the unbiased variance.
 */
export function batchNormLayer(channels: number, options: BatchNormLayerOptions = {}): Layer<NormParams> {
  checkNames('batchNormLayer', options, batchNames)
  const epsilon = positive('epsilon', options.epsilon, 1e-5)
  const momentum = positive('momentum', options.momentum, 0.1)
  if (momentum > 1) {
    throw new ExtremaError('ERR_OPTION', `momentum: expected a number in (0, 1], got ${describe(momentum)}`)
  }
  return {
    init: affine(checkCount('channels', channels)),
    state: ({ dtype = 'float64' } = {}) => ({
      mean: zeros([channels], { dtype }),
      variance: ones([channels], { dtype }),
    }),
    apply({ scale, shift }, x, context) {
      const running = runningOf(context)
      if (!context?.training) {
        if (running !== undefined) return batchNorm(x, scale, shift, { epsilon, statistics: { ...running } }).value
        throw new ExtremaError('ERR_OPTION', 'state: expected running statistics in the context, got undefined')
      }
      const { value, mean, variance } = batchNorm(x, scale, shift, { epsilon })
      if (running !== undefined) {
        const n = x.size / channels
        const mix = (old: Tensor, own: Tensor, factor: number): Tensor =>
          add(mul(1 - momentum, old), mul(momentum * factor, own))
        running.mean = mix(running.mean, mean, 1)
        running.variance = mix(running.variance, variance, n > 1 ? n / (n - 1) : 1)
      }
      return value
    },
  }
}

/** The state of the layer, to be changed. */
function runningOf(context: LayerContext | undefined): { mean: Tensor; variance: Tensor } | undefined {
  const state: LayerState | undefined = context?.state
  if (state === undefined) return undefined
  const { mean, variance } = state as { mean?: unknown; variance?: unknown }
  if (mean instanceof Tensor && variance instanceof Tensor) return state as { mean: Tensor; variance: Tensor }
  throw new ExtremaError('ERR_SHAPE', `state: expected { mean, variance }, got ${describe(state)}`)
}
