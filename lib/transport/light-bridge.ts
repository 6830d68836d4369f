import type { SolverOptions } from '../core/options.js'
import { fitBridge, fitBridgeSync } from './light-bridge/fit.js'
import { fromJson, type LightBridgeJson } from './light-bridge/json.js'
import { bridgeOf, type LightBridge, type LightBridgeSolution } from './light-bridge/model.js'
import type { LightBridgeOptions } from './light-bridge/options.js'
import type { LightBridgeProblem, SamplerSync } from './light-bridge/problem.js'

/**
 * Light Schrödinger Bridge: from two unpaired sets of points (n × D and m × D) or two samplers, a stochastic map from one
 * distribution to the other with noise `epsilon`, and the process in between. It is the entropic plan for the cost
 * ½|x0 - x1|², with its potential as a mixture of K Gaussians, so that densities, draws, drift and paths of the fitted
 * model are closed forms.
 *
 * The points are centred and divided by one number before the fit; the model takes and gives points in their own units,
 * as `epsilon` is. Points are copied. Samplers are asked for 64 minibatches at a time, in turn, source first, ahead of
 * their use.
 *
 * The fit is not convex: `seed` and `components` matter. `residual` is the largest derivative of the loss by log-weights,
 * means in units of sqrt(epsilon) and log-scales, on up to 20,000 points of each side (samplers: on the last points). Adam
 * usually ends with `'iteration-limit'`: what is left is the noise of its minibatches. When the loss stops being finite, or
 * L-BFGS finds no better point, the last good parameters are returned with `status: 'stalled'`. `warnings` tells what
 * was changed or looks wrong.
 *
 * @throws {ExtremaError} `ERR_SHAPE` (fewer than 2 points, dimensions that differ), `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`,
 * `ERR_OPTION`, `ERR_ORACLE` (a sampler's points are of the wrong shape), `ERR_BUFFER`; what a sampler throws; the reason of
 * `signal` when aborted.
 *
 * Source: Korotin, Gushchin, Burnaev, ICLR 2024 (arXiv 2310.01174); `objective: 'matching'` after Gushchin, Kholkin,
 * Burnaev, Korotin, ICML 2024 (arXiv 2402.03207).
 */
export async function lightBridge(
  problem: LightBridgeProblem,
  options: LightBridgeOptions,
): Promise<LightBridgeSolution> {
  return fitBridge(problem, options)
}

/** {@link lightBridge} on the calling thread. Samplers must be synchronous. */
export function lightBridgeSync(
  problem: LightBridgeProblem<SamplerSync>,
  options: LightBridgeOptions,
): LightBridgeSolution {
  return fitBridgeSync(problem, options)
}

/**
 * The bridge of `bridge.toJSON()`, an object or its text; or one of given parameters.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_OPTION`, naming the field.
 */
export function lightBridgeFromJSON(
  json: LightBridgeJson | string,
  options: Pick<SolverOptions, 'threads' | 'backend'> = {},
): LightBridge {
  return bridgeOf(fromJson(json, options))
}
