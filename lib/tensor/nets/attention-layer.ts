import { ExtremaError } from '../../core/errors.js'
import { checkNames, flag } from '../../core/options.js'
import { attention } from '../attention.js'
import { cast } from '../elementwise.js'
import { reshape, transpose } from '../shape.js'
import { sameShape, shapeText, sizeOf, type Tensor } from '../tensor.js'
import { concrete } from '../trace.js'
import { type DenseParams, dense } from './dense.js'
import { checkCount, checkWidth, type Layer } from './layer.js'

export interface AttentionLayerOptions {
  width: number
  /** They divide the width. */
  heads: number
  /** Each place sees itself and those before it only. Default false. */
  causal?: boolean
}

export interface AttentionParams {
  query: DenseParams
  key: DenseParams
  value: DenseParams
  out: DenseParams
}

const names: ReadonlySet<string> = new Set(['width', 'heads', 'causal'])

/**
 * Multi-head self-attention of [..., places, width] (A. Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2). `mask` in the
 * context hides places from all others.
 */
export function attentionLayer(options: AttentionLayerOptions): Layer<AttentionParams> {
  checkNames('attentionLayer', options, names)
  const width = checkCount('width', options.width)
  const heads = checkCount('heads', options.heads)
  const causal = flag('causal', options.causal, false)
  if (width % heads !== 0) {
    throw new ExtremaError('ERR_OPTION', `heads: expected a divisor of the width ${width}, got ${heads}`)
  }
  const projection = dense(width, width)
  return {
    init: (random, given) => ({
      query: projection.init(random, given),
      key: projection.init(random, given),
      value: projection.init(random, given),
      out: projection.init(random, given),
    }),
    apply(params, x, context) {
      checkWidth('attentionLayer', x, width)
      if (x.rank < 2) {
        throw new ExtremaError('ERR_SHAPE', `attentionLayer: expected places × ${width}, got ${shapeText(x.shape)}`)
      }
      const places = x.shape[x.rank - 2]
      const batch = sizeOf(x.shape.slice(0, -2))
      const split = (y: Tensor): Tensor => transpose(reshape(y, [batch, places, heads, width / heads]), [0, 2, 1, 3])
      const of = (name: keyof AttentionParams): Tensor => split(projection.apply(params[name], x))
      const mask = maskOf(x, context?.mask, batch, places)
      const seen = attention(of('query'), of('key'), of('value'), mask === undefined ? { causal } : { causal, mask })
      return projection.apply(params.out, reshape(transpose(seen, [0, 2, 1, 3]), x.shape))
    },
  }
}

function maskOf(x: Tensor, mask: Tensor | undefined, batch: number, places: number): Tensor | undefined {
  if (mask === undefined) return undefined
  const shape = x.shape.slice(0, -1)
  if (sameShape(mask.shape, shape)) return reshape(cast(concrete(mask), 'int32'), [batch, 1, 1, places])
  throw new ExtremaError('ERR_SHAPE', `mask: expected shape ${shapeText(shape)}, got ${shapeText(mask.shape)}`)
}
