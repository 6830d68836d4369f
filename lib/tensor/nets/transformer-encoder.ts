import { checkNames, flag } from '../../core/options.js'
import { attentionLayer } from './attention-layer.js'
import { dropoutLayer } from './dropout-layer.js'
import type { Activation } from './lambda-layer.js'
import { checkCount, type Layer } from './layer.js'
import { mlp } from './mlp.js'
import { layerNormLayer } from './norm-layer.js'
import { residual } from './residual.js'
import { sequential } from './sequential.js'

export interface TransformerOptions {
  width: number
  /** They divide the width. */
  heads: number
  /** Blocks. */
  depth: number
  /** Width within the two dense layers of a block. Default 4 × width. */
  feedForward?: number
  /** Of what attention and dense layers add. Default 0. */
  dropout?: number
  /** Default 'gelu'. */
  activation?: Activation
  /** Each place sees itself and those before it only. Default false. */
  causal?: boolean
}

const names: ReadonlySet<string> = new Set([
  ...['width', 'heads', 'depth', 'feedForward', 'dropout', 'activation', 'causal'],
])

/**
 * Blocks of multi-head attention and dense layers on [..., places, width], with a layer norm before each of them and behind
 * the last block (R. Xiong et al. 2020, arXiv 2002.04745). It knows nothing about the order of the places: add
 * `timeEmbedding` of them where it matters. `mask` in the context hides places.
 */
export function transformerEncoder(options: TransformerOptions): Layer<unknown[]> {
  checkNames('transformerEncoder', options, names)
  const { width, heads, activation = 'gelu', dropout = 0 } = options
  const depth = checkCount('depth', options.depth)
  const feedForward = checkCount('feedForward', options.feedForward ?? 4 * checkCount('width', width))
  const causal = flag('causal', options.causal, false)
  const layers: Layer[] = []
  for (let block = 0; block < depth; block++) {
    const attend = attentionLayer({ width, heads, causal })
    const think = mlp([width, feedForward, width], { activation })
    layers.push(
      residual(sequential(layerNormLayer(width), attend, dropoutLayer(dropout))),
      residual(sequential(layerNormLayer(width), think, dropoutLayer(dropout))),
    )
  }
  return sequential(...layers, layerNormLayer(width))
}
