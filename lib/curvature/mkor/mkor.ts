import { type BackendName, kernels } from '../../backend/index.js'
import { checkRunOptions } from '../../backend/options.js'
import { checkFinite, type FloatArray } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, oneOf, positive, type SolverOptions, whole } from '../../core/options.js'
import { finiteNorm } from '../../tensor/gradient-norm.js'
import type { Optimizer, OptimizerState, Schedule } from '../../tensor/optimizer.js'
import { type LeafMemory, leavesOf, refuseSharedMemory } from '../../tensor/parameters.js'
import { sizeOf, Tensor } from '../../tensor/tensor.js'
import type { FactorSettings, FactorStorage, FactorUpdate } from './factor.js'
import {
  type CheckedLayer,
  checkLayers,
  type DenseLayer,
  LayerFactors,
  type LayerStatistics,
  type Means,
  readMeans,
} from './layer.js'

export interface MkorOptions extends Pick<SolverOptions, 'threads' | 'backend'> {
  /** What takes the preconditioned gradients: `sgd`, `adam`, `lamb` … of `extrema/descent`. Its learning rate is that of the whole. */
  base: Optimizer
  /** The dense layers. All other leaves go to the base optimizer as they are. */
  layers: readonly DenseLayer[]
  /** γ in (0, 1]: how slowly factors forget. Default 0.95. */
  decay?: number
  /** f: statistics are taken in every so many steps. Default 10. */
  interval?: number
  /** And in each of the first so many steps. Default 0. */
  warmUp?: number
  /**
   * Factors whose largest entry passes `threshold` (ε > 0, default 2) become ζX + (1 - ζ)I with the `weight` ζ in [0, 1] (default 0.9) before
   * they are refreshed. False: never.
   */
  stabilizer?: false | { threshold?: number; weight?: number }
  /** Entries of the statistics are clamped to ± this. Default 100. */
  clip?: number
  /**
   * How a factor X takes a vector v in; M is the stabilized X.
   * - `'exact'`: (M - (1-γ) Mv(Mv)ᵀ / (γ + (1-γ) vᵀMv)) / γ, the inverse of γM⁻¹ + (1-γ)vvᵀ;
   * - `'printed'`: γM + (1-γ) Mv(Mv)ᵀ / (γ² (1 + γ(1-γ) vᵀMv)), as the paper prints it: not that inverse, and without a stabilizer its eigenvalues
   *   explode, so that it is refused;
   * - `'package'`: with M' = 0.95M + 0.05I, M' - M'v(M'v)ᵀ / (1 + vᵀM'v), as the authors' package has it: a bounded shrinkage.
   *
   * Default `'exact'`.
   */
  update?: FactorUpdate
  /** What factors are kept in; products are in float32 unless `'float64'`. Default `'float32'`. */
  storage?: FactorStorage
  /** Layers with more inputs or outputs stay with the base optimizer, with an event. Default 8,192. */
  maxDim?: number
  /** Statistics that are not finite are left out; with so many in a row a step throws. Default 10. */
  maxBadSteps?: number
  /** Told what happens besides steps. Without it layers that are too large are warned of by `process.emitWarning`. */
  onEvent?: (event: MkorEvent) => void
}

export type MkorEvent =
  /** The layer is larger than `maxDim`: its gradient goes to the base optimizer unchanged. */
  | { type: 'first-order'; layer: string; dimension: number; step: number }
  /** Statistics that are not finite were left out. */
  | { type: 'skipped-statistics'; layer: string; step: number; inARow: number }
  /** Rounding or growth had made a factor useless: it is the identity again. */
  | { type: 'reset'; layer: string; factor: string; step: number }
  /** No direction of descent came out: the gradient itself was taken. */
  | { type: 'not-descent'; layer: string; step: number }

/** The state of MKOR; its `arrays` are the factors, layer by layer, and then those of the base optimizer. */
export interface MkorState extends OptimizerState {
  header: OptimizerState['header'] & {
    base: OptimizerState['header']
    /** [outputs, inputs] of each layer that has factors, null for the others. */
    factors: ([number, number] | null)[]
    badSteps: number
  }
}

export interface MkorOptimizer extends Optimizer {
  /** Whether the next step takes statistics in. */
  readonly wantsStatistics: boolean
  /** Bytes of the factors. */
  readonly memoryBytes: number
  /**
   * One step, in place on the memory of the parameters.
   *
   * @param statistics of each layer, in the order of `layers`; null for those that are `firstOrder`. Needed where `wantsStatistics`,
   * otherwise not looked at.
   */
  step<P extends object>(params: P, gradients: P, statistics?: readonly (LayerStatistics | null)[]): void
  state(): MkorState
}

const names: ReadonlySet<string> = new Set([
  ...['base', 'layers', 'decay', 'interval', 'warmUp', 'stabilizer', 'clip', 'update', 'storage', 'maxDim'],
  ...['maxBadSteps', 'onEvent', 'threads', 'backend'],
])
const stabilizerNames: ReadonlySet<string> = new Set(['threshold', 'weight'])

/**
 * MKOR: the gradient of each dense layer becomes L⁻¹ ∇W R⁻¹ at the norm of ∇W, where L⁻¹ and R⁻¹ follow the moving averages of ḡḡᵀ
 * and āāᵀ, of the batch means of output gradients and inputs, by updates of rank one: 4d² operations each instead of the d³ of K-FAC, so
 * that they can be refreshed every few steps. The base optimizer takes that gradient.
 *
 * Memory (outputs² + inputs²) numbers a layer; a step takes 2 (outputs² inputs + outputs inputs²) operations besides.
 * Defaults are those of the authors' package, apart from `storage`.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`; steps as `Optimizer.step`, and `ERR_ORACLE` (statistics that are missing),
 * `ERR_SHAPE` (that do not fit the layer; a layer whose leaf is not there), `ERR_NOT_FINITE` (statistics that are not finite `maxBadSteps` times in a row)
 *
 * Source: Mozaffari, Li, Zhang, Dehnavi, MKOR: Momentum-Enabled Kronecker-Factor-Based Optimizer Using Rank-1 Updates, arXiv 2306.01685,
 * algorithm 1, with the inverse of Sherman and Morrison in place of its lines 7 and 8.
 */
export function mkor(options: MkorOptions): MkorOptimizer {
  return new Mkor(options)
}

export class Mkor implements MkorOptimizer {
  readonly base: Optimizer
  private taken = 0
  private badSteps = 0
  private readonly layers: CheckedLayer[]
  private factors: (LayerFactors | null)[] = []
  private readonly interval: number
  private readonly warmUp: number
  private readonly clip: number
  private readonly maxDim: number
  private readonly maxBadSteps: number
  private readonly settings: FactorSettings
  private readonly backend: BackendName
  private readonly onEvent: ((event: MkorEvent) => void) | undefined

  constructor(options: MkorOptions) {
    if (typeof options !== 'object' || options === null) {
      throw new ExtremaError('ERR_OPTION', `options: expected { base, layers, … }, got ${describe(options)}`)
    }
    checkNames('options', options, names)
    const { base, threads, backend, onEvent } = options
    if (typeof base?.step !== 'function' || typeof base.state !== 'function' || typeof base.restore !== 'function') {
      throw new ExtremaError('ERR_OPTION', `base: expected an optimizer, got ${describe(base)}`)
    }
    if (onEvent !== undefined && typeof onEvent !== 'function') {
      throw new ExtremaError('ERR_OPTION', `onEvent: expected a function, got ${describe(onEvent)}`)
    }
    const run = checkRunOptions(
      { ...(threads === undefined ? {} : { threads }), ...(backend === undefined ? {} : { backend }) },
      names,
    )
    this.base = base
    this.layers = checkLayers(options.layers)
    this.interval = whole('interval', options.interval, 10, 1)
    this.warmUp = whole('warmUp', options.warmUp, 0, 0)
    this.clip = positive('clip', options.clip, 100)
    this.maxDim = whole('maxDim', options.maxDim, 8192, 1)
    this.maxBadSteps = whole('maxBadSteps', options.maxBadSteps, 10, 1)
    this.onEvent = onEvent
    this.backend = kernels(run.backend).name
    this.settings = { ...readFormula(options), backend: run.backend, threads: run.threads }
  }

  get learningRate(): number | Schedule {
    return this.base.learningRate
  }

  set learningRate(rate: number | Schedule) {
    this.base.learningRate = rate
  }

  get steps(): number {
    return this.taken
  }

  get wantsStatistics(): boolean {
    return this.taken < this.warmUp || this.taken % this.interval === 0
  }

  get memoryBytes(): number {
    return this.factors.reduce((sum, factors) => sum + (factors?.bytes ?? 0), 0)
  }

  step<P extends object>(params: P, gradients: P, statistics?: readonly (LayerStatistics | null)[]): void {
    const trees = ['params', 'gradients']
    const memory = leavesOf(trees, [params, gradients])
    refuseSharedMemory(trees, memory)
    finiteNorm('gradients', memory, 1, ` at step ${this.taken}`)
    const leaves = new Map(memory.map((leaf) => [leaf.path, leaf]))
    for (const layer of this.layers) checkLeaves(layer, leaves)
    const means = this.wantsStatistics ? this.readStatistics(statistics, leaves) : null
    const events: MkorEvent[] = []
    if (means !== null) this.refresh(means, events)
    const directions = new Map<string, FloatArray>()
    this.layers.forEach((layer, k) => {
      this.precondition(layer, this.factors[k] ?? null, leaves, directions, events)
    })
    this.base.step(...asLeaves(memory, directions))
    this.taken++
    for (const event of events) this.tell(event)
  }

  /** A step of the base optimizer alone. */
  plainStep<P extends object>(params: P, gradients: P): void {
    // Its leaves have the same paths.
    this.base.step(params, gradients)
    this.taken++
  }

  /** Gives the factors' memory back. */
  drop(): void {
    this.factors = []
  }

  private tell(event: MkorEvent): void {
    if (this.onEvent !== undefined) {
      this.onEvent(event)
    } else if (event.type === 'first-order') {
      const { layer, dimension } = event
      process.emitWarning(
        `mkor: ${layer} stays with the base optimizer: ${dimension} is more than maxDim ${this.maxDim}`,
      )
    }
  }

  /** Checks all of them before anything is changed. */
  private readStatistics(
    statistics: readonly (LayerStatistics | null)[] | undefined,
    leaves: ReadonlyMap<string, LeafMemory>,
  ): (Means | null)[] {
    const { layers, taken } = this
    if (!Array.isArray(statistics) || statistics.length !== layers.length) {
      const came = Array.isArray(statistics) ? `${statistics.length}` : describe(statistics)
      throw new ExtremaError(
        'ERR_ORACLE',
        `statistics: expected those of ${layers.length} layers at step ${taken}, got ${came}`,
      )
    }
    const means = layers.map((layer, k) => {
      if (layer.firstOrder) return null
      const read = readMeans(`statistics[${k}]`, statistics[k])
      const [o, i] = sizesOf(read)
      const size = leaves.get(layer.weight)!.data[0].length
      const biases = layer.bias === null ? o : leaves.get(layer.bias)!.data[0].length
      if (o * i !== size || biases !== o || !read.inputs.every((v) => v.length === i)) {
        throw new ExtremaError(
          'ERR_SHAPE',
          `statistics[${k}]: expected inputs and outputs of a weight of ${size} numbers${layer.bias === null ? '' : ` and ${biases} biases`}, got ${i} inputs and ${o} outputs`,
        )
      }
      const { shape } = leaves.get(layer.weight)!
      const outputs = layer.inputsFirst ? shape[shape.length - 1] : shape[0]
      if (shape.length > 1 && outputs !== o) {
        throw new ExtremaError(
          'ERR_SHAPE',
          `layers[${k}].layout: expected a weight with ${o} outputs ${layer.inputsFirst ? 'last' : 'first'}, got shape ${shape.join('×')}`,
        )
      }
      const known = this.factors[k]
      if (known != null && (known.outputs !== o || known.inputs !== i + (layer.bias === null ? 0 : 1))) {
        throw new ExtremaError(
          'ERR_SHAPE',
          `statistics[${k}]: expected ${known.inputs - (layer.bias === null ? 0 : 1)} inputs and ${known.outputs} outputs as before, got ${i} and ${o}`,
        )
      }
      return read
    })
    const bad = means.some((read) => read !== null && !read.isFinite)
    if (bad && this.badSteps + 1 >= this.maxBadSteps) {
      throw new ExtremaError(
        'ERR_NOT_FINITE',
        `statistics: expected finite numbers, got others in ${this.maxBadSteps} refreshes in a row, the last at step ${taken}`,
      )
    }
    this.badSteps = bad ? this.badSteps + 1 : 0
    return means
  }

  private refresh(means: readonly (Means | null)[], events: MkorEvent[]): void {
    const { layers, taken: step } = this
    // Made before any is refreshed: memory may run out.
    this.factors = means.map((read, k) => {
      const known = this.factors[k]
      if (known != null || read === null) return known ?? null
      const [o, i] = sizesOf(read)
      const inputs = i + (layers[k].bias === null ? 0 : 1)
      const dimension = Math.max(o, inputs)
      if (dimension > this.maxDim) {
        if (step === 0) events.push({ type: 'first-order', layer: layers[k].weight, dimension, step })
        return null
      }
      return this.newFactors(o, inputs, layers[k])
    })
    means.forEach((read, k) => {
      const factors = this.factors[k]
      if (read === null || factors === null) return
      const layer = layers[k].weight
      if (!read.isFinite) {
        events.push({ type: 'skipped-statistics', layer, step, inARow: this.badSteps })
        return
      }
      for (const factor of factors.refresh(read)) events.push({ type: 'reset', layer, factor, step })
    })
  }

  private newFactors(outputs: number, inputs: number, { bias }: CheckedLayer): LayerFactors {
    return new LayerFactors(outputs, inputs, bias !== null, this.settings, this.clip)
  }

  private precondition(
    { weight, bias, inputsFirst }: CheckedLayer,
    factors: LayerFactors | null,
    leaves: ReadonlyMap<string, LeafMemory>,
    directions: Map<string, FloatArray>,
    events: MkorEvent[],
  ): void {
    if (factors === null) return
    const { inputs, outputs } = factors
    const [w, g] = leaves.get(weight)!.data
    const b = bias === null ? null : leaves.get(bias)!.data[1]
    const rows = b === null ? inputs : inputs - 1
    const gradient = new Float64Array(inputs * outputs)
    const place = (i: number, o: number) => (inputsFirst ? i * outputs + o : o * rows + i)
    for (let i = 0; i < rows; i++) for (let o = 0; o < outputs; o++) gradient[i * outputs + o] = g[place(i, o)]
    if (b !== null) gradient.set(b, rows * outputs)
    const direction = factors.precondition(gradient, this.backend)
    if (direction === null) {
      events.push({ type: 'not-descent', layer: weight, step: this.taken })
      return
    }
    const changed = w.slice()
    for (let i = 0; i < rows; i++) for (let o = 0; o < outputs; o++) changed[place(i, o)] = direction[i * outputs + o]
    directions.set(weight, changed)
    if (bias === null) return
    const changedBias = leaves.get(bias)!.data[0].slice()
    changedBias.set(direction.subarray(rows * outputs))
    directions.set(bias, changedBias)
  }

  state(): MkorState {
    const base = this.base.state()
    const { leaves, slots } = base.header
    const factors = this.layers.map((_, k): [number, number] | null => {
      const own = this.factors[k]
      return own == null ? null : [own.outputs, own.inputs]
    })
    const own = this.factors.flatMap((layer) => (layer === null ? [] : [layer.left.save(), layer.right.save()]))
    const header = {
      method: 'mkor',
      steps: this.taken,
      leaves,
      slots,
      base: base.header,
      factors,
      badSteps: this.badSteps,
    }
    return { header, arrays: [...own, ...base.arrays] }
  }

  restore(state: OptimizerState): void {
    const { header, arrays } = state as MkorState
    if (header?.method !== 'mkor') {
      throw new ExtremaError('ERR_OPTION', `state: expected one of 'mkor', got ${describe(header?.method)}`)
    }
    const steps = whole('state.header.steps', header.steps, -1, 0, Number.MAX_SAFE_INTEGER)
    const badSteps = whole('state.header.badSteps', header.badSteps, -1, 0)
    const count = header.factors?.length
    if (count !== this.layers.length) {
      throw new ExtremaError('ERR_SHAPE', `state: expected factors of ${this.layers.length} layers, got ${count}`)
    }
    let at = 0
    const take = (n: number): FloatArray => {
      const array = arrays[at++]
      const isRight =
        this.settings.storage === 'float64' ? array instanceof Float64Array : array instanceof Float32Array
      if (isRight && array.length === n * n) return checkFinite('state.arrays', array)
      const came = ArrayBuffer.isView(array) ? `${array.length} of another storage` : describe(array)
      throw new ExtremaError('ERR_SHAPE', `state.arrays[${at - 1}]: expected ${n * n} numbers of a factor, got ${came}`)
    }
    const factors = header.factors.map((sizes, k) => {
      if (sizes === null) return null
      const layer = this.newFactors(sizes[0], sizes[1], this.layers[k])
      layer.left.restore(take(sizes[0]))
      layer.right.restore(take(sizes[1]))
      return layer
    })
    this.base.restore({ header: header.base, arrays: arrays.slice(at) })
    this.factors = factors
    this.taken = steps
    this.badSteps = badSteps
  }
}

function sizesOf({ inputs, outputs }: Means): [number, number] {
  return [outputs[0].length, inputs[0].length]
}

function checkLeaves({ weight, bias }: CheckedLayer, leaves: ReadonlyMap<string, LeafMemory>): void {
  for (const path of bias === null ? [weight] : [weight, bias]) {
    if (leaves.has(path)) continue
    const known = [...leaves.keys()].join(', ')
    throw new ExtremaError('ERR_SHAPE', `params: expected a leaf '${path}' for its layer, got ${known}`)
  }
}

type Flat = Record<string, Tensor>

/** Parameters and gradients by path, under their shapes: groups of the base optimizer still find them. */
function asLeaves(memory: readonly LeafMemory[], directions: ReadonlyMap<string, FloatArray>): [Flat, Flat] {
  const tree = (data: (leaf: LeafMemory) => FloatArray): Flat =>
    Object.fromEntries(
      memory.map((leaf) => {
        const shape = sizeOf(leaf.shape) === data(leaf).length ? leaf.shape : [data(leaf).length]
        return [leaf.path, new Tensor(data(leaf), shape, leaf.dtype)]
      }),
    )
  return [tree(({ data }) => data[0]), tree(({ path, data }) => directions.get(path) ?? data[1])]
}

function readFormula(options: MkorOptions): Omit<FactorSettings, 'backend' | 'threads'> {
  const { decay = 0.95, stabilizer = {} } = options
  if (typeof decay !== 'number' || !(decay > 0 && decay <= 1)) {
    throw new ExtremaError('ERR_OPTION', `decay: expected a number in (0, 1], got ${describe(decay)}`)
  }
  const update = oneOf('update', options.update, ['exact', 'printed', 'package'] as const, 'exact')
  const storage = oneOf('storage', options.storage, ['float64', 'float32', 'float16'] as const, 'float32')
  if (stabilizer === false) {
    if (update === 'printed') {
      throw new ExtremaError('ERR_OPTION', "update: expected a stabilizer for 'printed', got none; its factors explode")
    }
    return { decay, update, storage, stabilizer: null }
  }
  if (typeof stabilizer !== 'object' || stabilizer === null) {
    throw new ExtremaError(
      'ERR_OPTION',
      `stabilizer: expected false or { threshold, weight }, got ${describe(stabilizer)}`,
    )
  }
  checkNames('stabilizer', stabilizer, stabilizerNames)
  const threshold = positive('stabilizer.threshold', stabilizer.threshold, 2)
  const { weight = 0.9 } = stabilizer
  if (typeof weight !== 'number' || !(weight >= 0 && weight <= 1)) {
    throw new ExtremaError('ERR_OPTION', `stabilizer.weight: expected a number in [0, 1], got ${describe(weight)}`)
  }
  return { decay, update, storage, stabilizer: { threshold, weight } }
}
