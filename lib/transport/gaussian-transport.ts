import { checkRunOptions } from '../backend/options.js'
import { type Monitor, portableKernel } from '../backend/portable/driver.js'
import type { NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { congruence } from '../linear/dense.js'
import {
  type BuresTransport,
  buresTransport,
  type CheckedGaussian,
  covarianceRoot,
  type Gaussian,
  type GaussianOptions,
  readGaussian,
  relative,
  squaredDistance,
} from './gaussian.js'

export interface GaussianProblem {
  source: Gaussian
  target: Gaussian
}

export interface GaussianSolution extends Solution {
  /** W2² = |m1 - m2|² + tr(A + B - 2 (A^1/2 B A^1/2)^1/2) for means m1, m2 and covariances A, B. */
  value: number
  /** W2, the root of `value`. */
  distance: number
  /** The part of `value` that the covariances cost: their squared Bures distance. */
  bures: number
  map: {
    /** d × d, symmetric: T(x) = matrix x + offset. */
    matrix: NdArray
    offset: Float64Array
    /**
     * |T A T - B| / |B|, how far the image of the source is from the target: rounding, unless A is singular. A map need
     * not exist then; this is the mean of where an optimal plan sends x.
     */
    defect: number
  }
}

interface Job {
  source: CheckedGaussian
  target: CheckedGaussian
  result?: BuresTransport & { defect: number }
}

const names: ReadonlySet<string> = new Set(['source', 'target'])
export const gaussianNames: ReadonlySet<string> = new Set(['signal'])

const kernel = portableKernel(function* (job: Job, monitor: Monitor) {
  const { source, target } = job
  const { d } = source
  const root = yield* covarianceRoot(`${source.name}.covariance`, source.covariance, d, monitor)
  yield* covarianceRoot(`${target.name}.covariance`, target.covariance, d, monitor)
  const transport = yield* buresTransport(source.covariance, root, target.covariance, d, monitor)
  const image = yield* congruence(transport.map, source.covariance, d, monitor)
  job.result = { ...transport, defect: relative(image, target.covariance) }
})

/**
 * Optimal transport for the squared distance between two normal distributions, in closed form: O(d³).
 *
 * `residual` is that of the matrix square root; the status is always `'converged'`. Singular covariances are fine.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_OPTION`, `ERR_BUFFER`; the reason of
 * `signal` when aborted.
 *
 * Source: Peyré, Cuturi 2019 (arXiv 1803.00567), remark 2.31.
 */
export async function gaussianTransport(
  problem: GaussianProblem,
  options: GaussianOptions = {},
): Promise<GaussianSolution> {
  const prepared = prepare(problem, options)
  await kernel.run(prepared.job, prepared.control)
  return finish(prepared)
}

/** {@link gaussianTransport} on the calling thread. */
export function gaussianTransportSync(problem: GaussianProblem, options: GaussianOptions = {}): GaussianSolution {
  const prepared = prepare(problem, options)
  kernel.runSync(prepared.job, prepared.control)
  return finish(prepared)
}

function prepare(problem: GaussianProblem, options: GaussianOptions) {
  const start = performance.now()
  const { control } = checkRunOptions(options, gaussianNames)
  control.signal?.throwIfAborted()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { source, target }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, names)
  const source = readGaussian('source', problem.source)
  const target = readGaussian('target', problem.target, source.d)
  const job: Job = { source, target }
  return { job, control, start }
}

function finish({ job, start }: ReturnType<typeof prepare>): GaussianSolution {
  const { source, target, result } = job
  if (result === undefined)
    throw new ExtremaError('ERR_INTERNAL', 'gaussianTransport: ended without a result; report it')
  const { d, mean } = source
  const value = squaredDistance(mean, target.mean) + result.squared
  const offset = target.mean.map((m, i) => {
    let image = 0
    for (let j = 0; j < d; j++) image += result.map[i * d + j] * mean[j]
    return m - image
  })
  return {
    status: 'converged',
    iterations: 1,
    residual: result.residual,
    elapsed: performance.now() - start,
    backend: 'portable',
    value,
    distance: Math.sqrt(value),
    bures: result.squared,
    map: { matrix: { data: result.map, shape: [d, d] }, offset, defect: result.defect },
  }
}
