import { checkNames } from '../../core/options.js'
import { add } from '../elementwise.js'
import { matmul } from '../matmul.js'
import { type Tensor, zeros } from '../tensor.js'
import { glorot, type Initializer } from './initializers.js'
import { checkCount, checkWidth, type Layer } from './layer.js'

export interface DenseOptions {
  /** Default true. */
  bias?: boolean
  /** Of the weights; biases start at 0. Default `glorot()`. */
  weight?: Initializer
}

export interface DenseParams {
  /** inputs × outputs */
  weight: Tensor
  bias?: Tensor
}

const names: ReadonlySet<string> = new Set(['bias', 'weight'])

/** x W + b, along the last axis. */
export function dense(inputs: number, outputs: number, options: DenseOptions = {}): Layer<DenseParams> {
  checkNames('dense', options, names)
  const fans = { in: checkCount('inputs', inputs), out: checkCount('outputs', outputs) }
  const { bias = true, weight = glorot() } = options
  return {
    init(random, { dtype = 'float64' } = {}) {
      const params: DenseParams = { weight: weight(random, [inputs, outputs], fans, dtype) }
      if (bias) params.bias = zeros([outputs], { dtype })
      return params
    },
    apply(params, x) {
      checkWidth('dense', x, inputs)
      const product = matmul(x, params.weight)
      return params.bias === undefined ? product : add(product, params.bias)
    },
  }
}
