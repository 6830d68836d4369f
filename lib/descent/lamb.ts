import type { FloatArray } from '../core/arrays.js'
import { checkNames, positive } from '../core/options.js'
import { updateKernels } from '../tensor/backend.js'
import { LeafOptimizer, type StepInfo, type TrainedLeaf } from '../tensor/leaf-optimizer.js'
import type { Optimizer } from '../tensor/optimizer.js'
import { decayRate } from '../tensor/optimizer-checks.js'
import { type AdamOptions, adamNames } from './adam.js'
import { type DecaySettings, readDecay } from './decay.js'

class Lamb extends LeafOptimizer<DecaySettings> {
  private readonly beta1: number
  private readonly beta2: number
  private readonly epsilon: number

  constructor(options: AdamOptions) {
    const settings = readDecay(options, { weightDecay: 1e-2 }, '')
    super('lamb', ['mean', 'square'], settings, { options, defaultRate: 1e-3, read: readDecay })
    this.beta1 = decayRate('beta1', options.beta1, 0.9)
    this.beta2 = decayRate('beta2', options.beta2, 0.999)
    this.epsilon = positive('epsilon', options.epsilon, 1e-6)
  }

  protected update(leaf: TrainedLeaf<DecaySettings>, x: FloatArray, g: FloatArray, info: StepInfo): void {
    const { beta1, beta2, epsilon } = this
    const [m, v] = leaf.slots
    const { step, rate, scale } = info
    const correction1 = 1 / (1 - beta1 ** (step + 1))
    const correction2 = 1 / Math.sqrt(1 - beta2 ** (step + 1))
    const { weightDecay } = leaf.settings
    updateKernels(x.length).lamb(x, g, m, v, beta1, beta2, rate, correction1, correction2, epsilon, weightDecay, scale)
  }
}

/**
 * LAMB, for large batches: Adam's direction with weight decay, r = m̂ / (√v̂ + ε) + weightDecay x, made as long as the leaf:
 * x ← x − η (‖x‖ / ‖r‖) r, leaf by leaf; the factor is 1 where one of the norms is 0. Defaults η 1e-3, ε 1e-6, weightDecay 0.01.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`; of its steps see {@link Optimizer.step}
 *
 * Source: You et al., *Large Batch Optimization for Deep Learning*, arXiv 1904.00962, algorithm 2 with φ(z) = z.
 */
export function lamb(options: AdamOptions = {}): Optimizer {
  checkNames('options', options, adamNames)
  return new Lamb(options)
}
