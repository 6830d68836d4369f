import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Monitor } from '../backend/portable/driver.js'
import type { MatrixLike, VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { flag, oneOf, type SolverOptions } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { readCapacities } from './caching/capacities.js'
import { costOf, type Optimum, optimum } from './caching/optimum.js'
import { type CachePolicy, policies, replay } from './caching/policies.js'
import { type CacheSetting, type Requests, requestsOf } from './caching/requests.js'
import { perExpert } from './per-expert.js'
import { inSteps, runStages, runStagesSync, type Stages } from './stages.js'
import { checkTrace, type ExpertTrace } from './trace.js'

export type { CachePolicy } from './caching/policies.js'

const scopes = ['layer', 'shared'] as const

export interface CacheOptions extends Pick<SolverOptions, 'signal' | 'onProgress'> {
  /** Experts that fit: of each layer's cache, or of each layer a number (see `allocateSlots`), or of the shared one. */
  slots?: number | ArrayLike<number>
  /** Instead of `slots`: bytes that fit, in units of `sizes`. */
  bytes?: number | VectorLike
  /** A cache for each layer (default), or one for all. */
  scope?: (typeof scopes)[number]
  /** Bytes of each expert, or of each of each layer. Only with `bytes`. Default 1. */
  sizes?: VectorLike | MatrixLike
  /** What a load costs, of each expert or of each of each layer. Default 1. */
  costs?: VectorLike | MatrixLike
  /**
   * What to evict: least recently or frequently used, first or last in (of the same layer, if shared), `'2q'`, `'static'`: what
   * is requested least in the whole trace; with knowledge of the future `'belady'`: what is requested last, and
   * `'optimal'`: the least cost there is, for experts of one size. Default `'lru'`.
   */
  policy?: CachePolicy
  /** Also find what no policy can beat. Default true. */
  bound?: boolean
}

export interface CacheSolution extends Solution {
  requests: number
  misses: number
  /** Part of the requests that are not misses. */
  hitRate: number
  /** Cost of the misses. */
  value: number
  /** Size of what was loaded. */
  bytes: number
  /** Misses of each layer. */
  layerMisses: Float64Array
  /**
   * No policy that loads what it misses has a lower cost, not even one that knows the future: the optimum where all sizes are
   * equal, else that of the linear relaxation.
   */
  bound?: number
  /** value - bound. */
  gap?: number
  /** Which requests missed: layers × tokens × k, as in the trace. */
  missed: Uint8Array
}

const names: ReadonlySet<string> = new Set([
  ...['signal', 'onProgress', 'slots', 'bytes', 'scope', 'sizes', 'costs', 'policy', 'bound'],
])

interface Checked {
  setting: CacheSetting
  policy: CachePolicy
  bound: boolean
  control: Control
}

/**
 * Replays a trace of expert requests through caches that hold a part of the experts, and says how far the policy is from
 * the best possible.
 *
 * Requests come one after the other: token by token in each layer's own cache, through all layers in a shared one. On a miss
 * the expert is loaded and others are evicted until it fits. `residual` is the gap relative to the value.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_INFEASIBLE` (a capacity below one expert),
 * `ERR_OPTION`; the reason of `signal` when aborted.
 *
 * Sources: Belady 1966, "A study of replacement algorithms for a virtual-storage computer"; Mattson et al. 1970.
 */
export async function cache(trace: ExpertTrace, options: CacheOptions): Promise<CacheSolution> {
  const start = performance.now()
  const checked = check(trace, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link cache} on the calling thread. */
export function cacheSync(trace: ExpertTrace, options: CacheOptions): CacheSolution {
  const start = performance.now()
  const checked = check(trace, options)
  return runStagesSync(solve(checked, start), checked.control)
}

function check(given: ExpertTrace, options: CacheOptions): Checked {
  const { control } = checkRunOptions(options, names, '{ slots, … }')
  const trace = checkTrace(given)
  const scope = oneOf('scope', options.scope, scopes, 'layer')
  const sizes = perExpert('sizes', options.sizes, trace)
  const costs = perExpert('costs', options.costs, trace, true)
  const capacities = readCapacities(options, scope === 'shared' ? 1 : trace.layers)
  const setting = { trace, scope, sizes, costs, capacities }
  for (const requests of requestsOf(setting)) checkFits(requests, options.bytes === undefined ? 'slots' : 'bytes')
  const policy = oneOf('policy', options.policy, policies, 'lru')
  if (policy === 'optimal' && new Set(sizes).size > 1) {
    throw new ExtremaError('ERR_OPTION', "policy: expected experts of one size for 'optimal', got different sizes")
  }
  return { setting, policy, bound: flag('bound', options.bound, true), control }
}

function checkFits({ item, size, capacity, layerOf }: Requests, name: string): void {
  for (const x of item) {
    if (size[x] <= capacity) continue
    const expert = `an expert of layer ${layerOf(x)} takes ${size[x]}`
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      `${name}: expected room for one expert at least (${expert}), got ${capacity}`,
    )
  }
}

function* solve({ setting, policy, bound, control: _ }: Checked, start: number): Stages<CacheSolution> {
  const { trace, scope } = setting
  const { layers, tokens, k } = trace
  const missed = new Uint8Array(trace.data.length)
  const layerMisses = new Float64Array(layers)
  const sums = { value: 0, bytes: 0, bound: 0, misses: 0 }
  let cacheIndex = 0
  for (const requests of requestsOf(setting)) {
    const own = yield* inSteps((monitor) => run(requests, policy, bound, monitor))
    sums.value += costOf(requests, own.missed)
    sums.bound += own.best?.cost ?? 0
    for (let i = 0; i < requests.item.length; i++) {
      if (own.missed[i] === 0) continue
      const x = requests.item[i]
      sums.misses++
      sums.bytes += requests.size[x]
      layerMisses[requests.layerOf(x)]++
      missed[scope === 'layer' ? cacheIndex * tokens * k + i : placeOf(i, trace)] = 1
    }
    cacheIndex++
  }
  const gap = sums.value - sums.bound
  return {
    status: 'converged',
    iterations: trace.data.length,
    residual: bound && sums.value > 0 ? Math.max(0, gap) / sums.value : 0,
    elapsed: performance.now() - start,
    backend: 'portable',
    requests: trace.data.length,
    misses: sums.misses,
    hitRate: 1 - sums.misses / trace.data.length,
    value: sums.value,
    bytes: sums.bytes,
    layerMisses,
    ...(bound && { bound: sums.bound, gap }),
    missed,
  }
}

/** Where request i of a shared cache is in the trace. */
function placeOf(i: number, { layers, tokens, k }: { layers: number; tokens: number; k: number }): number {
  const token = Math.floor(i / (layers * k))
  const layer = Math.floor(i / k) % layers
  return (layer * tokens + token) * k + (i % k)
}

interface Run {
  missed: Uint8Array
  best: Optimum | undefined
}

function* run(requests: Requests, policy: CachePolicy, bound: boolean, monitor: Monitor): Generator<void, Run, void> {
  if (policy === 'optimal') {
    const best = yield* optimum(requests, monitor)
    return { missed: best.missed as Uint8Array, best }
  }
  const missed = yield* replay(requests, policy, monitor)
  return { missed, best: bound ? yield* optimum(requests, monitor) : undefined }
}
