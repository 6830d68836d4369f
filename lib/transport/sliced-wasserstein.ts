import { kernels } from '../backend/index.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import type { SlicedJob } from '../backend/transport-line.js'
import type { MatrixLike, NdArray, VectorLike } from '../core/arrays.js'
import { flag, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { generator } from '../random/index.js'
import { checkCloudSamples, checkCost, checkOrder, type LineOptions } from './line.js'

/** Weighted points. */
export interface SamplesProblem {
  /** n × d points. */
  x: MatrixLike
  /** m × d points. */
  y: MatrixLike
  /** Weights of x, >= 0. Default: 1/n each. */
  a?: VectorLike
  /** Weights of y, >= 0, with the same total as `a` (to 1e-6 relative; they are rescaled to it). Default: 1/m each. */
  b?: VectorLike
}

export interface SlicedOptions extends LineOptions {
  /** Random directions to average over. Default 50. */
  projections?: number
  /** Of the directions. Default 0. */
  seed?: number | bigint
  /** Whether to compute the derivatives of `value` in the points. Default false. */
  gradient?: boolean
}

export interface SlicedSolution extends Solution {
  /** Mean over the directions of the transport cost |.|^p between the projections. */
  value: number
  /** value^(1/p). */
  distance: number
  /** Standard error of `value` as an estimate of the mean over all directions; 0 in one dimension. */
  standardError: number
  /** Cost along each direction. */
  projections: Float64Array
  /** Derivatives of `value` in the points, with `gradient: true`. */
  gradient?: { x: NdArray; y: NdArray }
}

const names: ReadonlySet<string> = new Set(['order', 'projections', 'seed', 'gradient', ...runNames])

/**
 * Sliced Wasserstein distance: the mean over random directions of exact transport between the projections of two
 * weighted point clouds, for the cost |.|^p, p = `order` >= 1 (default 2). O(L n (d + log n)) for L directions.
 *
 * The directions depend on `seed` alone. `residual` is the relative standard error; a time limit that ends the run early
 * gives `status: 'time-limit'` and the mean over the directions done.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_OPTION`, `ERR_BUFFER`; the
 * reason of `signal` when aborted.
 *
 * Source: Bonneel, Rabin, Peyré, Pfister 2015, "Sliced and Radon Wasserstein barycenters of measures".
 */
export async function slicedWasserstein(problem: SamplesProblem, options: SlicedOptions = {}): Promise<SlicedSolution> {
  const prepared = prepare(problem, options)
  await prepared.kernel.run(prepared.job, prepared.control)
  return finish(prepared)
}

/** {@link slicedWasserstein} on the calling thread. */
export function slicedWassersteinSync(problem: SamplesProblem, options: SlicedOptions = {}): SlicedSolution {
  const prepared = prepare(problem, options)
  prepared.kernel.runSync(prepared.job, prepared.control)
  return finish(prepared)
}

function prepare(problem: SamplesProblem, options: SlicedOptions) {
  const start = performance.now()
  const { control, backend, threads } = checkRunOptions(options, names)
  const order = checkOrder(options, 2)
  const count = whole('projections', options.projections, 50, 1, 1_000_000)
  const random = generator(options.seed ?? 0)
  const wantsGradient = flag('gradient', options.gradient, false)
  control.signal?.throwIfAborted()
  const { x, y, a, b, n, m, d } = checkCloudSamples(problem)
  const job: SlicedJob = {
    x,
    y,
    d,
    a,
    b,
    order,
    threads,
    directions: unitVectors(random.normal(count * d), d),
    values: new Float64Array(count),
    gradientX: wantsGradient ? new Float64Array(n * d) : null,
    gradientY: wantsGradient ? new Float64Array(m * d) : null,
    report: new Float64Array(1),
  }
  const chosen = kernels(backend)
  return { job, control, start, n, m, kernel: chosen.transport.slicedWasserstein, name: chosen.name }
}

/** Rows scaled to length one: normal numbers become uniform directions. */
function unitVectors(rows: Float64Array, d: number): Float64Array {
  for (let from = 0; from < rows.length; from += d) {
    let squares = 0
    for (let k = from; k < from + d; k++) squares += rows[k] * rows[k]
    const length = Math.sqrt(squares)
    for (let k = from; k < from + d; k++) rows[k] /= length
  }
  return rows
}

function finish({ job, start, n, m, name }: ReturnType<typeof prepare>): SlicedSolution {
  const [done] = job.report
  const { d, order, gradientX, gradientY } = job
  const projections = job.values.slice(0, done)
  const value = checkCost(projections.reduce((sum, cost) => sum + cost, 0) / done)
  const spread = projections.reduce((sum, cost) => sum + (cost - value) ** 2, 0)
  const standardError = done > 1 ? Math.sqrt(spread / (done - 1) / done) : d === 1 ? 0 : Number.POSITIVE_INFINITY
  const solution: SlicedSolution = {
    status: done < job.values.length ? 'time-limit' : 'converged',
    iterations: done,
    residual: value === 0 ? 0 : standardError / value,
    elapsed: performance.now() - start,
    backend: name,
    value,
    distance: value ** (1 / order),
    standardError,
    projections,
  }
  if (gradientX !== null && gradientY !== null) {
    // The kernel divides by all directions.
    const scale = job.values.length / done
    solution.gradient = {
      x: { data: scale === 1 ? gradientX : gradientX.map((slope) => slope * scale), shape: [n, d] },
      y: { data: scale === 1 ? gradientY : gradientY.map((slope) => slope * scale), shape: [m, d] },
    }
  }
  return solution
}
