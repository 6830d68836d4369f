import { ExtremaError } from '../../core/errors.js'
import { add, mul } from '../elementwise.js'
import { softmax } from '../losses.js'
import { slice } from '../shape.js'
import { sameShape, shapeText, type Tensor } from '../tensor.js'
import { normalWeights } from './initializers.js'
import { inside, type Layer, type LayerState, type ParamsOf, stateOf } from './layer.js'

export interface MixtureParams<Ops> {
  /** One number per operation: their weights are its softmax. */
  mixture: Tensor
  ops: Ops
}

/**
 * Σ_i softmax(mixture)_i op_i(x): a choice between layers that can be learnt by gradients, as in differentiable architecture
 * search (H. Liu, K. Simonyan, Y. Yang 2018, arXiv 1806.09055). The mixture starts near even.
 */
export function mixtureOfOps<const Ops extends readonly Layer[]>(...ops: Ops): Layer<MixtureParams<ParamsOf<Ops>>> {
  if (ops.length === 0) throw new ExtremaError('ERR_OPTION', 'mixtureOfOps: expected at least one layer, got none')
  const near = normalWeights(1e-3)
  return {
    init: (random, options = {}) => ({
      mixture: near(random, [ops.length], { in: 1, out: 1 }, options.dtype ?? 'float64'),
      ops: ops.map((op) => op.init(random, options)) as ParamsOf<Ops>,
    }),
    state: (options): LayerState => ({ ops: ops.map((op) => stateOf(op, options)) }),
    apply(params, x, context) {
      const weights = softmax(params.mixture)
      const within = inside(context, 'ops')
      const values = ops.map((op, i) => op.apply((params.ops as unknown[])[i], x, inside(within, i)))
      for (const { shape } of values) {
        if (sameShape(shape, values[0].shape)) continue
        const came = `${shapeText(values[0].shape)} and ${shapeText(shape)}`
        throw new ExtremaError('ERR_SHAPE', `mixtureOfOps: expected values of one shape, got ${came}`)
      }
      return values.map((value, i) => mul(value, slice(weights, [i]))).reduce((total, part) => add(total, part))
    },
  }
}
