import { kernels } from '../backend/index.js'
import { runNames } from '../backend/options.js'
import { signOf } from '../backend/portable/linear/matrix.js'
import type { Step } from '../backend/portable/linear/step.js'
import type { NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, oneOf, type SolverOptions, whole } from '../core/options.js'
import type { Solution, Status } from '../core/solution.js'
import { generator } from '../random/index.js'
import { type Block, BlockSteps, leading } from './block-steps.js'
import { startRun } from './direct.js'
import { drive, driveSync, type Run } from './drive.js'
import { checkOperator, type OperatorLike } from './operator.js'

export interface RandomizedSvdOptions extends SolverOptions {
  /** Singular triples wanted. */
  rank: number
  /** Vectors iterated on beyond `rank`. Default 10. */
  oversampling?: number
  /**
   * `'krylov'` (default) keeps every block of vectors and converges in the square root of the iterations; `'subspace'` keeps
   * the last one only.
   */
  method?: 'krylov' | 'subspace'
  /** Of `residual`. Default 1e-8. */
  tolerance?: number
  /** Blocks, each of which costs a product with Aᵀ and one with A. Default 20. */
  maxIterations?: number
  /** Of the random start. Default 0. */
  seed?: number | bigint
}

export interface RandomizedSvdSolution extends Solution {
  /** The largest singular values, descending. As many as `rank`, or as A has. */
  s: Float64Array
  /** rows × rank with orthonormal columns; the first largest entry (to 1e-6) of each is positive. */
  u: NdArray
  /** rank × columns with orthonormal rows. */
  vt: NdArray
  /** |A v - s u| of each triple (Aᵀ u = s v holds to rounding): each s is that near to a singular value of A. */
  errors: Float64Array
}

const names: ReadonlySet<string> = new Set([
  ...['rank', 'oversampling', 'method', 'tolerance', 'maxIterations', 'seed'],
  ...runNames,
])

/**
 * The leading singular triples of a large matrix or operator, by a random block Krylov iteration (a block bidiagonalization
 * with full reorthogonalization). Each iteration reads A twice, for `rank + oversampling` vectors at a time.
 *
 * `residual` is the largest of `errors` over the largest singular value. A flat spectrum converges slowly; the values are
 * then lower bounds that are already close. The same seed gives the same result on both backends.
 *
 * @param matrix dense, sparse, any operator that is data, or functions `matvec` and `rmatvec`
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_ORACLE`, `ERR_BUFFER`; the reason of `signal`
 * when aborted.
 *
 * Sources: Halko, Martinsson, Tropp, SIAM Review 53 (2011), 217-288; Musco, Musco 2015, arXiv 1504.05477.
 */
export async function randomizedSvd(
  matrix: OperatorLike,
  options: RandomizedSvdOptions,
): Promise<RandomizedSvdSolution> {
  const { control, steps } = prepare(matrix, options)
  return drive(steps, control)
}

/** {@link randomizedSvd} on the calling thread. */
export function randomizedSvdSync(matrix: OperatorLike, options: RandomizedSvdOptions): RandomizedSvdSolution {
  const { control, steps } = prepare(matrix, options)
  return driveSync(steps, control)
}

interface Triples {
  s: Float64Array
  /** In the bases: left × count and count × right. */
  inner: Float64Array
  outer: Float64Array
  count: number
}

function prepare(matrix: OperatorLike, options: RandomizedSvdOptions) {
  const { start, control, backend, threads } = startRun(options, names)
  const a = checkOperator('matrix', matrix)
  const { rows: m, columns: n } = a
  if (options.rank === undefined) {
    throw new ExtremaError('ERR_OPTION', `rank: expected how many triples, got ${describe(options.rank)}`)
  }
  const rank = whole('rank', options.rank, 1, 1, Math.min(m, n))
  const width = Math.min(rank + whole('oversampling', options.oversampling, 10, 0, 10_000), m, n)
  const krylov = oneOf('method', options.method, ['krylov', 'subspace'], 'krylov') === 'krylov'
  const tolerance = nonNegative('tolerance', options.tolerance, 1e-8)
  const maxIterations = whole('maxIterations', options.maxIterations, 20, 1, 100_000)
  const random = generator(options.seed ?? 0)
  const chosen = kernels(backend)

  function* steps(run: Run): Step<RandomizedSvdSolution> {
    const block = new BlockSteps(chosen, threads, run)
    const image = yield* block.apply(a, random.normal(n * width), width)
    let left: Block[] = [yield* block.orthonormal(image, width, [], 0)]
    let right: Block[] = []
    let images: Block[] = []
    let triples: Triples = { s: new Float64Array(0), inner: left[0].data, outer: left[0].data, count: 0 }
    let errors = new Float64Array(0)
    let status: Status = 'converged'
    let residual = 0
    let iterations = 0
    while (left[left.length - 1].width > 0) {
      iterations++
      const scale = triples.s[0] ?? 0
      const last = left[left.length - 1]
      const back = yield* block.apply(a, last.data, last.width, true)
      const fresh = yield* block.orthonormal(back, last.width, right, scale)
      if (fresh.width > 0) {
        right.push(fresh)
        images.push({ data: yield* block.apply(a, fresh.data, fresh.width), width: fresh.width })
      }
      if (right.length === 0) break
      triples = yield* project(block, left, images)
      errors = yield* errorsOf(block, left, images, triples, rank)
      residual = triples.s[0] > 0 ? Math.max(...errors) / triples.s[0] : 0
      run.monitor.progress(iterations, residual)
      if (residual <= tolerance) break
      status = run.monitor.expired() ? 'time-limit' : 'iteration-limit'
      if (status === 'time-limit' || iterations === maxIterations || fresh.width === 0) break
      const { data, width: count } = images[images.length - 1]
      if (krylov) {
        left.push(yield* block.orthonormal(data.slice(), count, left, triples.s[0]))
      } else {
        left = [yield* block.orthonormal(data, count, [], triples.s[0])]
        right = []
        images = []
      }
    }
    if (residual <= tolerance) status = 'converged'
    const known = Math.min(rank, triples.count)
    const u = new Float64Array(m * known)
    const vt = new Float64Array(known * n)
    if (known > 0) {
      yield* combine(block, left, leading(triples.inner, triples.count, known), known, u)
      const v = new Float64Array(n * known)
      yield* combine(block, right, columnsOf(triples.outer, triples.count, known), known, v)
      for (let k = 0; k < known; k++) {
        const sign = signOf(u, k, m, known)
        for (let i = 0; i < m; i++) u[i * known + k] *= sign
        for (let j = 0; j < n; j++) vt[k * n + j] = sign * v[j * known + k]
      }
    }
    return {
      status,
      iterations,
      residual,
      elapsed: performance.now() - start,
      backend: chosen.name,
      s: triples.s.slice(0, known),
      u: { data: u, shape: [m, known] },
      vt: { data: vt, shape: [known, n] },
      errors: errors.slice(0, known),
    }
  }
  return { control, steps }
}

const widthOf = (blocks: readonly Block[]) => blocks.reduce((sum, { width }) => sum + width, 0)

/** The SVD of Qᵀ A P. */
function* project(block: BlockSteps, left: readonly Block[], images: readonly Block[]): Step<Triples> {
  const [rows, columns] = [widthOf(left), widthOf(images)]
  const core = new Float64Array(rows * columns)
  let top = 0
  for (const q of left) {
    let from = 0
    for (const w of images) {
      const part = q.width > 0 ? yield* block.product(q.data, q.width, w.data, w.width, true) : new Float64Array(0)
      for (let i = 0; i < q.width; i++) {
        core.set(part.subarray(i * w.width, (i + 1) * w.width), (top + i) * columns + from)
      }
      from += w.width
    }
    top += q.width
  }
  const { s, u, vt } = yield* block.svd(core, rows, columns)
  return { s, inner: u, outer: vt, count: s.length }
}

/** |A v - s u| of the leading triples. */
function* errorsOf(
  block: BlockSteps,
  left: readonly Block[],
  images: readonly Block[],
  { s, inner, outer, count }: Triples,
  rank: number,
): Step<Float64Array<ArrayBuffer>> {
  const known = Math.min(rank, count)
  const m = left[0].data.length / left[0].width
  const difference = new Float64Array(m * known)
  const scaled = leading(inner, count, known)
  for (let i = 0; i < scaled.length; i++) scaled[i] *= -s[i % known]
  yield* combine(block, left, scaled, known, difference)
  yield* combine(block, images, columnsOf(outer, count, known), known, difference)
  const errors = new Float64Array(known)
  for (let i = 0; i < difference.length; i++) errors[i % known] += difference[i] * difference[i]
  return errors.map(Math.sqrt)
}

/** The first rows of x (rows × columns), as columns. */
function columnsOf(x: Float64Array, rows: number, count: number): Float64Array {
  const columns = x.length / rows
  const out = new Float64Array(columns * count)
  for (let k = 0; k < count; k++) for (let j = 0; j < columns; j++) out[j * count + k] = x[k * columns + j]
  return out
}

/** out += the blocks, side by side, times the coefficients (width × count). */
function* combine(
  block: BlockSteps,
  blocks: readonly Block[],
  coefficients: Float64Array,
  count: number,
  out: Float64Array,
): Step<void> {
  let from = 0
  for (const { data, width } of blocks) {
    if (width === 0) continue
    const part = yield* block.product(data, width, coefficients.subarray(from * count, (from + width) * count), count)
    for (let i = 0; i < out.length; i++) out[i] += part[i]
    from += width
  }
}
