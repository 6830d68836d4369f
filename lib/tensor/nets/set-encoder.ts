import { ExtremaError } from '../../core/errors.js'
import { checkNames, oneOf } from '../../core/options.js'
import { cast, div, greater, maximum, mul, where } from '../elementwise.js'
import { max, sum } from '../reduce.js'
import { expandDims } from '../shape.js'
import { ones, sameShape, shapeText, type Tensor } from '../tensor.js'
import { concrete } from '../trace.js'
import type { Activation } from './lambda-layer.js'
import { checkSizes, checkWidth, inside, type Layer, type LayerState, stateOf } from './layer.js'
import { mlp } from './mlp.js'

const aggregates = ['sum', 'mean', 'max'] as const

export interface SetEncoderOptions {
  /** Widths from an item's features to its embedding. */
  embed: readonly number[]
  /** Widths behind the embedding of the set, the last of them the output's. */
  out: readonly number[]
  /** How the embeddings of the items become one. Default 'sum'. */
  aggregate?: (typeof aggregates)[number]
  /** Default 'relu'. */
  activation?: Activation
  /** Of `embed`. Without bias (the default) an item of zeros adds exactly 0 to a sum. */
  embedBias?: boolean
}

export interface SetEncoderParams {
  embed: unknown[]
  out: unknown[]
}

const names: ReadonlySet<string> = new Set(['embed', 'out', 'aggregate', 'activation', 'embedBias'])

/**
 * A function of a set: ρ(Σ_i φ(x_i)) for items along the second last axis, in any order and number (M. Zaheer et al. 2017,
 * arXiv 1703.06114). `mask` in the context leaves items out.
 */
export function setEncoder(options: SetEncoderOptions): Layer<SetEncoderParams> {
  checkNames('setEncoder', options, names)
  const embedSizes = checkSizes('embed', options.embed, 2)
  const width = embedSizes[embedSizes.length - 1]
  const outSizes = checkSizes('out', options.out, 1)
  const aggregate = oneOf('aggregate', options.aggregate, aggregates, 'sum')
  const { activation = 'relu', embedBias = false } = options
  const embed = mlp(embedSizes, { activation, bias: embedBias })
  const out = mlp([width, ...outSizes], { activation })
  return {
    init: (random, given) => ({ embed: embed.init(random, given), out: out.init(random, given) }),
    state: (given): LayerState => ({ embed: stateOf(embed as Layer, given), out: stateOf(out as Layer, given) }),
    apply(params, x, context) {
      checkWidth('setEncoder', x, embedSizes[0])
      if (x.rank < 2) {
        throw new ExtremaError('ERR_SHAPE', `setEncoder: expected items × features, got ${shapeText(x.shape)}`)
      }
      const items = embed.apply(params.embed, x, inside(context, 'embed'))
      const mask = maskOf(x, context?.mask)
      return out.apply(params.out, pooled(items, mask, aggregate), inside(context, 'out'))
    },
  }
}

/** 1 and 0 for each item, with a last axis of 1. */
function maskOf(x: Tensor, mask: Tensor | undefined): Tensor {
  const shape = x.shape.slice(0, -1)
  if (mask === undefined) return ones([...shape, 1], { dtype: x.dtype })
  if (sameShape(mask.shape, shape)) return cast(expandDims(concrete(mask), mask.rank), x.dtype)
  throw new ExtremaError('ERR_SHAPE', `mask: expected shape ${shapeText(shape)}, got ${shapeText(mask.shape)}`)
}

function pooled(items: Tensor, mask: Tensor, aggregate: (typeof aggregates)[number]): Tensor {
  if (aggregate === 'max') {
    const largest = max(where(mask, items, Number.NEGATIVE_INFINITY), -2)
    // An empty set counts as 0.
    return where(greater(max(mask, -2), 0), largest, 0)
  }
  const total = sum(mul(items, mask), -2)
  return aggregate === 'sum' ? total : div(total, maximum(sum(mask, -2), 1))
}
