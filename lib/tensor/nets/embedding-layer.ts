import { embedding } from '../gather.js'
import type { Tensor } from '../tensor.js'
import type { Initializer } from './initializers.js'
import { normalWeights } from './initializers.js'
import { checkCount, type Layer } from './layer.js'

export interface EmbeddingParams {
  /** entries × width */
  table: Tensor
}

/** A row of a table for each whole number of an int32 tensor. The rows start as standard normal numbers. */
export function embeddingLayer(
  entries: number,
  width: number,
  { weight = normalWeights() }: { weight?: Initializer } = {},
): Layer<EmbeddingParams> {
  const fans = { in: checkCount('entries', entries), out: checkCount('width', width) }
  return {
    init: (random, { dtype = 'float64' } = {}) => ({ table: weight(random, [entries, width], fans, dtype) }),
    apply: ({ table }, indices) => embedding(table, indices),
  }
}
