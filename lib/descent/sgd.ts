import type { FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, flag } from '../core/options.js'
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

export interface SgdOptions extends OptimizerOptions, Partial<DecaySettings> {
  /** μ in [0, 1). Default 0: plain gradient descent, without state. */
  momentum?: number
  /** Step along g + μ m instead of m. Default false. */
  nesterov?: boolean
  groups?: readonly ParameterGroup<DecaySettings>[]
}

const names: ReadonlySet<string> = new Set([...optimizerNames, 'momentum', 'nesterov', 'weightDecay'])

class Sgd extends LeafOptimizer<DecaySettings> {
  private readonly momentum: number
  private readonly nesterov: boolean

  constructor(options: SgdOptions) {
    const momentum = decayRate('momentum', options.momentum, 0)
    const settings = readDecay(options, { weightDecay: 0 }, '')
    super('sgd', momentum > 0 ? ['momentum'] : [], settings, { options, defaultRate: 1e-3, read: readDecay })
    this.momentum = momentum
    this.nesterov = flag('nesterov', options.nesterov, false)
    if (this.nesterov && momentum === 0) {
      throw new ExtremaError('ERR_OPTION', 'nesterov: expected false without momentum, got true')
    }
  }

  protected update(leaf: TrainedLeaf<DecaySettings>, x: FloatArray, g: FloatArray, { rate, scale }: StepInfo): void {
    const { slots, settings } = leaf
    const m = slots[0] ?? null
    updateKernels(x.length).sgd(x, g, m, rate, this.momentum, this.nesterov, settings.weightDecay, scale)
  }
}

/**
 * Stochastic gradient descent: g ← ∇f + weightDecay x; m ← μ m + g; x ← x − η m, with `nesterov` x ← x − η (g + μ m). The default η is 1e-3.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`; of its steps see {@link Optimizer.step}
 *
 * Source: Sutskever, Martens, Dahl, Hinton, *On the importance of initialization and momentum in deep learning*, 2013; PyTorch's
 * form, in which η multiplies m.
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  checkNames('options', options, names)
  return new Sgd(options)
}
