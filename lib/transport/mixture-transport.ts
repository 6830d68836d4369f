import { checkRunOptions } from '../backend/options.js'
import { type Monitor, portableKernel } from '../backend/portable/driver.js'
import type { NdArray, VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, type SolverOptions } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { emd, emdSync } from './emd.js'
import type { ExactSolution } from './exact-solution.js'
import {
  buresTransport,
  type CheckedGaussian,
  covarianceRoot,
  type Gaussian,
  readGaussian,
  squaredDistance,
} from './gaussian.js'
import { readWeights } from './problem.js'
import { rescaled } from './shares.js'
import type { Certificate } from './solution.js'

/** A mixture of normal distributions. */
export interface GaussianMixture {
  components: readonly Gaussian[]
  /** Of the components, >= 0. Default: equal, of total 1. */
  weights?: VectorLike
}

export interface MixtureProblem {
  source: GaussianMixture
  /** Of the same total weight as `source` (to 1e-6 relative; rescaled to it). */
  target: GaussianMixture
}

export type MixtureOptions = Pick<SolverOptions, 'threads' | 'signal' | 'backend'>

export interface MixtureSolution extends Solution {
  /** MW2²: the least cost of moving components to components, by the squared W2 between them. At least W2². */
  value: number
  /** MW2, the root of `value`. */
  distance: number
  /** K × L: how much of each component goes to each. */
  plan: NdArray
  /** K × L: W2² between the components. */
  costs: NdArray
  /** Optimal for the dual problem: f_k + g_l <= costs_kl. */
  potentials: { f: Float64Array; g: Float64Array }
  certificate: Certificate
}

interface Mixture {
  components: CheckedGaussian[]
  weights: Float64Array
}

interface Job {
  source: Mixture
  target: Mixture
  /** K × L */
  costs: Float64Array
}

const problemNames: ReadonlySet<string> = new Set(['source', 'target'])
const mixtureNames: ReadonlySet<string> = new Set(['components', 'weights'])
const optionNames: ReadonlySet<string> = new Set(['threads', 'signal', 'backend'])

const costs = portableKernel(function* (job: Job, monitor: Monitor) {
  const [source, target] = [job.source.components, job.target.components]
  const { d } = source[0]
  for (const { name, covariance } of target) yield* covarianceRoot(`${name}.covariance`, covariance, d, monitor)
  for (const [k, { name, mean, covariance }] of source.entries()) {
    const root = yield* covarianceRoot(`${name}.covariance`, covariance, d, monitor)
    for (const [l, to] of target.entries()) {
      const { squared } = yield* buresTransport(covariance, root, to.covariance, d, monitor)
      job.costs[k * target.length + l] = squaredDistance(mean, to.mean) + squared
    }
  }
})

/**
 * Optimal transport between two mixtures of normal distributions that moves whole components: exact transport between the
 * components with the squared W2 distances between them as costs. O(K L d³). To map points, use the maps that
 * {@link gaussianTransport} gives for the pairs with mass.
 *
 * `residual` is the relative gap of the exact solve.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_OPTION`, `ERR_BUFFER`; the
 * reason of `signal` when aborted.
 *
 * Source: Delon, Desolneux 2020 (arXiv 1907.05254), proposition 4.
 */
export async function mixtureTransport(
  problem: MixtureProblem,
  options: MixtureOptions = {},
): Promise<MixtureSolution> {
  const prepared = prepare(problem, options)
  await costs.run(prepared.job, prepared.control)
  return finish(prepared, await emd(discrete(prepared.job), prepared.options))
}

/** {@link mixtureTransport} on the calling thread. */
export function mixtureTransportSync(problem: MixtureProblem, options: MixtureOptions = {}): MixtureSolution {
  const prepared = prepare(problem, options)
  costs.runSync(prepared.job, prepared.control)
  return finish(prepared, emdSync(discrete(prepared.job), prepared.options))
}

function prepare(problem: MixtureProblem, options: MixtureOptions) {
  const start = performance.now()
  const { control } = checkRunOptions(options, optionNames)
  control.signal?.throwIfAborted()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { source, target }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, problemNames)
  const source = readMixture('source', problem.source)
  const target = readMixture('target', problem.target, source.components[0].d)
  const weights = rescaled('target.weights', target.weights, target.total, source.total, 'source.weights')
  const job: Job = {
    source,
    target: { components: target.components, weights },
    costs: new Float64Array(source.components.length * target.components.length),
  }
  return { job, control, options, start }
}

function readMixture(name: string, given: GaussianMixture, dimension?: number): Mixture & { total: number } {
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected { components, weights }, got ${describe(given)}`)
  }
  checkNames(name, given, mixtureNames)
  if (!Array.isArray(given.components) || given.components.length === 0) {
    const came = Array.isArray(given.components) ? 'none' : describe(given.components)
    throw new ExtremaError('ERR_SHAPE', `${name}.components: expected an array of { mean, covariance }, got ${came}`)
  }
  let d = dimension
  const components = given.components.map((component, k) => {
    const checked = readGaussian(`${name}.components[${k}]`, component, d)
    d = checked.d
    return checked
  })
  const of = () => `the ${components.length} components`
  const { weights, total } = readWeights(`${name}.weights`, given.weights, components.length, of)
  return { components, weights, total }
}

function discrete({ source, target, costs }: Job) {
  const cost = { data: costs, shape: [source.weights.length, target.weights.length] }
  return { cost, a: source.weights, b: target.weights }
}

function finish({ job, start }: ReturnType<typeof prepare>, exact: ExactSolution): MixtureSolution {
  const { status, iterations, residual, backend, potentials, certificate } = exact
  const value = Math.max(0, exact.value)
  return {
    status,
    iterations,
    residual,
    elapsed: performance.now() - start,
    backend,
    value,
    distance: Math.sqrt(value),
    plan: exact.plan(),
    costs: { data: job.costs, shape: [job.source.weights.length, job.target.weights.length] },
    potentials,
    certificate,
  }
}
