import { kernels } from '../backend/index.js'
import {
  leastSquaresField as field,
  innerMethods,
  type LeastSquaresJob,
  leastSquaresReportLength,
  type MatrixData,
  type SketchData,
} from '../backend/linear-dense.js'
import { runNames } from '../backend/options.js'
import { checkFinite, copyIfSmall, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, oneOf, type SolverOptions, whole } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import { type Run, startRun } from './direct.js'
import { checkStill, type MatrixOrCsr, matrixData } from './matrix-data.js'
import { type SketchShape, sketchData, sketchNames } from './sketch-data.js'

export interface SketchedLeastSquaresOptions extends SolverOptions, SketchShape {
  /** Of `residual`. Default 1e-10. */
  tolerance?: number
  /** Products with A and Aᵀ, over all rounds. Default 500. */
  maxIterations?: number
  /**
   * Rows s of the sketch. Default: 4 n to 16 n, growing with N / n, since a pass over A then costs more than a larger QR. A
   * matrix of at most s rows is factored as it is.
   */
  sketchRows?: number
  /**
   * `'cg'` (default), `'heavy-ball'` (no inner products; wants s >= 4 n) or `'gradient'` (wants s >= 16 n). When the last two
   * diverge they go on as `'cg'`: see `switched`.
   */
  method?: 'cg' | 'heavy-ball' | 'gradient'
  /** Rounds of iterative refinement once the tolerance is reached, each a thousand times closer. Default 1. */
  refinements?: number
  /** Solve with so many independent sketches and take the median of each coordinate. Default 1. */
  repeats?: number
  /** n numbers to start from, instead of the solution of the sketched problem. */
  start?: VectorLike
}

export interface SketchedLeastSquaresSolution extends Solution {
  x: Float64Array
  /** |A x - b| */
  residualNorm: number
  /** Numerical rank of S A, and with probability near one of A. */
  rank: number
  /** Rounds of iterations, of which the last are refinements. */
  rounds: number
  /** Whether `method` diverged and conjugate gradients took over. */
  switched: boolean
  /** `residual` at the start and after each iteration (as the recursion of its round has it). */
  history: Float64Array
}

const names: ReadonlySet<string> = new Set([
  ...['tolerance', 'maxIterations', 'sketchRows', 'method', 'refinements', 'repeats', 'start'],
  ...sketchNames,
  ...runNames,
])

/**
 * Linear least squares, min |A x - b| for a dense or sparse N × n matrix, N much larger than n: a QR factorization of a
 * random sketch S A = Q R makes A R⁻¹ well-conditioned, so that few iterations suffice whatever the condition number of A,
 * and iterative refinement brings the accuracy of a QR factorization of A. O(N n log(1 / tolerance) + s n²).
 *
 * `residual` is |R⁻ᵀ Aᵀ (b - A x)| / |b|, which is |A (x - x*)| / |b| up to the distortion of the sketch (a factor (1 +
 * sqrt(n / s))² to (1 - sqrt(n / s))²). Rounding bounds it from below by about 1e-16 · condition number · |A x - b| / |b|, for
 * every method; `status: 'stalled'` says that this bound was met. Where A has dependent columns (S A has a diagonal entry
 * below 1e-12 of the largest) or fewer rows than columns, x is the solution of least length, by a pivoted factorization.
 *
 * @param matrix a contiguous Float64Array is used in place; float32 is converted
 * @param b N numbers
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal`
 * when aborted.
 *
 * Sources: Gu, Song, Yin, Zhang 2023, arXiv 2302.11068 (the iteration of its regressions); Avron, Maymounkov, Toledo, SIAM J.
 * Sci. Comput. 32 (2010); Meng, Saunders, Mahoney, SIAM J. Sci. Comput. 36 (2014) (dependent columns); Epperly, Meier,
 * Nakatsukasa 2024, arXiv 2406.03468 (refinement).
 */
export async function sketchedLeastSquares(
  matrix: MatrixOrCsr,
  b: VectorLike,
  options: SketchedLeastSquaresOptions = {},
): Promise<SketchedLeastSquaresSolution> {
  const prepared = prepare(matrix, b, options)
  const { run } = prepared
  const { leastSquares } = kernels(run.backend).linear
  for (const job of prepared.jobs) {
    await leastSquares.run(job, run.control)
    checkStill('matrix', job.matrix)
  }
  return finish(prepared)
}

/** {@link sketchedLeastSquares} on the calling thread. */
export function sketchedLeastSquaresSync(
  matrix: MatrixOrCsr,
  b: VectorLike,
  options: SketchedLeastSquaresOptions = {},
): SketchedLeastSquaresSolution {
  const prepared = prepare(matrix, b, options)
  const { leastSquares } = kernels(prepared.run.backend).linear
  for (const job of prepared.jobs) leastSquares.runSync(job, prepared.run.control)
  return finish(prepared)
}

interface Prepared {
  run: Run
  jobs: LeastSquaresJob[]
}

function prepare(matrix: MatrixOrCsr, b: VectorLike, options: SketchedLeastSquaresOptions): Prepared {
  const run = startRun(options, names)
  const a = matrixData('matrix', matrix)
  const right = vector('b', b, a.rows, 'rows')
  const start = options.start === undefined ? undefined : vector('start', options.start, a.columns, 'columns')
  const method = oneOf('method', options.method, innerMethods, 'cg')
  const tolerance = nonNegative('tolerance', options.tolerance, 1e-10)
  const maxIterations = whole('maxIterations', options.maxIterations, 500, 1)
  const refinements = whole('refinements', options.refinements, 1, 0, 10)
  const repeats = whole('repeats', options.repeats, 1, 1, 99)
  const jobs = Array.from({ length: repeats }, (_, index): LeastSquaresJob => {
    const x = start === undefined ? new Float64Array(a.columns) : start.slice()
    return {
      matrix: a,
      b: right,
      sketch: leastSquaresSketch(options, options.sketchRows, a, index),
      method,
      tolerance,
      maxIterations,
      refinements,
      warm: start !== undefined,
      threads: run.threads,
      x,
      history: new Float64Array(Math.min(maxIterations, 10_000) + 1),
      report: new Float64Array(leastSquaresReportLength),
    }
  })
  return { run, jobs }
}

function vector(name: string, given: VectorLike, length: number, what: string): Float64Array {
  const values = copyIfSmall(toFloat64(name, given))
  if (values.length !== length) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}: expected ${length} numbers to match the ${what} of the matrix, got ${values.length}`,
    )
  }
  return checkFinite(name, values)
}

/** The sketch that A is preconditioned with: none where A has no more rows. */
export function leastSquaresSketch(
  options: SketchShape,
  sketchRows: number | undefined,
  a: MatrixData,
  index = 0,
): SketchData {
  const { rows: m, columns: n } = a
  const factor = Math.min(16, Math.max(4, Math.floor(m / (32 * n))))
  const wanted = whole('sketchRows', sketchRows, factor * n, Math.min(n + 1, m))
  const sketch = sketchData(options, Math.min(wanted, m), a, index)
  return wanted >= m ? { ...sketch, rows: 0 } : sketch
}

function finish({ run, jobs }: Prepared): SketchedLeastSquaresSolution {
  const worst = jobs.reduce((a, b) => (b.report[field.residual] > a.report[field.residual] ? b : a))
  const { report, history } = worst
  return {
    status: statuses[report[field.status]],
    iterations: jobs.reduce((sum, job) => sum + job.report[field.iterations], 0),
    residual: report[field.residual],
    elapsed: performance.now() - run.start,
    backend: kernels(run.backend).name,
    x: jobs.length === 1 ? worst.x : medians(jobs.map((job) => job.x)),
    residualNorm: report[field.residualNorm],
    rank: report[field.rank],
    rounds: report[field.rounds],
    switched: jobs.some((job) => job.report[field.switched] === 1),
    history: history.slice(0, report[field.historyLength]),
  }
}

/** Of each coordinate; the mean of the middle two for an even number. */
function medians(vectors: Float64Array[]): Float64Array {
  const middle = (vectors.length - 1) / 2
  return vectors[0].map((_, j) => {
    const sorted = Float64Array.from(vectors, (x) => x[j]).sort()
    return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2
  })
}
