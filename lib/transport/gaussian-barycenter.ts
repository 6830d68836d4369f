import { checkRunOptions } from '../backend/options.js'
import { type Monitor, portableKernel } from '../backend/portable/driver.js'
import type { NdArray, VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, nonNegative, type SolverOptions, whole } from '../core/options.js'
import type { Solution, Status } from '../core/solution.js'
import { congruence, multiply, symmetrized } from '../linear/dense.js'
import { buresTransport, covarianceRoot, type Gaussian, readGaussian, relative, squaredDistance } from './gaussian.js'
import { readShares } from './shares.js'

export interface GaussianBarycenterProblem {
  gaussians: readonly Gaussian[]
  /** Weights lambda of the K distributions, >= 0, of any total. Default: 1/K each. */
  weights?: VectorLike
}

export type GaussianBarycenterOptions = Pick<
  SolverOptions,
  'tolerance' | 'maxIterations' | 'timeLimit' | 'signal' | 'onProgress'
>

export interface GaussianBarycenterSolution extends Solution {
  mean: Float64Array
  /** d × d */
  covariance: NdArray
  /** sum_k lambda_k W2²(barycenter, k), which it minimises. */
  value: number
}

interface Job {
  gaussians: ReturnType<typeof readGaussian>[]
  weights: Float64Array
  tolerance: number
  maxIterations: number
  status: Status
  iterations: number
  residual: number
  covariance: Float64Array
  /** sum_k lambda_k of the squared Bures distances. */
  bures: number
}

const problemNames: ReadonlySet<string> = new Set(['gaussians', 'weights'])
const optionNames: ReadonlySet<string> = new Set(['tolerance', 'maxIterations', 'timeLimit', 'signal', 'onProgress'])

/** sum_k weights_k matrices_k */
function average(weights: Float64Array, matrices: Float64Array[]): Float64Array {
  const out = new Float64Array(matrices[0].length)
  matrices.forEach((matrix, k) => {
    for (let i = 0; i < out.length; i++) out[i] += weights[k] * matrix[i]
  })
  return out
}

/** S <- S^-1/2 (sum_k lambda_k (S^1/2 A_k S^1/2)^1/2)² S^-1/2 */
const kernel = portableKernel(function* (job: Job, monitor: Monitor) {
  const { gaussians, weights } = job
  const { d } = gaussians[0]
  const roots: Float64Array[] = []
  for (const { name, covariance } of gaussians) {
    roots.push((yield* covarianceRoot(`${name}.covariance`, covariance, d, monitor)).root)
  }
  // The answer already where all covariances commute.
  const mean = average(weights, roots)
  job.covariance = symmetrized(yield* multiply(mean, mean, d, monitor), d)
  let best = Number.POSITIVE_INFINITY
  let sinceBest = 0
  for (;;) {
    const root = yield* covarianceRoot('covariance', job.covariance, d, monitor)
    const middles: Float64Array[] = []
    job.bures = 0
    for (const [k, { covariance }] of gaussians.entries()) {
      const { middle, squared } = yield* buresTransport(job.covariance, root, covariance, d, monitor)
      middles.push(middle)
      job.bures += weights[k] * squared
    }
    const middle = average(weights, middles)
    job.residual = relative(middle, job.covariance)
    job.iterations++
    monitor.progress(job.iterations, job.residual)
    if (job.residual < best) {
      best = job.residual
      sinceBest = 0
    } else {
      sinceBest++
    }
    if (job.residual <= job.tolerance) job.status = 'converged'
    else if (sinceBest >= 5 && best < 1e-8)
      job.status = 'stalled' // by rounding
    else if (job.iterations >= job.maxIterations) job.status = 'iteration-limit'
    else if (monitor.expired()) job.status = 'time-limit'
    else {
      const squared = symmetrized(yield* multiply(middle, middle, d, monitor), d)
      job.covariance = yield* congruence(root.inverse, squared, d, monitor)
      continue
    }
    return
  }
})

/**
 * The 2-Wasserstein barycenter of normal distributions, which is one too: the mean of the means, and a fixed point for the
 * covariance. O(K d³) per iteration.
 *
 * `residual` is |sum_k lambda_k (S^1/2 A_k S^1/2)^1/2 - S| / |S|; `tolerance` defaults to 1e-10, `maxIterations` to 200.
 * The iteration finds the barycenter if some A_k with weight is positive definite; singular ones are fine beside it.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_OPTION`, `ERR_BUFFER`; the
 * reason of `signal` when aborted.
 *
 * Source: Álvarez-Esteban, del Barrio, Cuesta-Albertos, Matrán 2016 (arXiv 1511.05355), theorem 4.2.
 */
export async function gaussianBarycenter(
  problem: GaussianBarycenterProblem,
  options: GaussianBarycenterOptions = {},
): Promise<GaussianBarycenterSolution> {
  const prepared = prepare(problem, options)
  await kernel.run(prepared.job, prepared.control)
  return finish(prepared)
}

/** {@link gaussianBarycenter} on the calling thread. */
export function gaussianBarycenterSync(
  problem: GaussianBarycenterProblem,
  options: GaussianBarycenterOptions = {},
): GaussianBarycenterSolution {
  const prepared = prepare(problem, options)
  kernel.runSync(prepared.job, prepared.control)
  return finish(prepared)
}

function prepare(problem: GaussianBarycenterProblem, options: GaussianBarycenterOptions) {
  const start = performance.now()
  const { control } = checkRunOptions(options, optionNames)
  const tolerance = nonNegative('tolerance', options.tolerance, 1e-10)
  const maxIterations = whole('maxIterations', options.maxIterations, 200, 1)
  control.signal?.throwIfAborted()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { gaussians, weights }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, problemNames)
  const { gaussians: given } = problem
  if (!Array.isArray(given) || given.length === 0) {
    const came = Array.isArray(given) ? 'none' : describe(given)
    throw new ExtremaError(
      'ERR_SHAPE',
      `gaussians: expected an array of at least one { mean, covariance }, got ${came}`,
    )
  }
  const first = readGaussian('gaussians[0]', given[0])
  const gaussians = given.map((gaussian, k) => (k === 0 ? first : readGaussian(`gaussians[${k}]`, gaussian, first.d)))
  const job: Job = {
    gaussians,
    weights: readShares(problem.weights, given.length, 'gaussians'),
    tolerance,
    maxIterations,
    status: 'iteration-limit',
    iterations: 0,
    residual: Number.POSITIVE_INFINITY,
    covariance: new Float64Array(0),
    bures: 0,
  }
  return { job, control, start }
}

function finish({ job, start }: ReturnType<typeof prepare>): GaussianBarycenterSolution {
  const { gaussians, weights, covariance, status, iterations, residual } = job
  const { d } = gaussians[0]
  const mean = average(
    weights,
    gaussians.map((gaussian) => gaussian.mean),
  )
  const spread = gaussians.reduce((sum, gaussian, k) => sum + weights[k] * squaredDistance(mean, gaussian.mean), 0)
  return {
    status,
    iterations,
    residual,
    elapsed: performance.now() - start,
    backend: 'portable',
    mean,
    covariance: { data: covariance, shape: [d, d] },
    value: spread + job.bures,
  }
}
