import type { FloatArray } from '../core/arrays.js'
import { checkNames, positive } from '../core/options.js'
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

export interface AdamOptions extends OptimizerOptions, Partial<DecaySettings> {
  /** β₁ in [0, 1). Default 0.9. */
  beta1?: number
  /** β₂ in [0, 1). Default 0.999. */
  beta2?: number
  /** ε > 0. Default 1e-8. */
  epsilon?: number
  groups?: readonly ParameterGroup<DecaySettings>[]
}

export const adamNames: ReadonlySet<string> = new Set([...optimizerNames, 'beta1', 'beta2', 'epsilon', 'weightDecay'])

class Adam extends LeafOptimizer<DecaySettings> {
  private readonly beta1: number
  private readonly beta2: number
  private readonly epsilon: number

  constructor(
    options: AdamOptions,
    private readonly decoupled: boolean,
  ) {
    const settings = readDecay(options, { weightDecay: decoupled ? 1e-2 : 0 }, '')
    const setup = { options, defaultRate: 1e-3, read: readDecay }
    super(decoupled ? 'adamW' : 'adam', ['mean', 'square'], settings, setup)
    this.beta1 = decayRate('beta1', options.beta1, 0.9)
    this.beta2 = decayRate('beta2', options.beta2, 0.999)
    this.epsilon = positive('epsilon', options.epsilon, 1e-8)
  }

  protected update(leaf: TrainedLeaf<DecaySettings>, x: FloatArray, g: FloatArray, info: StepInfo): void {
    const { beta1, beta2, epsilon, decoupled } = this
    const [m, v] = leaf.slots
    const { weightDecay } = leaf.settings
    const { step, rate, scale } = info
    // The averages start at 0: what they lack after t steps is 1 - β^t of them.
    const size = rate / (1 - beta1 ** (step + 1))
    const correction = 1 / Math.sqrt(1 - beta2 ** (step + 1))
    const [coupled, shrink] = decoupled ? [0, 1 - rate * weightDecay] : [weightDecay, 1]
    updateKernels(x.length).adam(x, g, m, v, beta1, beta2, size, correction, epsilon, coupled, shrink, scale)
  }
}

/**
 * Adam: m and v are averages of g and g², x ← x − η m̂ / (√v̂ + ε) with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ). `weightDecay` is added to g as
 * weightDecay x; see {@link adamW} for the decoupled form. The default η is 1e-3.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`; of its steps see {@link Optimizer.step}
 *
 * Source: Kingma, Ba, arXiv 1412.6980, algorithm 1.
 */
export function adam(options: AdamOptions = {}): Optimizer {
  checkNames('options', options, adamNames)
  return new Adam(options, false)
}

/**
 * {@link adam} with decoupled weight decay: x ← (1 − η weightDecay) x − η m̂ / (√v̂ + ε). Default weightDecay 0.01, η 1e-3.
 *
 * Source: Loshchilov, Hutter, arXiv 1711.05101, algorithm 2; η multiplies the decay, as in PyTorch.
 */
export function adamW(options: AdamOptions = {}): Optimizer {
  checkNames('options', options, adamNames)
  return new Adam(options, true)
}
