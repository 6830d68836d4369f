import { type BackendName, kernels } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Step } from '../backend/portable/linear/step.js'
import type { FloatArray, MatrixLike, NdArray, VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, positive, type SolverOptions, whole } from '../core/options.js'
import { directNames, noControl } from '../linear/direct.js'
import { drive, driveSync, type Run } from '../linear/drive.js'
import { FisherInverse } from './fisher.js'
import { type GradientPages, type PageSource, readGradients } from './gradients.js'
import type { Product } from './product.js'

export interface MfacProblem {
  /** m × d, a gradient in each row; float32 stays so. Or pages of rows, for more than fits into memory. */
  gradients: MatrixLike | GradientPages
}

export interface MfacOptions extends Pick<SolverOptions, 'threads' | 'signal' | 'backend'> {
  /** λ > 0. Default 1e-5, as in the authors' code. */
  damping?: number
  /** Coordinates of a block: F becomes its block diagonal, the last block may be shorter. Default: d, all of F. */
  blockSize?: number
  /** Rows of a page, of gradients that come in pages. Default: as many as fit into 64 MiB. */
  pageSize?: number
}

type CallOptions = Pick<SolverOptions, 'signal'>

/** The inverse of a damped empirical Fisher matrix, as a function. */
export interface Mfac {
  /** [m, d] */
  readonly shape: readonly [number, number]
  readonly damping: number
  readonly blockSize: number
  readonly backend: BackendName
  /** What is held: factors, and gradients in memory that are still read. */
  readonly memoryBytes: number
  /** Milliseconds of the set-up. */
  readonly elapsed: number
  /** F⁻¹ x for d numbers, in the dtype of x: two passes over the gradients, O(dm + m²). */
  ihvp<T extends VectorLike>(x: T, options?: CallOptions): Promise<Product<T>>
  ihvpSync<T extends VectorLike>(x: T): Product<T>
  /** [F⁻¹]_ij, O(m²). */
  entry(i: number, j: number, options?: CallOptions): Promise<number>
  entrySync(i: number, j: number): number
  /** The k × k entries of F⁻¹ at k coordinates, O(m² k + m k²). */
  entries(coordinates: ArrayLike<number>, options?: CallOptions): Promise<NdArray>
  entriesSync(coordinates: ArrayLike<number>): NdArray
  /** All [F⁻¹]_jj, each in (0, 1/λ], O(dm²); what rounding would take below ε/λ counts as that. */
  diagonal(options?: CallOptions): Promise<Float64Array>
  diagonalSync(): Float64Array
}

const names: ReadonlySet<string> = new Set([...directNames, 'damping', 'blockSize', 'pageSize'])
const problemNames: ReadonlySet<string> = new Set(['gradients'])
const callNames: ReadonlySet<string> = new Set(['signal'])

/**
 * Products with the inverse of the damped empirical Fisher matrix F = λI + (1/m) Σ g_i g_iᵀ of m gradients, without a
 * d × d matrix: memory O(dm), set-up O(dm²), a product O(dm).
 *
 * Computed as F⁻¹x = (x - Gᵀ K⁻¹ G x / m) / λ with K = λI + GGᵀ / m, whose Cholesky factor takes the place of the
 * vectors v_i and numbers q_i of the paper's recursion (v_i / √q_i is row i of L⁻¹G / √(mλ)). That m × m algebra and all
 * sums are in double, so that gradients in float32 give the inverse of just those gradients. Blocks of at most m
 * coordinates factor their part of F itself instead, and need the gradients no more.
 *
 * Large gradients in memory are borrowed, not copied: leave them as they are while the result is in use.
 *
 * @throws {ExtremaError} `ERR_SHAPE` (no rows, rows of different lengths), `ERR_NOT_FINITE` (naming the entry; or squared
 * norms beyond 1e300 times the damping), `ERR_NOT_POSITIVE` (damping), `ERR_SINGULAR` (damping below rounding),
 * `ERR_ORACLE` and `ERR_DTYPE` (pages), `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: Frantar, Kurtic, Alistarh, M-FAC: Efficient Matrix-Free Approximations of Second-Order Information,
 * arXiv 2107.03356, section 3.
 */
export async function mfac(problem: MfacProblem, options: MfacOptions = {}): Promise<Mfac> {
  const { control, source, inverse, start } = prepare(problem, options)
  await drive((run) => inverse.build(run), control)
  return new Handle(source, inverse, start)
}

/** {@link mfac} on the calling thread. */
export function mfacSync(problem: MfacProblem, options: MfacOptions = {}): Mfac {
  const { control, source, inverse, start } = prepare(problem, options)
  driveSync((run) => inverse.build(run), control)
  return new Handle(source, inverse, start)
}

interface Prepared {
  control: Control
  source: PageSource
  inverse: FisherInverse
  start: number
}

function prepare(problem: MfacProblem, options: MfacOptions): Prepared {
  const start = performance.now()
  const { control, backend, threads } = checkRunOptions(options, names)
  control.signal?.throwIfAborted()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { gradients }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, problemNames)
  const damping = positive('damping', options.damping, 1e-5)
  const source = readGradients(problem.gradients, options.pageSize)
  const block = Math.min(source.d, whole('blockSize', options.blockSize, source.d, 1))
  return { control, source, inverse: new FisherInverse(source, { damping, block, backend, threads }), start }
}

class Handle implements Mfac {
  readonly shape: readonly [number, number]
  readonly damping: number
  readonly blockSize: number
  readonly backend: BackendName
  readonly memoryBytes: number
  readonly elapsed: number
  private readonly inverse: FisherInverse

  constructor(source: PageSource, inverse: FisherInverse, start: number) {
    const { damping, block, backend } = inverse.settings
    this.inverse = inverse
    this.shape = [source.m, source.d]
    this.damping = damping
    this.blockSize = block
    this.backend = kernels(backend).name
    this.memoryBytes = inverse.memoryBytes
    this.elapsed = performance.now() - start
  }

  async ihvp<T extends VectorLike>(x: T, options: CallOptions = {}): Promise<Product<T>> {
    const vector = this.inverse.checked(x)
    return (await this.call((run) => this.inverse.product(vector, run), options)) as Product<T>
  }

  ihvpSync<T extends VectorLike>(x: T): Product<T> {
    const vector = this.inverse.checked(x)
    return driveSync((run) => this.inverse.product(vector, run), noControl) as FloatArray as Product<T>
  }

  async entry(i: number, j: number, options: CallOptions = {}): Promise<number> {
    const pair = this.coordinates([i, j])
    return (await this.call((run) => this.inverse.entries(pair, run), options))[1]
  }

  entrySync(i: number, j: number): number {
    const pair = this.coordinates([i, j])
    return driveSync((run) => this.inverse.entries(pair, run), noControl)[1]
  }

  async entries(coordinates: ArrayLike<number>, options: CallOptions = {}): Promise<NdArray> {
    const chosen = this.coordinates(coordinates)
    const data = await this.call((run) => this.inverse.entries(chosen, run), options)
    return { data, shape: [chosen.length, chosen.length] }
  }

  entriesSync(coordinates: ArrayLike<number>): NdArray {
    const chosen = this.coordinates(coordinates)
    const data = driveSync((run) => this.inverse.entries(chosen, run), noControl)
    return { data, shape: [chosen.length, chosen.length] }
  }

  diagonal(options: CallOptions = {}): Promise<Float64Array> {
    return this.call((run) => this.inverse.diagonal(run), options)
  }

  diagonalSync(): Float64Array {
    return driveSync((run) => this.inverse.diagonal(run), noControl)
  }

  private async call<T>(steps: (run: Run) => Step<T>, options: CallOptions): Promise<T> {
    const { control } = checkRunOptions(options, callNames, '{ signal }')
    return drive(steps, control)
  }

  private coordinates(given: ArrayLike<number>): Int32Array {
    const [, d] = this.shape
    if (typeof given !== 'object' || given === null || !Number.isSafeInteger(given.length) || given.length === 0) {
      throw new ExtremaError('ERR_SHAPE', `coordinates: expected at least one whole number, got ${describe(given)}`)
    }
    return Int32Array.from(given, (coordinate) => {
      if (Number.isInteger(coordinate) && coordinate >= 0 && coordinate < d) return coordinate
      throw new ExtremaError(
        'ERR_SHAPE',
        `coordinates: expected whole numbers from 0 to ${d - 1}, got ${describe(coordinate)}`,
      )
    })
  }
}
