import { ExtremaError } from '../../core/errors.js'
import { checkNames } from '../../core/options.js'
import { add } from '../elementwise.js'
import { gather, scatterAdd } from '../gather.js'
import { pad, slice } from '../shape.js'
import { irfft, modeMatmul, rfft } from '../spectral/index.js'
import { shapeText, type Tensor } from '../tensor.js'
import { type ConvParams, checkKernel, convLayer } from './conv-layer.js'
import { type Initializer, lecun } from './initializers.js'
import { type Activation, activation } from './lambda-layer.js'
import { checkCount, type Layer } from './layer.js'

export interface SpectralParams {
  /** Real and imaginary parts: inputs × outputs × modes kept of every axis. */
  re: Tensor
  im: Tensor
}

export interface SpectralLayerOptions {
  /** Of either part. Default `lecun({ gain: √½ })`. */
  weight?: Initializer
}

const spectralNames: ReadonlySet<string> = new Set(['weight'])

/**
 * A convolution over whole periodic axes, one to three, of [batch, channels, …]: a complex matrix for each of the lowest modes, all
 * others are cut off. `modes[a]` counts frequencies from 0 up along axis a; of all axes but the last the negative ones are
 * kept too, -modes[a] … modes[a] - 1. The layer does not depend on the grid: any lengths >= 2 modes[a] (2 modes[a] - 2 for the last)
 * sample the same function (Z. Li et al. 2020, arXiv 2010.08895).
 */
export function spectralLayer(
  inputs: number,
  outputs: number,
  modes: readonly number[],
  options: SpectralLayerOptions = {},
): Layer<SpectralParams> {
  checkNames('spectralLayer', options, spectralNames)
  const fans = { in: checkCount('inputs', inputs), out: checkCount('outputs', outputs) }
  const kept = checkKernel('modes', modes)
  const axes = kept.length
  const { weight = lecun({ gain: Math.SQRT1_2 }) } = options
  const last = axes - 1
  const shape = [inputs, outputs, ...kept.map((count, a) => (a === last ? count : 2 * count))]
  return {
    init: (random, { dtype = 'float64' } = {}) => ({
      re: weight(random, shape, fans, dtype),
      im: weight(random, shape, fans, dtype),
    }),
    apply({ re, im }, x) {
      const lengths = x.shape.slice(2)
      const fits = x.rank === axes + 2 && x.shape[1] === inputs
      if (!fits || lengths.some((n, a) => (a === last ? (n >> 1) + 1 < kept[a] : n < 2 * kept[a]))) {
        const expected = `[batch, ${inputs}, …] with room for ${shapeText(kept)} modes`
        throw new ExtremaError('ERR_SHAPE', `spectralLayer: expected ${expected}, got ${shapeText(x.shape)}`)
      }
      const field = rfft(x, { dimensions: axes })
      const low = { re: lowest(field.re, kept, lengths), im: lowest(field.im, kept, lengths) }
      const mixed = modeMatmul(low, { re, im })
      const back = { re: spread(mixed.re, kept, lengths), im: spread(mixed.im, kept, lengths) }
      return irfft(back, { dimensions: axes, length: lengths[last] })
    },
  }
}

/** Where the frequencies 0 … m - 1, -m … -1 are among n. */
function places(m: number, n: number): Int32Array {
  return Int32Array.from({ length: 2 * m }, (_, i) => (i < m ? i : n - 2 * m + i))
}

function lowest(part: Tensor, kept: readonly number[], lengths: readonly number[]): Tensor {
  const last = kept.length - 1
  let low = slice(part, [...part.shape.slice(0, -1).map(() => undefined), [0, kept[last]]])
  for (let a = 0; a < last; a++) low = gather(low, places(kept[a], lengths[a]), a + 2)
  return low
}

/** The transpose of `lowest`: zeros at all other modes. */
function spread(low: Tensor, kept: readonly number[], lengths: readonly number[]): Tensor {
  const last = kept.length - 1
  let part = low
  for (let a = 0; a < last; a++) part = scatterAdd(part, places(kept[a], lengths[a]), lengths[a], a + 2)
  const behind = (lengths[last] >> 1) + 1 - kept[last]
  return pad(
    part,
    part.shape.map((_, axis) => (axis === part.rank - 1 ? [0, behind] : [0, 0])),
  )
}

export interface FourierLayerOptions {
  channels: number
  /** See `spectralLayer`. */
  modes: readonly number[]
  /** Default 'gelu'. */
  activation?: Activation
}

export interface FourierParams {
  spectral: SpectralParams
  pointwise: ConvParams
}

const fourierNames: ReadonlySet<string> = new Set(['channels', 'modes', 'activation'])

/** act(K v + W v + b): `spectralLayer` and a convolution of one entry, which keeps what is beyond the modes. */
export function fourierLayer(options: FourierLayerOptions): Layer<FourierParams> {
  checkNames('fourierLayer', options, fourierNames)
  const { channels, modes } = options
  const spectral = spectralLayer(channels, channels, modes)
  const pointwise = convLayer(
    channels,
    channels,
    modes.map(() => 1),
    { weight: lecun() },
  )
  const bend = activation(options.activation ?? 'gelu')
  return {
    init: (random, given) => ({
      spectral: spectral.init(random, given),
      pointwise: pointwise.init(random, given),
    }),
    apply: (params, x) => bend.apply([], add(spectral.apply(params.spectral, x), pointwise.apply(params.pointwise, x))),
  }
}
