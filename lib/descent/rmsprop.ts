import type { FloatArray } from '../core/arrays.js'
import { checkNames, flag, positive } from '../core/options.js'
import { updateKernels } from '../tensor/backend.js'
import {
  LeafOptimizer,
  type OptimizerOptions,
  optimizerNames,
  type ParameterGroup,
  type StepInfo,
  type TrainedLeaf,
} from '../tensor/leaf-optimizer.js'
import type { Optimizer } from '../tensor/optimizer.js'
import { decayRate } from '../tensor/optimizer-checks.js'
import { type DecaySettings, readDecay } from './decay.js'

export interface RmspropOptions extends OptimizerOptions, Partial<DecaySettings> {
  /** α in [0, 1). Default 0.99. */
  alpha?: number
  /** ε > 0. Default 1e-8. */
  epsilon?: number
  /** μ in [0, 1). Default 0. */
  momentum?: number
  /** Divide by the standard deviation instead of the root of the mean square. Default false. */
  centered?: boolean
  groups?: readonly ParameterGroup<DecaySettings>[]
}

const names: ReadonlySet<string> = new Set([
  ...optimizerNames,
  ...['alpha', 'epsilon', 'momentum', 'centered', 'weightDecay'],
])

class Rmsprop extends LeafOptimizer<DecaySettings> {
  private readonly alpha: number
  private readonly epsilon: number
  private readonly momentum: number
  private readonly centered: boolean

  constructor(options: RmspropOptions) {
    const momentum = decayRate('momentum', options.momentum, 0)
    const centered = flag('centered', options.centered, false)
    const slots = ['square', ...(centered ? ['mean'] : []), ...(momentum > 0 ? ['momentum'] : [])]
    const settings = readDecay(options, { weightDecay: 0 }, '')
    super('rmsprop', slots, settings, { options, defaultRate: 1e-2, read: readDecay })
    this.alpha = decayRate('alpha', options.alpha, 0.99)
    this.epsilon = positive('epsilon', options.epsilon, 1e-8)
    this.momentum = momentum
    this.centered = centered
  }

  protected update(leaf: TrainedLeaf<DecaySettings>, x: FloatArray, g: FloatArray, { rate, scale }: StepInfo): void {
    const { alpha, epsilon, momentum, centered } = this
    const [v, ...others] = leaf.slots
    const mean = centered ? others[0] : null
    const m = momentum > 0 ? others[centered ? 1 : 0] : null
    const { weightDecay } = leaf.settings
    updateKernels(x.length).rmsprop(x, g, v, mean, m, alpha, rate, epsilon, momentum, weightDecay, scale)
  }
}

/**
 * RMSprop: v ← α v + (1 − α) g²; x ← x − η g / (√v + ε), with `momentum` along m ← μ m + g / (√v + ε). `weightDecay` is added to g as
 * weightDecay x. The default η is 0.01.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`; of its steps see {@link Optimizer.step}
 *
 * Source: Tieleman, Hinton, *Lecture 6.5: RMSprop*, 2012; centred: Graves, arXiv 1308.0850. PyTorch's form: ε outside the root.
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  checkNames('options', options, names)
  return new Rmsprop(options)
}
