import type { FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, flag, nonNegative, type SolverOptions, whole } from '../core/options.js'
import { finiteNorm } from '../tensor/gradient-norm.js'
import type { LeafInfo, Optimizer, OptimizerState, Schedule } from '../tensor/optimizer.js'
import { checkRate, checkSameLeaves, decayRate, rateAt, readState } from '../tensor/optimizer-checks.js'
import { type LeafMemory, leavesOf, refuseSharedMemory } from '../tensor/parameters.js'
import { GradientWindow, type MfacWindowState, mostGradients } from './window.js'

export interface MfacOptimizerOptions extends Pick<SolverOptions, 'threads' | 'backend'> {
  /** Default 1e-3. */
  learningRate?: number | Schedule
  /** m: gradients that the Fisher matrix is made of. Memory is m times the parameters. Default 1024. */
  capacity?: number
  /** λ > 0. Default 1e-5. */
  damping?: number
  /** wd in g ← ∇f + wd·w. Default 0. */
  weightDecay?: number
  /** μ in [0, 1): v ← μv + (1 - μ)F⁻¹g is stepped along. Default 0. */
  momentum?: number
  /** What the gradients are kept in. Default `'float32'`. */
  precision?: 'float32' | 'float64'
  /** Parameters that are exactly 0 at the first step stay so. Default false. */
  sparse?: boolean
}

/** The state of an M-FAC optimizer: `arrays` end with the window's gradients and their inner products. */
export interface MfacOptimizerState extends OptimizerState {
  header: OptimizerState['header'] & { window: Omit<MfacWindowState, 'gradients' | 'gram'> | null }
}

const names: ReadonlySet<string> = new Set([
  ...['learningRate', 'capacity', 'damping', 'weightDecay', 'momentum', 'precision', 'sparse'],
  ...['threads', 'backend'],
])

/**
 * The M-FAC optimizer: w ← w - η F⁻¹g with F = λI + Σ g gᵀ / m over the last m gradients, the one at hand among them. The window
 * starts empty, while the divisor stays m. A step takes two passes over the window, O(dm + m³).
 *
 * Defaults are those of the authors' code; for fine-tuning small BERT models they used learning rate 1e-4 and λ = 1e-6.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`; of its steps see {@link Optimizer.step}, and `ERR_SINGULAR` (damping below
 * rounding), `ERR_MEMORY` (no room for m gradients)
 *
 * Source: Frantar, Kurtic, Alistarh, arXiv 2107.03356, section 5.
 */
export function mfacOptimizer(options: MfacOptimizerOptions = {}): Optimizer {
  return new MfacOptimizer(options)
}

class MfacOptimizer implements Optimizer {
  private rate: number | Schedule
  private taken = 0
  private leaves: LeafInfo[] = []
  private window: GradientWindow | null = null
  private slots: Record<string, FloatArray[]> = {}
  private readonly options: MfacOptimizerOptions
  private readonly capacity: number
  private readonly weightDecay: number
  private readonly momentum: number
  private readonly sparse: boolean

  constructor(options: MfacOptimizerOptions) {
    checkNames('options', options, names)
    this.rate = checkRate(options.learningRate ?? 1e-3)
    this.weightDecay = nonNegative('weightDecay', options.weightDecay, 0)
    this.momentum = decayRate('momentum', options.momentum, 0)
    this.sparse = flag('sparse', options.sparse, false)
    this.options = options
    this.capacity = whole('capacity', options.capacity, 1024, 1, mostGradients)
    // The rest is checked by a window of one number.
    this.newWindow(1, 1)
  }

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
    const trees = ['params', 'gradients']
    const memory = leavesOf(trees, [params, gradients])
    refuseSharedMemory(trees, memory)
    if (this.leaves.length > 0) checkSameLeaves(this.leaves, memory)
    const rate = rateAt(this.rate, this.taken)
    finiteNorm('gradients', memory, 1, ` at step ${this.taken}`)
    const isFirst = this.leaves.length === 0
    const slots = isFirst ? this.firstSlots(memory) : this.slots
    const window = this.window ?? this.newWindow(sizeOf(memory), this.capacity)
    const direction = window.advanceSync(this.flat(memory, slots, window.precision))
    this.window = window
    this.slots = slots
    if (isFirst) this.leaves = memory.map(({ path, dtype, shape }) => ({ path, dtype, shape: [...shape] }))
    let at = 0
    memory.forEach(({ data: [w] }, k) => {
      this.move(w, direction.subarray(at, at + w.length), rate, k)
      at += w.length
    })
    this.taken++
  }

  /** The gradients of all leaves, with the decay, one behind the other. */
  private flat(
    memory: LeafMemory[],
    slots: Record<string, FloatArray[]>,
    precision: 'float32' | 'float64',
  ): FloatArray {
    const out = precision === 'float32' ? new Float32Array(sizeOf(memory)) : new Float64Array(sizeOf(memory))
    let at = 0
    memory.forEach(({ data: [w, g] }, k) => {
      const mask = slots.mask?.[k]
      for (let j = 0; j < w.length; j++) {
        out[at + j] = mask !== undefined && mask[j] === 0 ? 0 : g[j] + this.weightDecay * w[j]
      }
      at += w.length
    })
    return out
  }

  private move(w: FloatArray, u: Float64Array, rate: number, k: number): void {
    const { momentum } = this
    const v = this.slots.momentum?.[k]
    const mask = this.slots.mask?.[k]
    for (let j = 0; j < w.length; j++) {
      if (mask !== undefined && mask[j] === 0) continue
      if (v !== undefined) v[j] = momentum * v[j] + (1 - momentum) * u[j]
      w[j] -= rate * (v === undefined ? u[j] : v[j])
    }
  }

  private get slotNames(): string[] {
    return [...(this.momentum > 0 ? ['momentum'] : []), ...(this.sparse ? ['mask'] : [])]
  }

  private firstSlots(memory: LeafMemory[]): Record<string, FloatArray[]> {
    const slots: Record<string, FloatArray[]> = {}
    if (this.momentum > 0) slots.momentum = memory.map(({ data: [w] }) => w.slice().fill(0))
    if (this.sparse) slots.mask = memory.map(({ data: [w] }) => w.map((value) => (value === 0 ? 0 : 1)))
    return slots
  }

  private newWindow(dimension: number, capacity: number): GradientWindow {
    const { damping, precision, threads, backend } = this.options
    const given = { damping, precision, threads, backend }
    const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    return new GradientWindow({ ...known, capacity, dimension })
  }

  state(): MfacOptimizerState {
    const { taken: steps, leaves, slotNames: slots } = this
    const saved = this.window?.save()
    const own = slots.flatMap((name) => (this.slots[name] ?? []).map((array) => array.slice()))
    const header = {
      method: 'mfac',
      steps,
      leaves: leaves.map(({ path, dtype, shape }) => ({ path, dtype, shape: [...shape] })),
      slots,
    }
    if (saved === undefined) return { header: { ...header, window: null }, arrays: own }
    const { gradients, gram, ...window } = saved
    return { header: { ...header, window }, arrays: [...own, gradients, gram] }
  }

  restore(state: OptimizerState): void {
    const { header, arrays } = state as MfacOptimizerState
    const { slotNames } = this
    const { steps, leaves, slots } = readState('mfac', slotNames, state, header?.window == null ? 0 : 2)
    let window: GradientWindow | null = null
    if (header.window !== null) {
      const [gradients, gram] = arrays.slice(-2) as [FloatArray, Float64Array]
      const { capacity, dimension } = header.window
      if (capacity !== this.capacity) {
        throw new ExtremaError('ERR_OPTION', `state.capacity: expected ${this.capacity}, got ${describe(capacity)}`)
      }
      window = this.newWindow(dimension, capacity)
      // The damping is this optimizer's own.
      window.restore({ ...header.window, damping: window.damping, gradients, gram })
    }
    this.slots = Object.fromEntries(slotNames.map((name, s) => [name, slots[s]]))
    this.window = window
    this.leaves = leaves
    this.taken = steps
  }
}

function sizeOf(memory: readonly LeafMemory[]): number {
  return memory.reduce((sum, { data: [w] }) => sum + w.length, 0)
}
