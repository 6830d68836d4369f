import { type BackendName, kernels } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Step } from '../backend/portable/linear/step.js'
import { checkBuffer, checkFinite, copyIfSmall, type FloatArray, toVector, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import { allocate, noControl } from '../linear/direct.js'
import { callKernel, drive, driveSync, type Run } from '../linear/drive.js'
import { gradientRows } from './gradients.js'
import { checkProduct, type Product, room } from './product.js'

export interface MfacWindowOptions extends Pick<SolverOptions, 'threads' | 'backend'> {
  /** m: gradients that are kept, and the divisor of F also while there are fewer. */
  capacity: number
  /** d: numbers of a gradient. */
  dimension: number
  /** λ > 0. Default 1e-5. */
  damping?: number
  /** What gradients are kept in. Default `'float32'`. */
  precision?: 'float32' | 'float64'
}

/** Everything that a window depends on, copied: plain data. */
export interface MfacWindowState {
  capacity: number
  dimension: number
  damping: number
  precision: 'float32' | 'float64'
  /** Gradients pushed so far. */
  pushes: number
  /** capacity × dimension; the next gradient goes to row `pushes % capacity`. */
  gradients: FloatArray
  /** Their inner products, capacity × capacity, lower triangle. */
  gram: Float64Array
}

type CallOptions = Pick<SolverOptions, 'signal'>

/** A sliding window of gradients and products with the inverse of F = λI + Σ g gᵀ / m over it. */
export interface MfacWindow {
  readonly capacity: number
  readonly dimension: number
  readonly damping: number
  readonly precision: 'float32' | 'float64'
  readonly backend: BackendName
  /** Gradients pushed so far. */
  readonly pushes: number
  /** Of gradients, inner products and their factor. */
  readonly memoryBytes: number
  /** Takes a gradient in for the oldest one: one pass over the gradients, O(dm). The vector is copied at once. */
  push(gradient: VectorLike, options?: CallOptions): Promise<void>
  pushSync(gradient: VectorLike): void
  /** F⁻¹ x, in the dtype of x: two passes, O(dm + m²), and O(m³) once after a push. */
  ihvp<T extends VectorLike>(x: T, options?: CallOptions): Promise<Product<T>>
  ihvpSync<T extends VectorLike>(x: T): Product<T>
  /** F⁻¹ g of the gradient pushed last, by one pass. */
  ihvpOfLast(options?: CallOptions): Promise<Float64Array>
  ihvpOfLastSync(): Float64Array
  save(): MfacWindowState
  /** Goes on from a state of the same capacity, dimension and precision; the damping comes with it. */
  restore(state: MfacWindowState): void
}

const names: ReadonlySet<string> = new Set(['capacity', 'dimension', 'damping', 'precision', 'threads', 'backend'])
const callNames: ReadonlySet<string> = new Set(['signal'])
/** K has as many rows. */
export const mostGradients = 65_536

const precisions = ['float32', 'float64'] as const

/**
 * A ring of the last m gradients, and products with the inverse of the damped empirical Fisher matrix over it (the dynamic
 * algorithm): memory dm + O(m²).
 *
 * F⁻¹x = (x - Gᵀ K⁻¹ G x / m) / λ, and for the gradient of a row of the window F⁻¹g_j = Gᵀ K⁻¹ e_j, which subtracts
 * nothing, with K = λI + GGᵀ / m in double. Rows that were not filled yet are zeros.
 *
 * Asynchronous calls are carried out in their order; synchronous ones are refused while some are under way.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`, `ERR_MEMORY`; pushes and products `ERR_SHAPE`, `ERR_NOT_FINITE` (also of
 * |g|² beyond 1e300 λ, and of numbers beyond float32), `ERR_SINGULAR` (damping below rounding), `ERR_BUFFER`. A push that throws or is aborted
 * changes nothing.
 *
 * Source: Frantar, Kurtic, Alistarh, arXiv 2107.03356, section 3.2; evaluated in the form of Woodbury.
 */
export function mfacWindow(options: MfacWindowOptions): MfacWindow {
  return new GradientWindow(options)
}

export class GradientWindow implements MfacWindow {
  readonly capacity: number
  readonly dimension: number
  readonly precision: 'float32' | 'float64'
  readonly backend: BackendName
  private readonly threads: number
  private lambda: number
  private taken = 0
  private gradients: FloatArray
  private gram: Float64Array
  private readonly factors: Float64Array
  private isFactored = false
  private tail: Promise<unknown> = Promise.resolve()
  private underWay = 0

  constructor(options: MfacWindowOptions) {
    const { backend, threads } = checkRunOptions(options, names, '{ capacity, dimension, … }')
    this.capacity = whole('capacity', options.capacity ?? Number.NaN, 1, 1, mostGradients)
    this.dimension = whole('dimension', options.dimension ?? Number.NaN, 1, 1)
    this.lambda = positive('damping', options.damping, 1e-5)
    this.precision = oneOf('precision', options.precision, precisions, 'float32')
    this.backend = kernels(backend).name
    this.threads = threads
    this.gradients = room(this.precision, this.capacity * this.dimension)
    this.gram = allocate(this.capacity ** 2)
    this.factors = allocate(this.capacity ** 2)
  }

  get damping(): number {
    return this.lambda
  }

  get pushes(): number {
    return this.taken
  }

  get memoryBytes(): number {
    return this.gradients.byteLength + this.gram.byteLength + this.factors.byteLength
  }

  push(gradient: VectorLike, options: CallOptions = {}): Promise<void> {
    return this.inTurn(() => {
      const row = this.row(gradient)
      return (run) => this.replace(row, run)
    }, options)
  }

  pushSync(gradient: VectorLike): void {
    this.now((run) => this.replace(this.row(gradient), run))
  }

  ihvp<T extends VectorLike>(x: T, options: CallOptions = {}): Promise<Product<T>> {
    return this.inTurn(() => {
      const vector = copyIfSmall(this.vector('x', x))
      return (run) => this.product(vector, run)
    }, options) as Promise<Product<T>>
  }

  ihvpSync<T extends VectorLike>(x: T): Product<T> {
    return this.now((run) => this.product(this.vector('x', x), run)) as Product<T>
  }

  ihvpOfLast(options: CallOptions = {}): Promise<Float64Array> {
    return this.inTurn(() => (run) => this.last(run), options)
  }

  ihvpOfLastSync(): Float64Array {
    return this.now((run) => this.last(run))
  }

  /**
   * F⁻¹ of a gradient that is pushed; nothing is changed where that fails.
   * @internal
   */
  advanceSync(gradient: FloatArray): Float64Array {
    const slot = this.taken % this.capacity
    const { dimension: d, capacity: m } = this
    const before = this.gradients.slice(slot * d, (slot + 1) * d)
    const products = this.gram.slice()
    this.pushSync(gradient)
    try {
      return this.ihvpOfLastSync()
    } catch (error) {
      this.gradients.set(before, slot * d)
      this.gram.set(products.subarray(0, m * m))
      this.taken--
      this.isFactored = false
      throw error
    }
  }

  save(): MfacWindowState {
    this.refuseWhileBusy()
    const { capacity, dimension, damping, precision, taken: pushes, gradients, gram } = this
    return { capacity, dimension, damping, precision, pushes, gradients: gradients.slice(), gram: gram.slice() }
  }

  restore(state: MfacWindowState): void {
    this.refuseWhileBusy()
    const { capacity, dimension, precision } = this
    for (const [name, expected] of Object.entries({ capacity, dimension, precision })) {
      const came = (state as unknown as Record<string, unknown> | null)?.[name]
      if (came === expected) continue
      throw new ExtremaError('ERR_OPTION', `state.${name}: expected ${expected}, got ${describe(came)}`)
    }
    const damping = positive('state.damping', state.damping)
    const pushes = whole('state.pushes', state.pushes ?? Number.NaN, 0, 0, Number.MAX_SAFE_INTEGER)
    const gradients = checkArray('state.gradients', state.gradients, this.gradients)
    const gram = checkArray('state.gram', state.gram, this.gram)
    this.gradients.set(gradients)
    this.gram.set(gram)
    this.lambda = damping
    this.taken = pushes
    this.isFactored = false
  }

  private inTurn<T>(prepare: () => (run: Run) => Step<T>, options: CallOptions): Promise<T> {
    let control: Control
    let steps: (run: Run) => Step<T>
    try {
      control = checkRunOptions(options, callNames, '{ signal }').control
      control.signal?.throwIfAborted()
      steps = prepare()
    } catch (error) {
      return Promise.reject(error)
    }
    this.underWay++
    const result = this.tail.then(() => drive(steps, control))
    this.tail = result
      .catch(() => {})
      .then(() => {
        this.underWay--
      })
    return result
  }

  private now<T>(steps: (run: Run) => Step<T>): T {
    this.refuseWhileBusy()
    return driveSync(steps, noControl)
  }

  private refuseWhileBusy(): void {
    if (this.underWay === 0) return
    throw new ExtremaError('ERR_OPTION', `window: expected no call under way, got ${this.underWay}; await them first`)
  }

  private vector(name: string, given: VectorLike): FloatArray {
    const vector = toVector(name, given)
    if (vector.length !== this.dimension) {
      throw new ExtremaError('ERR_SHAPE', `${name}: expected ${this.dimension} numbers, got ${vector.length}`)
    }
    return checkFinite(name, vector)
  }

  /** A gradient as it is kept, copied. */
  private row(given: VectorLike): FloatArray {
    const vector = this.vector('gradient', given)
    if (this.precision === 'float64') return Float64Array.from(vector)
    return checkFinite('gradient', Float32Array.from(vector), { what: 'number in float32' })
  }

  private get kernels() {
    return kernels(this.backend).curvature
  }

  private *replace(row: FloatArray, run: Run): Step<void> {
    const { capacity: m, dimension: d, gradients, threads } = this
    const products = new Float64Array(m)
    const square = new Float64Array(1)
    const own = { rows: gradientRows(row, 1, d, d), x: row, p: square, threads }
    yield* callKernel(this.kernels.project, own, run, false)
    const ratio = square[0] / this.lambda
    if (!(ratio <= 1e300)) {
      throw new ExtremaError(
        'ERR_NOT_FINITE',
        `gradient: expected a squared norm of at most 1e300 times the damping, got ${ratio.toExponential(2)} times; raise the damping or rescale the gradients`,
      )
    }
    const all = { rows: gradientRows(gradients, m, d, d), x: row, p: products, threads }
    yield* callKernel(this.kernels.project, all, run, false)
    // From here on nothing can fail.
    const slot = this.taken % m
    gradients.set(row, slot * d)
    products[slot] = square[0]
    for (let i = 0; i < m; i++) this.gram[Math.max(i, slot) * m + Math.min(i, slot)] = products[i]
    this.taken++
    this.isFactored = false
  }

  private *factor(run: Run): Step<void> {
    if (this.isFactored) return
    const { capacity: m, gram, factors, threads } = this
    const job = { count: 1, order: m, last: m, gram, damping: this.lambda, divisor: m, out: factors, threads }
    yield* callKernel(this.kernels.factor, job, run, false)
    this.isFactored = true
  }

  private *product(x: FloatArray, run: Run): Step<FloatArray> {
    yield* this.factor(run)
    const { capacity: m, dimension: d, gradients, factors, threads } = this
    const out = room(x instanceof Float32Array ? 'float32' : 'float64', d)
    const rows = gradientRows(gradients, m, d, d)
    const job = { rows, form: 'rows' as const, factors, damping: this.lambda, x, out, threads }
    yield* callKernel(this.kernels.inverseProduct, job, run, false)
    return checkProduct(out)
  }

  private *last(run: Run): Step<Float64Array> {
    if (this.taken === 0)
      throw new ExtremaError('ERR_OPTION', 'window: expected a gradient in it, got none; push one first')
    yield* this.factor(run)
    const { capacity: m, dimension: d, gradients, factors, threads } = this
    const w = new Float64Array(m)
    w[(this.taken - 1) % m] = 1
    yield* callKernel(this.kernels.solve, { count: 1, order: m, last: m, factors, p: w, threads }, run, false)
    const sum = allocate(d)
    yield* callKernel(this.kernels.gather, { rows: gradientRows(gradients, m, d, d), w, sum, threads }, run, false)
    return checkProduct(sum)
  }
}

function checkArray<T extends FloatArray>(name: string, given: unknown, like: T): T {
  if (Object.prototype.toString.call(given) !== Object.prototype.toString.call(like)) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a ${like.constructor.name}, got ${describe(given)}`)
  }
  const array = given as T
  checkBuffer(name, array)
  if (array.length !== like.length) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${like.length} numbers, got ${array.length}`)
  }
  return checkFinite(name, array)
}
