import type { FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, flag, nonNegative, positive } from '../core/options.js'
import { finiteNorm } from './gradient-norm.js'
import type { LeafInfo, Optimizer, OptimizerState, Schedule } from './optimizer.js'
import { checkRate, checkSameLeaves, rateAt, readState } from './optimizer-checks.js'
import { type LeafMemory, leavesOf, refuseSharedMemory } from './parameters.js'

export interface OptimizerOptions {
  /** A number > 0, or one for each step. The default depends on the method. */
  learningRate?: number | Schedule
  /** Scale gradients so that the norm of all their entries together is at most this. Default: none. */
  clipNorm?: number
  /**
   * Look for NaN and infinities in gradients before each step, which is one more pass over them. Default true. Without it they end up in
   * the parameters.
   */
  checkFinite?: boolean
}

/** Other settings for some of the leaves; the first group that a leaf is in counts. */
export type ParameterGroup<Settings> = Partial<Settings> & LeafChoice

export interface LeafChoice {
  /** Which leaves: by path (`hidden.weight`, `layers[0].bias`), or by what they are. */
  parameters: RegExp | ((leaf: LeafInfo) => boolean)
  /** Multiplies the learning rate. Default 1. */
  learningRateFactor?: number
}

/** A leaf with what the optimizer knows about it. */
export interface TrainedLeaf<Settings> extends LeafInfo {
  settings: Settings
  learningRateFactor: number
  /** Slot by slot. */
  slots: FloatArray[]
}

/** What all leaves of a step have in common. */
export interface StepInfo {
  /** Steps before this one. */
  step: number
  /** The learning rate, times its group's factor. */
  rate: number
  /** The gradient counts so many times, to keep its norm. */
  scale: number
}

/** What a method tells {@link LeafOptimizer}. */
export interface LeafOptimizerSetup<Settings> {
  options: OptimizerOptions & { groups?: readonly ParameterGroup<Settings>[] }
  defaultRate: number
  /** Checks settings; what is not given is as in `fallback`. `prefix` goes before names in messages. */
  read: (given: Partial<Settings>, fallback: Settings, prefix: string) => Settings
}

interface CheckedGroup<Settings> {
  parameters: LeafChoice['parameters']
  learningRateFactor: number
  settings: Settings
}

/** Names of the options that this class reads. */
export const optimizerNames = ['learningRate', 'clipNorm', 'checkFinite', 'groups'] as const

/**
 * What optimizers have in common whose step goes leaf by leaf: the tree, its memory and state, checks, the learning rate and
 * groups. A method supplies the names of its slots and the update of a leaf.
 */
export abstract class LeafOptimizer<Settings extends object> implements Optimizer {
  private taken = 0
  private leaves: TrainedLeaf<Settings>[] = []
  private rate: number | Schedule
  private readonly clipNorm: number
  private readonly check: boolean
  private readonly groups: readonly CheckedGroup<Settings>[]

  protected constructor(
    readonly method: string,
    private readonly slots: readonly string[],
    private readonly settings: Settings,
    { options, defaultRate, read }: LeafOptimizerSetup<Settings>,
  ) {
    this.rate = checkRate(options.learningRate ?? defaultRate)
    this.clipNorm = options.clipNorm === undefined ? Number.POSITIVE_INFINITY : positive('clipNorm', options.clipNorm)
    this.check = flag('checkFinite', options.checkFinite, true)
    this.groups = checkGroups(options.groups ?? [], settings, read)
  }

  /** The parameters x of a leaf after the step, in place. May not throw. */
  protected abstract update(leaf: TrainedLeaf<Settings>, x: FloatArray, g: FloatArray, info: StepInfo): void

  /** What may throw, or must be known before anything is changed. */
  protected prepare(_leaf: TrainedLeaf<Settings>, _x: FloatArray, _g: FloatArray, _info: StepInfo): void {}

  get learningRate(): number | Schedule {
    return this.rate
  }

  set learningRate(rate: number | Schedule) {
    this.rate = checkRate(rate)
  }

  get steps(): number {
    return this.taken
  }

  step<P extends object>(params: P, gradients: P): void {
    const names = ['params', 'gradients']
    const memory = leavesOf(names, [params, gradients])
    refuseSharedMemory(names, memory)
    const leaves = this.match(memory)
    const rate = this.currentRate()
    let scale = 1
    if (this.check || this.clipNorm < Number.POSITIVE_INFINITY) {
      const norm = finiteNorm('gradients', memory, 1, ` at step ${this.taken}`)
      if (norm > this.clipNorm) scale = this.clipNorm / norm
    }
    const info = leaves.map(({ learningRateFactor }) => ({
      step: this.taken,
      rate: rate * learningRateFactor,
      scale,
    }))
    memory.forEach(({ data: [x, g] }, k) => {
      this.prepare(leaves[k], x, g, info[k])
    })
    this.leaves = leaves
    memory.forEach(({ data: [x, g] }, k) => {
      this.update(leaves[k], x, g, info[k])
    })
    this.taken++
  }

  state(): OptimizerState {
    const leaves = this.leaves.map(({ path, dtype, shape }) => ({ path, dtype, shape: [...shape] }))
    return {
      header: { method: this.method, steps: this.taken, leaves, slots: [...this.slots] },
      arrays: this.slots.flatMap((_, s) => this.leaves.map(({ slots }) => slots[s].slice())),
    }
  }

  restore(state: OptimizerState): void {
    const { steps, leaves, slots } = readState(this.method, this.slots, state)
    const trained = leaves.map((info, k) =>
      this.trained(
        info,
        slots.map((arrays) => arrays[k]),
      ),
    )
    this.leaves = trained
    this.taken = steps
  }

  /** The learning rate of the next step. */
  protected currentRate(): number {
    return rateAt(this.rate, this.taken)
  }

  /** The known leaves, or new ones before the first step. */
  protected match(memory: readonly LeafMemory[]): TrainedLeaf<Settings>[] {
    if (this.leaves.length === 0 && this.taken === 0) {
      return memory.map(({ path, dtype, shape, data: [x] }) => {
        const slots = this.slots.map(() => (x instanceof Float64Array ? new Float64Array(x.length) : zeros32(x)))
        return this.trained({ path, dtype, shape }, slots)
      })
    }
    checkSameLeaves(this.leaves, memory)
    return this.leaves
  }

  private trained(info: LeafInfo, slots: FloatArray[]): TrainedLeaf<Settings> {
    const group = this.groups.find(({ parameters }) =>
      parameters instanceof RegExp ? info.path.search(parameters) >= 0 : parameters(info),
    )
    const { settings, learningRateFactor } = group ?? { settings: this.settings, learningRateFactor: 1 }
    return { ...info, settings, learningRateFactor, slots }
  }
}

function zeros32(x: FloatArray): Float32Array {
  return new Float32Array(x.length)
}

function checkGroups<Settings extends object>(
  groups: readonly ParameterGroup<Settings>[],
  fallback: Settings,
  read: LeafOptimizerSetup<Settings>['read'],
): CheckedGroup<Settings>[] {
  if (!Array.isArray(groups)) {
    throw new ExtremaError('ERR_OPTION', `groups: expected an array, got ${describe(groups)}`)
  }
  const names = new Set(['parameters', 'learningRateFactor', ...Object.keys(fallback)])
  return groups.map((group: ParameterGroup<Settings>, k) => {
    const { parameters, learningRateFactor, ...given } = group ?? {}
    if (!(parameters instanceof RegExp) && typeof parameters !== 'function') {
      const expected = 'a regular expression or a function of the leaf'
      throw new ExtremaError('ERR_OPTION', `groups[${k}].parameters: expected ${expected}, got ${describe(parameters)}`)
    }
    checkNames(`groups[${k}]`, group, names)
    return {
      parameters,
      learningRateFactor: nonNegative(`groups[${k}].learningRateFactor`, learningRateFactor, 1),
      settings: read(given as unknown as Partial<Settings>, fallback, `groups[${k}].`),
    }
  })
}
