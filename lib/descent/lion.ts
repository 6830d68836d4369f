import { lionSlopes } from '../backend/tensor-update.js'
import type { FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, nonNegative, oneOf } from '../core/options.js'
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
import { leavesOf } from '../tensor/parameters.js'
import { checkFunction, potentialOf } from './lion-k/make.js'
import type { LionFunction, Potential } from './lion-k/potential.js'
import { type LionReport, type Observed, reportOf } from './lion-k/report.js'

/** Settings of a leaf. */
export interface LionSettings {
  /** λ >= 0: x is kept within the domain of K*(λ x), for Lion |x_i| <= 1/λ. Default 0: no constraint. */
  weightDecay: number
  /** Default `'l1'`: Lion. */
  k: LionFunction
}

export interface LionKOptions extends OptimizerOptions, Partial<LionSettings> {
  /** β₁ in [0, 1): how much of the momentum is in the step's direction. Default 0.9. */
  beta1?: number
  /** β₂ in [0, 1): of the momentum itself. Default 0.99. */
  beta2?: number
  /**
   * `'explicit'` (default): x ← x + η (u − λ x), which needs η λ <= 1. `'implicit'`: x ← (x + η u) / (1 + η λ), the explicit step with
   * η / (1 + η λ).
   */
  scheme?: 'explicit' | 'implicit'
  /** Which momentum is mixed with the gradient: the `'old'` one (default, Lion) or the `'new'` one (Nesterov's form). */
  mix?: 'old' | 'new'
  groups?: readonly ParameterGroup<LionSettings>[]
}

export type LionOptions = Omit<LionKOptions, 'k' | 'groups'> & {
  groups?: readonly ParameterGroup<Pick<LionSettings, 'weightDecay'>>[]
}

/** {@link lionK} also says what it has reached. */
export interface LionOptimizer extends Optimizer {
  /**
   * Where the parameters stand in the problem that is being minimized, f(x) + Σ K*(λ x) / λ over the leaves.
   *
   * @param gradients of f at the parameters
   * @param value f there
   */
  report<P extends object>(params: P, gradients: P, value: number): LionReport
}

const names: ReadonlySet<string> = new Set([
  ...optimizerNames,
  ...['beta1', 'beta2', 'weightDecay', 'k', 'scheme', 'mix'],
])

function readSettings(given: Partial<LionSettings>, fallback: LionSettings, prefix: string): LionSettings {
  return {
    weightDecay: nonNegative(`${prefix}weightDecay`, given.weightDecay, fallback.weightDecay),
    k: given.k === undefined ? fallback.k : checkFunction(`${prefix}k`, given.k),
  }
}

/** What a leaf's K needs besides the slots. */
interface Prepared {
  potential: Potential
  /** u ∈ ∂K(c), where K does not go entry by entry. */
  u: FloatArray | null
}

class LionK extends LeafOptimizer<LionSettings> implements LionOptimizer {
  private readonly beta2: number
  private readonly implicit: boolean
  /** c = mixM m − mixG g */
  private readonly mixM: number
  private readonly mixG: number
  private readonly prepared = new WeakMap<TrainedLeaf<LionSettings>, Prepared>()

  constructor(options: LionKOptions) {
    const settings = readSettings(options, { weightDecay: 0, k: 'l1' }, '')
    super('lionK', ['momentum'], settings, { options, defaultRate: 1e-4, read: readSettings })
    const beta1 = decayRate('beta1', options.beta1, 0.9)
    this.beta2 = decayRate('beta2', options.beta2, 0.99)
    this.implicit = oneOf('scheme', options.scheme, ['explicit', 'implicit'], 'explicit') === 'implicit'
    const nesterov = oneOf('mix', options.mix, ['old', 'new'], 'old') === 'new'
    // β₁ (β₂ m − (1 − β₂) g) − (1 − β₁) g
    this.mixM = nesterov ? beta1 * this.beta2 : beta1
    this.mixG = nesterov ? beta1 * (1 - this.beta2) + (1 - beta1) : 1 - beta1
    if (typeof this.learningRate === 'number') this.refuseExpansion(this.learningRate, settings.weightDecay)
  }

  protected override prepare(leaf: TrainedLeaf<LionSettings>, _x: FloatArray, g: FloatArray, info: StepInfo): void {
    this.refuseExpansion(info.rate, leaf.settings.weightDecay)
    const { potential, u } = this.preparedFor(leaf)
    if (u === null) return
    updateKernels(g.length).combine(u, leaf.slots[0], g, this.mixM, -this.mixG * info.scale)
    potential.subgradient(u, u)
  }

  protected update(leaf: TrainedLeaf<LionSettings>, x: FloatArray, g: FloatArray, { rate, scale }: StepInfo): void {
    const { beta2, mixM, mixG, implicit } = this
    const { potential, u } = this.preparedFor(leaf)
    const [m] = leaf.slots
    const { weightDecay } = leaf.settings
    const step = implicit ? rate / (1 + rate * weightDecay) : rate
    const shrink = 1 - step * weightDecay
    const kernels = updateKernels(x.length)
    const add = -(1 - beta2) * scale
    if (u === null) {
      const { slope, parameter } = potential.fused!
      kernels.lion(lionSlopes.indexOf(slope), x, g, m, mixM, -mixG * scale, beta2, add, step, shrink, parameter)
    } else {
      kernels.combine(m, m, g, beta2, add)
      kernels.combine(x, x, u, shrink, step)
    }
  }

  report<P extends object>(params: P, gradients: P, value: number): LionReport {
    if (typeof value !== 'number' || Number.isNaN(value)) {
      throw new ExtremaError('ERR_OPTION', `value: expected a number, got ${describe(value)}`)
    }
    const memory = leavesOf(['params', 'gradients'], [params, gradients])
    const rate = this.currentRate()
    const observed = this.match(memory).map((leaf, k): Observed => {
      const [x, g] = memory[k].data
      const { weightDecay } = leaf.settings
      const eta = rate * leaf.learningRateFactor
      const { potential } = this.preparedFor(leaf)
      return { leaf, potential, x, g, m: leaf.slots[0], weightDecay, weight: this.momentumWeight(eta, weightDecay) }
    })
    return reportOf(observed, value)
  }

  /**
   * The factor a of K(m) + K*(λ x) − λ ⟨m, x⟩ in the Lyapunov function: η β₁ / (η λ (1 − β₁) + 1 − β₂) of the implicit scheme, with
   * β₁ = mixM.
   */
  private momentumWeight(eta: number, lambda: number): number {
    const step = this.implicit ? eta : eta / (1 - eta * lambda)
    return (step * this.mixM) / (step * lambda * (1 - this.mixM) + (1 - this.beta2))
  }

  private refuseExpansion(rate: number, weightDecay: number): void {
    if (this.implicit || rate * weightDecay <= 1) return
    const expected = `at most 1 / weightDecay = ${1 / weightDecay} in the explicit scheme`
    throw new ExtremaError('ERR_OPTION', `learningRate: expected ${expected}, got ${rate}`)
  }

  private preparedFor(leaf: TrainedLeaf<LionSettings>): Prepared {
    let prepared = this.prepared.get(leaf)
    if (prepared === undefined) {
      const potential = potentialOf(leaf.settings.k, leaf)
      prepared = { potential, u: potential.fused === undefined ? leaf.slots[0].slice() : null }
      this.prepared.set(leaf, prepared)
    }
    return prepared
  }
}

/**
 * Lion-K: c = β₁ m − (1 − β₁) g; x ← x + η (u − λ x) with u ∈ ∂K(c); m ← β₂ m − (1 − β₂) g. It minimizes f(x) + K*(λ x) / λ: the choice of K
 * is a choice of constraint or penalty, see {@link LionFunction}, and the weight decay λ has an exact meaning. First x comes
 * into the constraint's set (phase I: its distance shrinks by 1 − η λ in each step, whatever the gradients), and stays; then a
 * Lyapunov function falls (phase II). Memory: one number per parameter, two where K is not separable.
 *
 * Defaults: η 1e-4, β₁ 0.9, β₂ 0.99. Coming from AdamW, take η 3 to 10 times smaller and λ as many times larger. A constant η leaves
 * a jitter of that size: let it fall by a schedule.
 *
 * @throws {ExtremaError} `ERR_OPTION` (η λ > 1, β outside [0, 1), groups that are no partition, k above the size of the leaf),
 * `ERR_NOT_POSITIVE` (η, e <= 0), `ERR_ORACLE` (a custom K that is not convex or answers wrongly); of its steps see {@link Optimizer.step}
 *
 * Source: Chen, Liu, Liang, Liu, *Lion Secretly Solves Constrained Optimization: As Lyapunov Predicts*, arXiv 2310.05898.
 */
export function lionK(options: LionKOptions = {}): LionOptimizer {
  checkNames('options', options, names)
  return new LionK(options)
}

const lionNames: ReadonlySet<string> = new Set([...names].filter((name) => name !== 'k'))

/**
 * Lion: {@link lionK} with K = ‖·‖₁, so u = sign c, and with weight decay λ every parameter ends within [−1/λ, 1/λ].
 *
 * Source: Chen et al., *Symbolic Discovery of Optimization Algorithms*, arXiv 2302.06675; what it minimizes: arXiv 2310.05898.
 */
export function lion(options: LionOptions = {}): LionOptimizer {
  checkNames('options', options, lionNames)
  return new LionK(options as LionKOptions)
}
