import { kernels } from '../backend/index.js'
import { runNames } from '../backend/options.js'
import { dot, normOf, signOf } from '../backend/portable/linear/matrix.js'
import type { Step } from '../backend/portable/linear/step.js'
import { checkFinite, type NdArray, shapeText, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, oneOf, type SolverOptions, whole } from '../core/options.js'
import type { Solution, Status } from '../core/solution.js'
import { generator } from '../random/index.js'
import { BlockSteps } from './block-steps.js'
import { startRun } from './direct.js'
import { drive, driveSync, type Run } from './drive.js'
import { checkOperator, type OperatorLike } from './operator.js'

export interface LanczosOptions extends SolverOptions {
  /** Eigenpairs wanted. Default 6, or n if that is less. */
  count?: number
  /** Which: the `'largest'` (default) or `'smallest'` ones, those of largest `'magnitude'`, or half of each end (`'both'`). */
  which?: 'largest' | 'smallest' | 'magnitude' | 'both'
  /** Of `residual`. Default 1e-10. */
  tolerance?: number
  /** Products with A. Default max(1000, 10 n). */
  maxIterations?: number
  /** Vectors kept between restarts. Default max(2 count + 10, 30), at most n. */
  basisSize?: number
  /** n numbers to start from. Default: random. */
  start?: VectorLike
  /** Of the random start. Default 0. */
  seed?: number | bigint
}

export interface LanczosSolution extends Solution {
  /** Ascending. */
  values: Float64Array
  /** n × count with orthonormal columns; the first largest entry (to 1e-6) of each is positive. */
  vectors: NdArray
  /** |A z - value z| of each pair: there is an eigenvalue that near. */
  errors: Float64Array
}

const names: ReadonlySet<string> = new Set([
  ...['count', 'which', 'tolerance', 'maxIterations', 'basisSize', 'start', 'seed'],
  ...runNames,
])

/** Probes of symmetry may differ by this, relatively. */
const asymmetry = 1e-8

/**
 * Eigenpairs at the ends of the spectrum of a large symmetric matrix or operator, by Lanczos' method with full
 * reorthogonalization and thick restarts.
 *
 * `iterations` counts products with A; `residual` is the largest of `errors` over the largest eigenvalue in magnitude that
 * was seen. Eigenvalues that are equal or nearly so are found one after the other, and a copy may be missed if the iteration
 * ends early; `count` a little larger than needed helps.
 *
 * @param matrix symmetric (checked on random vectors): dense, sparse, any operator that is data, or a function `matvec`
 * @throws {ExtremaError} `ERR_SHAPE` (not square, not symmetric), `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_ORACLE`,
 * `ERR_BUFFER`; the reason of `signal` when aborted.
 *
 * Source: K. Wu, H. Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems", SIAM J. Matrix Anal.
 * Appl. 22 (2000), 602-616.
 */
export async function lanczos(matrix: OperatorLike, options: LanczosOptions = {}): Promise<LanczosSolution> {
  const { control, steps } = prepare(matrix, options)
  return drive(steps, control)
}

/** {@link lanczos} on the calling thread. */
export function lanczosSync(matrix: OperatorLike, options: LanczosOptions = {}): LanczosSolution {
  const { control, steps } = prepare(matrix, options)
  return driveSync(steps, control)
}

function prepare(matrix: OperatorLike, options: LanczosOptions) {
  const { start, control, backend, threads } = startRun(options, names)
  const a = checkOperator('matrix', matrix)
  const n = a.rows
  if (a.columns !== n) {
    throw new ExtremaError('ERR_SHAPE', `matrix: expected a square matrix, got ${shapeText(n, a.columns)}`)
  }
  const count = whole('count', options.count, Math.min(6, n), 1, n)
  const which = oneOf('which', options.which, ['largest', 'smallest', 'magnitude', 'both'], 'largest')
  const tolerance = nonNegative('tolerance', options.tolerance, 1e-10)
  const maxIterations = whole('maxIterations', options.maxIterations, Math.max(1000, 10 * n), 1)
  const least = Math.min(n, count + 2)
  const size = whole('basisSize', options.basisSize, Math.min(n, Math.max(2 * count + 10, 30)), least, n)
  const random = generator(options.seed ?? 0)
  const first = options.start === undefined ? random.normal(n) : toFloat64('start', options.start).slice()
  if (first.length !== n) {
    throw new ExtremaError('ERR_SHAPE', `start: expected ${n} numbers to match the matrix, got ${first.length}`)
  }
  checkFinite('start', first)
  const chosen = kernels(backend)

  function* steps(run: Run): Step<LanczosSolution> {
    const block = new BlockSteps(chosen, threads, run)
    const basis = new Float64Array(size * n)
    const row = (j: number) => basis.subarray(j * n, (j + 1) * n)

    /** Takes from w what lies in the first j vectors, twice; returns the coefficients. */
    function* orthogonalize(w: Float64Array, j: number): Step<Float64Array> {
      const coefficients = new Float64Array(j)
      for (let pass = 0; pass < 2 && j > 0; pass++) {
        const rows = basis.subarray(0, j * n)
        const inner = yield* block.product(rows, n, w, 1)
        const part = yield* block.product(rows, n, inner, 1, true)
        for (let i = 0; i < n; i++) w[i] -= part[i]
        for (let i = 0; i < j; i++) coefficients[i] += inner[i]
      }
      return coefficients
    }

    /** A random vector of length one, orthogonal to the first j. */
    function* freshVector(j: number): Step<Float64Array> {
      for (;;) {
        const w = random.normal(n)
        yield* orthogonalize(w, j)
        const length = normOf(w, 0, n)
        // All but never too short for the digits to be right.
        if (length > 1e-8) return w.map((x) => x / length)
      }
    }

    const probes = random.normal(2 * n)
    const images = yield* block.apply(a, probes, 2)
    checkSymmetry(probes, images, n)
    let next: Float64Array
    const length = normOf(first, 0, n)
    if (length > 0) next = first.map((x) => x / length)
    else next = yield* freshVector(0)
    let core: Float64Array = new Float64Array(size * size)
    let kept = 0
    let iterations = 1
    let status: Status = 'converged'
    let scale = 0
    for (;;) {
      let beta = 0
      for (let j = kept; j < size; j++) {
        row(j).set(next)
        const w = yield* block.apply(a, next, 1)
        iterations++
        const whole = normOf(w, 0, n)
        const coefficients = yield* orthogonalize(w, j + 1)
        for (let i = 0; i <= j; i++) {
          core[i * size + j] = coefficients[i]
          core[j * size + i] = coefficients[i]
        }
        scale = Math.max(scale, whole)
        beta = normOf(w, 0, n)
        if (beta <= 10 * Number.EPSILON * scale) {
          // The vectors span an invariant subspace: go on elsewhere, if there is room.
          beta = 0
          if (j + 1 < n) next = yield* freshVector(j + 1)
        } else {
          next = w.map((x) => x / beta)
          if (j + 1 < size) {
            core[(j + 1) * size + j] = beta
            core[j * size + j + 1] = beta
          }
        }
      }
      const { values, vectors } = yield* block.eigen(core, size)
      const wanted = selected(values, count, which)
      scale = Math.max(scale, Math.abs(values[0]), Math.abs(values[size - 1]))
      const estimate = Math.max(...wanted.map((k) => Math.abs(beta * vectors[(size - 1) * size + k])))
      run.monitor.progress(iterations, scale > 0 ? estimate / scale : 0)
      const isDone = estimate <= tolerance * scale
      if (!isDone && run.monitor.expired()) status = 'time-limit'
      else if (!isDone && iterations >= maxIterations) status = 'iteration-limit'
      if (isDone || status !== 'converged') {
        return yield* finish(block, basis, values, vectors, wanted, status)
      }
      // Thick restart: some more Ritz vectors than are wanted, and the last residual, which couples to all of them.
      const more = Math.min(size - 2, count + Math.max(1, Math.floor((size - count) / 2)))
      const keep = selected(values, Math.max(more, Math.min(count, size - 1)), which)
      const turned = yield* block.product(rowsOf(vectors, size, keep), size, basis, n)
      basis.set(turned)
      core = new Float64Array(size * size)
      kept = keep.length
      for (let i = 0; i < kept; i++) core[i * size + i] = values[keep[i]]
    }

    function* finish(
      steps: BlockSteps,
      rows: Float64Array,
      values: Float64Array,
      vectors: Float64Array,
      wanted: number[],
      ended: Status,
    ): Step<LanczosSolution> {
      const coefficients = new Float64Array(size * count)
      wanted.forEach((k, c) => {
        for (let i = 0; i < size; i++) coefficients[i * count + c] = vectors[i * size + k]
      })
      const z = yield* steps.product(rows, n, coefficients, count, true)
      const found = Float64Array.from(wanted, (k) => values[k])
      for (let c = 0; c < count; c++) {
        const sign = signOf(z, c, n, count)
        for (let i = 0; i < n; i++) z[i * count + c] *= sign
      }
      const image = yield* steps.apply(a, z, count)
      const errors = new Float64Array(count)
      for (let i = 0; i < image.length; i++) errors[i % count] += (image[i] - found[i % count] * z[i]) ** 2
      for (let c = 0; c < count; c++) errors[c] = Math.sqrt(errors[c])
      const residual = scale > 0 ? Math.max(...errors) / scale : 0
      // Estimates may promise a little more than rounding lets the vectors keep.
      const status = ended === 'converged' && residual > tolerance ? 'stalled' : ended
      return {
        status,
        iterations: iterations + count,
        residual,
        elapsed: performance.now() - start,
        backend: chosen.name,
        values: found,
        vectors: { data: z, shape: [n, count] },
        errors,
      }
    }
  }
  return { control, steps }
}

/** Indices of the wanted ones of ascending values, ascending. */
function selected(values: Float64Array, count: number, which: LanczosOptions['which']): number[] {
  const n = values.length
  const all = Array.from(values.keys())
  if (which === 'smallest') return all.slice(0, count)
  if (which === 'both') return all.filter((k) => k < Math.floor(count / 2) || k >= n - Math.ceil(count / 2))
  if (which === 'magnitude') {
    const order = all.sort((i, j) => Math.abs(values[j]) - Math.abs(values[i]) || j - i)
    return order.slice(0, count).sort((i, j) => i - j)
  }
  return all.slice(n - count)
}

/** Columns `of` of a square matrix, as rows. */
function rowsOf(x: Float64Array, n: number, of: readonly number[]): Float64Array {
  const out = new Float64Array(of.length * n)
  of.forEach((k, r) => {
    for (let i = 0; i < n; i++) out[r * n + i] = x[i * n + k]
  })
  return out
}

/** x · A y = y · A x for the two columns of a block. */
function checkSymmetry(probes: Float64Array, images: Float64Array, n: number): void {
  const column = (x: Float64Array, c: number) => Float64Array.from({ length: n }, (_, i) => x[2 * i + c])
  const [x, y, ax, ay] = [column(probes, 0), column(probes, 1), column(images, 0), column(images, 1)]
  const size = normOf(x, 0, n) * normOf(ay, 0, n) + normOf(y, 0, n) * normOf(ax, 0, n)
  if (Math.abs(dot(x, 0, ay, 0, n) - dot(y, 0, ax, 0, n)) <= asymmetry * size) return
  throw new ExtremaError('ERR_SHAPE', 'matrix: expected a symmetric matrix, got one with x·Ay ≠ y·Ax')
}
