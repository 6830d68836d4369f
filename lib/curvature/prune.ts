import { kernels } from '../backend/index.js'
import { checkRunOptions } from '../backend/options.js'
import type { Step } from '../backend/portable/linear/step.js'
import { checkFinite, type FloatArray, type MatrixLike, shapeText, toDenseMatrix, toVector } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, flag, positive, type SolverOptions, whole } from '../core/options.js'
import { directNames, factorReport } from '../linear/direct.js'
import { callKernel, drive, driveSync, type Run } from '../linear/drive.js'
import { FisherInverse } from './fisher.js'
import { type PageSource, resident } from './gradients.js'
import { smallest } from './select.js'

/** What is pruned. */
export interface PruneModel {
  /** d weights at a minimum of the loss, flat. Left as they are. */
  weights: Float64Array | Float32Array
  /**
   * m gradients of the loss at such weights, m × d, of a sample or the mean over a few of them each. `kept` is 1 for the weights that are
   * still there; the others are 0, and so may be their gradients: they are not looked at.
   */
  gradients(weights: FloatArray, kept: Uint8Array): MatrixLike | PromiseLike<MatrixLike>
  /** 1 for weights that are there from the start. Default: all. */
  kept?: ArrayLike<number>
}

export interface PruneOptions extends Pick<SolverOptions, 'threads' | 'signal' | 'backend' | 'onProgress'> {
  /** Share of the d weights that are 0 at the end, in [0, 1). */
  sparsity: number
  /** R: rounds, each with fresh gradients. Default 16. */
  recomputations?: number
  /** Coordinates of a block of the Fisher matrix, counted among the weights that are left; Infinity for all of it. Default 128. */
  blockSize?: number
  /** λ > 0. Default 1e-5. */
  damping?: number
  /** The exact correction for all weights that a round drops together, at most 2,000 of them. Default false. */
  joint?: boolean
}

export interface PruneRound {
  /** Weights that are left after the round. */
  kept: number
  dropped: number
  /** Sum of ρ_j = w_j² / (2 [F⁻¹]_jj) over the dropped weights. */
  saliency: number
}

export interface PruneSolution {
  /** The pruned weights, of the dtype of those given. */
  weights: FloatArray
  kept: Uint8Array
  /** Share of the weights that are 0 by the mask. */
  sparsity: number
  rounds: PruneRound[]
  elapsed: number
  backend: 'native' | 'portable'
}

const names: ReadonlySet<string> = new Set([
  ...directNames,
  'onProgress',
  'sparsity',
  'recomputations',
  'blockSize',
  'damping',
  'joint',
])
const modelNames: ReadonlySet<string> = new Set(['weights', 'gradients', 'kept'])
const mostJoint = 2000

/**
 * Prunes weights by the Optimal Brain Surgeon on M-FAC's inverse: the weights of the smallest ρ_j = w_j² / (2 [F⁻¹]_jj) go, and
 * the others make up for them: w ← w + F⁻¹t with t_j = -w_j / [F⁻¹]_jj at those, or, `joint`, w - F⁻¹E (EᵀF⁻¹E)⁻¹Eᵀw with their
 * unit vectors E. From a kept share κ₀ to κ_T in R rounds: κ₀ (κ_T / κ₀)^(j/R) after round j.
 *
 * @throws {ExtremaError} `ERR_OPTION` (also: nothing left to keep, more than 2,000 dropped jointly), `ERR_SHAPE`, `ERR_ORACLE`,
 * `ERR_NOT_FINITE`, `ERR_SINGULAR`, `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: Frantar, Kurtic, Alistarh, arXiv 2107.03356, section 4; Hassibi, Stork, Second order derivatives for network pruning,
 * 1992.
 */
export function prune(model: PruneModel, options: PruneOptions): Promise<PruneSolution> {
  return new Promise((resolve) => {
    const { steps, control } = prepare(model, options)
    resolve(drive(steps, control))
  })
}

/** {@link prune} on the calling thread, for gradients that come at once. */
export function pruneSync(model: PruneModel, options: PruneOptions): PruneSolution {
  const { steps, control } = prepare(model, options)
  return driveSync(steps, control)
}

function prepare(model: PruneModel, options: PruneOptions) {
  const start = performance.now()
  const run = checkRunOptions(options, names, '{ sparsity, … }')
  const pruner = new Pruner(model, options, run.backend, run.threads)
  return {
    control: run.control,
    *steps(driven: Run): Step<PruneSolution> {
      const pruned = yield* pruner.run(driven)
      return { ...pruned, elapsed: performance.now() - start, backend: kernels(run.backend).name }
    },
  }
}

class Pruner {
  private readonly model: PruneModel
  private readonly weights: FloatArray
  private readonly kept: Uint8Array
  private readonly target: number
  private readonly rounds: number
  private readonly blockSize: number
  private readonly damping: number
  private readonly joint: boolean

  constructor(
    model: PruneModel,
    options: PruneOptions,
    private readonly backend: 'native' | 'portable' | undefined,
    private readonly threads: number,
  ) {
    if (typeof model !== 'object' || model === null) {
      throw new ExtremaError('ERR_SHAPE', `model: expected { weights, gradients }, got ${describe(model)}`)
    }
    checkNames('model', model, modelNames)
    this.model = model
    if (!(model.weights instanceof Float64Array || model.weights instanceof Float32Array)) {
      const came = describe(model.weights)
      throw new ExtremaError('ERR_SHAPE', `weights: expected a Float64Array or a Float32Array, got ${came}`)
    }
    this.weights = checkFinite('weights', toVector('weights', model.weights)).slice()
    if (typeof model.gradients !== 'function') {
      throw new ExtremaError('ERR_ORACLE', `gradients: expected a function, got ${describe(model.gradients)}`)
    }
    const d = this.weights.length
    const { sparsity } = options
    if (typeof sparsity !== 'number' || !(sparsity >= 0 && sparsity < 1)) {
      throw new ExtremaError('ERR_OPTION', `sparsity: expected a number in [0, 1), got ${describe(sparsity)}`)
    }
    this.kept = readMask(model.kept, d)
    this.target = Math.round((1 - sparsity) * d)
    const left = this.count()
    if (this.target < 1 || left < 1) {
      throw new ExtremaError('ERR_OPTION', `sparsity: expected one that keeps some of ${d} weights, got ${sparsity}`)
    }
    if (this.target > left) {
      const share = 1 - left / d
      throw new ExtremaError('ERR_OPTION', `sparsity: expected at least the ${share} of the mask, got ${sparsity}`)
    }
    this.rounds = whole('recomputations', options.recomputations, 16, 1)
    this.blockSize = options.blockSize === Number.POSITIVE_INFINITY ? d : whole('blockSize', options.blockSize, 128, 1)
    this.damping = positive('damping', options.damping, 1e-5)
    this.joint = flag('joint', options.joint, false)
    for (let j = 0; j < d; j++) if (this.kept[j] === 0) this.weights[j] = 0
  }

  private count(): number {
    let kept = 0
    for (const flag of this.kept) kept += flag
    return kept
  }

  *run(run: Run): Step<Pick<PruneSolution, 'weights' | 'kept' | 'sparsity' | 'rounds'>> {
    const { weights, kept, rounds, target } = this
    const d = weights.length
    const first = this.count()
    const history: PruneRound[] = []
    let left = first
    for (let j = 1; j <= rounds; j++) {
      const next = j === rounds ? target : Math.max(target, Math.round(first * (target / first) ** (j / rounds)))
      const drop = left - next
      if (drop > 0) history.push({ kept: next, dropped: drop, saliency: yield* this.round(left, drop, run) })
      left = next
      run.monitor.progress(j, left / d)
    }
    return { weights, kept, sparsity: 1 - left / d, rounds: history }
  }

  private *round(left: number, drop: number, run: Run): Step<number> {
    if (this.joint && drop > mostJoint) {
      const advice = 'more recomputations drop fewer at once'
      throw new ExtremaError(
        'ERR_OPTION',
        `joint: expected at most ${mostJoint} weights at once, got ${drop}; ${advice}`,
      )
    }
    const { weights, kept, damping, backend, threads } = this
    const places = new Int32Array(left)
    for (let j = 0, k = 0; j < kept.length; j++) if (kept[j] === 1) places[k++] = j
    const source = yield* this.gradients(places, run)
    const block = Math.min(left, this.blockSize)
    const inverse = new FisherInverse(source, { damping, block, backend, threads })
    yield* inverse.build(run)
    const diagonal = yield* inverse.diagonal(run)
    const w = Float64Array.from(places, (j) => weights[j])
    const saliency = w.map((value, k) => (value * value) / (2 * diagonal[k]))
    const dropped = yield* smallest(saliency, drop, run.monitor)
    const t = new Float64Array(left)
    if (this.joint) yield* this.jointCorrection(inverse, dropped, w, t, run)
    else for (const k of dropped) t[k] = -w[k] / diagonal[k]
    const change = yield* inverse.product(t, run)
    places.forEach((j, k) => {
      weights[j] = w[k] + change[k]
    })
    let sum = 0
    for (const k of dropped) {
      weights[places[k]] = 0
      kept[places[k]] = 0
      sum += saliency[k]
    }
    checkFinite('weights', weights)
    return sum
  }

  /** t = -E (EᵀF⁻¹E)⁻¹ Eᵀ w. */
  private *jointCorrection(
    inverse: FisherInverse,
    dropped: Int32Array,
    w: Float64Array,
    t: Float64Array,
    run: Run,
  ): Step<void> {
    const n = dropped.length
    const { cholesky, triangularSolve } = kernels(this.backend).linear
    const { threads } = this
    const a = yield* inverse.entries(dropped, run)
    const factor = new Float64Array(n * n)
    yield* callKernel(cholesky, { n, a, threads, factor, report: factorReport() }, run, false)
    const b = Float64Array.from(dropped, (k) => -w[k])
    const triangle = { n, pitch: n, a: factor, lower: true, unit: false, columns: 1, b, threads }
    yield* callKernel(triangularSolve, { ...triangle, transpose: false }, run, false)
    yield* callKernel(triangularSolve, { ...triangle, transpose: true }, run, false)
    dropped.forEach((k, at) => {
      t[k] = b[at]
    })
  }

  /** The gradients at the weights, on the coordinates that are left. */
  private *gradients(places: Int32Array, run: Run): Step<PageSource> {
    const { weights, kept } = this
    let answer: unknown = this.model.gradients(weights.slice(), kept.slice())
    if (typeof (answer as PromiseLike<unknown> | null)?.then === 'function')
      answer = yield answer as PromiseLike<unknown>
    const { data, rows: m, columns } = toDenseMatrix('gradients', answer as MatrixLike)
    const d = weights.length
    if (columns !== d || m === 0) {
      const came = shapeText(m, columns)
      throw new ExtremaError('ERR_ORACLE', `gradients: expected rows of ${d} numbers, got ${came}`)
    }
    const n = places.length
    const chosen = data instanceof Float32Array ? new Float32Array(m * n) : new Float64Array(m * n)
    for (let i = 0; i < m; i++) {
      for (let k = 0; k < n; k++) chosen[i * n + k] = data[i * d + places[k]]
      if (run.monitor.due()) yield
    }
    return resident(chosen, m, n)
  }
}

function readMask(given: ArrayLike<number> | undefined, d: number): Uint8Array {
  if (given === undefined) return new Uint8Array(d).fill(1)
  if (typeof given !== 'object' || given === null || given.length !== d) {
    const came = typeof given === 'object' && given !== null ? `${given.length} numbers` : describe(given)
    throw new ExtremaError('ERR_SHAPE', `kept: expected ${d} numbers, one for each weight, got ${came}`)
  }
  return Uint8Array.from(given, (value, j) => {
    if (value === 0 || value === 1) return value
    throw new ExtremaError('ERR_OPTION', `kept[${j}]: expected 0 or 1, got ${describe(value)}`)
  })
}
