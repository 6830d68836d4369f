import type { FloatArray } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { describe, positive, whole } from '../../core/options.js'
import type { OptimizerState } from '../../tensor/optimizer.js'
import { leavesOf } from '../../tensor/parameters.js'
import type { LayerStatistics } from './layer.js'
import { Mkor, type MkorEvent, type MkorOptimizer, type MkorOptions, type MkorState } from './mkor.js'

export interface MkorHybridOptions extends Omit<MkorOptions, 'onEvent'> {
  /** Steps between two looks at the loss. Default 50. */
  window?: number
  /** A window is poor if the loss fell at less than this share of the best rate so far, in (0, 1]. Default 0.1. */
  switchRatio?: number
  /** So many poor windows in a row, and the base optimizer is tried. Default 3. */
  patience?: number
  /** Weight of what was in the running mean of the loss, in [0, 1). Default 0.9. */
  smoothing?: number
  /** Milliseconds on a clock. Default `performance.now`. */
  now?: () => number
  /** Told what happens besides steps. */
  onEvent?: (event: MkorEvent | HybridEvent) => void
}

/** Rates are relative decreases of the loss per second. */
export type HybridEvent =
  /** The base optimizer is on trial for a window. */
  | { type: 'probe'; step: number; rate: number; best: number }
  /** The trial was no better: parameters and base optimizer are as before it, and patience is doubled. */
  | { type: 'resume'; step: number; secondOrder: number; firstOrder: number; patience: number }
  /** The base optimizer goes on alone; the factors are gone. */
  | { type: 'switch'; step: number; secondOrder: number; firstOrder: number }

export interface MkorHybridOptimizer extends Omit<MkorOptimizer, 'step' | 'state'> {
  readonly phase: 'second-order' | 'probe' | 'first-order'
  /** As a step of `mkor`, with the loss at the parameters before it. */
  step<P extends object>(
    params: P,
    gradients: P,
    statistics: readonly (LayerStatistics | null)[] | undefined,
    loss: number,
  ): void
  /** Where a probe is under way, that of its beginning; its parameters are the snapshot's, which `restore` does not bring back. */
  state(): MkorHybridState
}

export interface MkorHybridState extends MkorState {
  header: MkorState['header'] & { hybrid: Watch }
}

/** Everything about the loss that the switch depends on. */
interface Watch {
  phase: 'second-order' | 'probe' | 'first-order'
  /** Running mean of the loss, null before the first. */
  mean: number | null
  /** The mean at the beginning of the window. */
  opening: number | null
  /** Steps of the window that is under way, and its milliseconds so far. */
  steps: number
  elapsed: number
  best: number
  poor: number
  patience: number
  /** The rate that led to the probe. */
  rate: number
}

/**
 * MKOR-H: MKOR that hands over to its base optimizer for good once its own steps pay no more.
 *
 * The paper only says that rates of decrease are compared; this rule is ours. The loss is averaged exponentially. Every `window`
 * steps its relative decrease per second r = (ℓ_before - ℓ) / (ℓ_before seconds) is taken. After `patience` windows in a row with
 * r < `switchRatio` times the best so far the base optimizer runs alone for a window, from a snapshot. If its rate is at least r, it goes on and the
 * factors are dropped; otherwise the snapshot comes back (the step that finds out changes nothing else) and `patience` doubles.
 *
 * @throws {ExtremaError} as `mkor`, and of steps `ERR_NOT_FINITE` (loss)
 */
export function mkorHybrid(options: MkorHybridOptions): MkorHybridOptimizer {
  return new MkorHybrid(options)
}

class MkorHybrid implements MkorHybridOptimizer {
  private readonly inner: Mkor
  private readonly window: number
  private readonly switchRatio: number
  private readonly smoothing: number
  private readonly now: () => number
  private readonly onEvent: ((event: HybridEvent) => void) | undefined
  private watch: Watch
  private clock: number | null = null
  private snapshot: { params: FloatArray[]; base: OptimizerState; watch: Watch } | null = null

  constructor(options: MkorHybridOptions) {
    if (typeof options !== 'object' || options === null) {
      throw new ExtremaError('ERR_OPTION', `options: expected { base, layers, … }, got ${describe(options)}`)
    }
    const { window, switchRatio, patience, smoothing = 0.9, now = () => performance.now(), onEvent, ...rest } = options
    this.inner = new Mkor({ ...rest, ...(onEvent === undefined ? {} : { onEvent }) })
    this.onEvent = onEvent
    this.window = whole('window', window, 50, 1)
    this.switchRatio = positive('switchRatio', switchRatio, 0.1)
    if (this.switchRatio > 1) {
      throw new ExtremaError('ERR_OPTION', `switchRatio: expected a number in (0, 1], got ${switchRatio}`)
    }
    if (typeof smoothing !== 'number' || !(smoothing >= 0 && smoothing < 1)) {
      throw new ExtremaError('ERR_OPTION', `smoothing: expected a number in [0, 1), got ${describe(smoothing)}`)
    }
    if (typeof now !== 'function') {
      throw new ExtremaError('ERR_OPTION', `now: expected a function, got ${describe(now)}`)
    }
    this.smoothing = smoothing
    this.now = now
    this.watch = {
      ...{ phase: 'second-order', mean: null, opening: null, steps: 0, elapsed: 0 },
      ...{ best: 0, poor: 0, patience: whole('patience', patience, 3, 1), rate: 0 },
    }
  }

  get phase() {
    return this.watch.phase
  }

  get learningRate() {
    return this.inner.learningRate
  }

  set learningRate(rate) {
    this.inner.learningRate = rate
  }

  get steps(): number {
    return this.inner.steps
  }

  get memoryBytes(): number {
    return this.inner.memoryBytes
  }

  get wantsStatistics(): boolean {
    return this.watch.phase === 'second-order' && this.inner.wantsStatistics
  }

  step<P extends object>(
    params: P,
    gradients: P,
    statistics: readonly (LayerStatistics | null)[] | undefined,
    loss: number,
  ): void {
    if (typeof loss !== 'number' || !Number.isFinite(loss)) {
      throw new ExtremaError('ERR_NOT_FINITE', `loss: expected a finite number, got ${describe(loss)}`)
    }
    if (this.watch.phase !== 'first-order' && this.look(params, gradients, loss)) return
    if (this.watch.phase === 'second-order') this.inner.step(params, gradients, statistics)
    else this.inner.plainStep(params, gradients)
  }

  /** Whether the parameters went back to the snapshot, at which the gradient is not. */
  private look(params: object, gradients: object, loss: number): boolean {
    const { watch, smoothing } = this
    const time = this.now()
    const passed = this.clock === null ? 0 : time - this.clock
    const mean = watch.mean === null ? loss : smoothing * watch.mean + (1 - smoothing) * loss
    const next = {
      ...watch,
      mean,
      opening: watch.opening ?? mean,
      steps: watch.steps + 1,
      elapsed: watch.elapsed + passed,
    }
    this.clock = time
    if (next.steps <= this.window) {
      this.watch = next
      return false
    }
    // A clock may be too coarse for a window.
    const seconds = Math.max(next.elapsed, 1e-3) / 1000
    const rate = next.opening === 0 ? 0 : (next.opening - mean) / (Math.abs(next.opening) * seconds)
    const fresh = { ...next, opening: mean, steps: 1, elapsed: 0 }
    return watch.phase === 'probe' ? this.judge(params, fresh, rate) : this.consider(params, gradients, fresh, rate)
  }

  private consider(params: object, gradients: object, watch: Watch, rate: number): boolean {
    const best = Math.max(watch.best, rate)
    const poor = rate < this.switchRatio * best ? watch.poor + 1 : 0
    this.watch = { ...watch, best, poor, rate }
    if (poor < watch.patience) return false
    const leaves = leavesOf(['params', 'gradients'], [params, gradients])
    this.snapshot = {
      params: leaves.map(({ data: [w] }) => w.slice()),
      base: this.inner.base.state(),
      watch: this.watch,
    }
    this.watch = { ...this.watch, phase: 'probe' }
    this.onEvent?.({ type: 'probe', step: this.steps, rate, best })
    return false
  }

  private judge(params: object, watch: Watch, firstOrder: number): boolean {
    const { rate: secondOrder } = watch
    const snapshot = this.snapshot!
    this.snapshot = null
    if (firstOrder >= secondOrder) {
      this.watch = { ...watch, phase: 'first-order' }
      this.inner.drop()
      this.onEvent?.({ type: 'switch', step: this.steps, secondOrder, firstOrder })
      return false
    }
    leavesOf(['params'], [params]).forEach(({ data: [w] }, k) => {
      w.set(snapshot.params[k])
    })
    this.inner.base.restore(snapshot.base)
    const patience = 2 * watch.patience
    this.watch = { ...snapshot.watch, phase: 'second-order', poor: 0, patience }
    this.clock = null
    this.onEvent?.({ type: 'resume', step: this.steps, secondOrder, firstOrder, patience })
    return true
  }

  state(): MkorHybridState {
    const { header, arrays } = this.inner.state()
    const hybrid = { ...(this.snapshot?.watch ?? this.watch) }
    if (this.snapshot === null) return { header: { ...header, hybrid }, arrays }
    const own = arrays.length - this.inner.base.state().arrays.length
    const base = this.snapshot.base
    return { header: { ...header, base: base.header, hybrid }, arrays: [...arrays.slice(0, own), ...base.arrays] }
  }

  restore(state: OptimizerState): void {
    const { hybrid } = state.header as MkorHybridState['header']
    if (typeof hybrid !== 'object' || hybrid === null) {
      throw new ExtremaError('ERR_OPTION', `state: expected one of a hybrid, got ${describe(hybrid)}`)
    }
    this.inner.restore(state)
    this.watch = { ...hybrid }
    this.snapshot = null
    this.clock = null
  }
}
