import { kernels } from '../backend/index.js'
import { generator } from '../random/index.js'
import { OnlineDictionary } from './dictionary/learner.js'
import { checkOptions, checkRun, type OnlineDictionaryOptions } from './dictionary/options.js'
import { startOf } from './dictionary/start.js'
import { fromState, type OnlineDictionaryState } from './dictionary/state.js'

export type { DictionaryGap, DictionaryUpdate, UpdateOptions, UpdateStreamOptions } from './dictionary/update.js'
export { OnlineDictionary, type OnlineDictionaryOptions, type OnlineDictionaryState }

/**
 * Learns, from a stream of vectors y = D x with sparse x, an orthogonal N × N dictionary D: a basis in which samples such as
 * sensor windows or small patches are sparse, up to order and signs. Nothing of the stream is kept: a step costs O(N² B +
 * N³) for B samples, the state O(N²).
 *
 * The orthogonal group is relaxed to its convex hull, the matrices W of spectral norm at most 1, over which E ‖Wᵀ y‖_p^p is
 * made large by Frank-Wolfe steps: with the average gradient G <- (1 - rho_t) G + rho_t g_t and its polar factor S, the
 * best vertex, W <- W + gamma_t (S - W). A maximum of a convex function is at a vertex, an orthogonal matrix. Samples should
 * have mean 0, and without `whiten` about equal variances in all directions.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`, `ERR_SHAPE`, `ERR_NOT_FINITE` (`initial`), `ERR_BACKEND`
 *
 * Source: Xue, Lau, Online Orthogonal Dictionary Learning Based on Frank-Wolfe Method, arXiv 2103.01484.
 */
export function onlineDictionary(options: OnlineDictionaryOptions): OnlineDictionary {
  const settings = checkOptions(options)
  const { n } = settings
  kernels(settings.backend)
  const random = generator(options.seed ?? 0)
  return new OnlineDictionary(settings, {
    steps: 0,
    samples: 0,
    scale: 0,
    relaxed: startOf(options.initial, n, random),
    averaged: new Float64Array(n * n),
    covariance: null,
    whitening: null,
    seen: 0,
    whitenedAt: 0,
    moments: [0, 0, 0],
  })
}

/**
 * A learner that goes on where the one that gave `state` stood.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_SHAPE`, `ERR_NOT_FINITE` if it is not such a state
 */
onlineDictionary.fromState = (
  state: OnlineDictionaryState,
  options: Pick<OnlineDictionaryOptions, 'threads' | 'backend'> = {},
): OnlineDictionary => {
  const run = checkRun(options)
  const { settings, now } = fromState(state)
  return new OnlineDictionary({ ...settings, ...run }, now)
}
