import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Monitor } from '../backend/portable/driver.js'
import type { MatrixLike, VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { readCapacities } from './caching/capacities.js'
import { perExpert } from './per-expert.js'
import type { PrefetchSets } from './prefetch.js'
import { Device, type ResidencePolicy, residencePolicies, type Stock } from './simulation/device.js'
import { inSteps, runStages, runStagesSync, type Stages } from './stages.js'
import { type CheckedTrace, checkTrace, type ExpertTrace } from './trace.js'

export interface SimulateOptions extends Pick<SolverOptions, 'signal' | 'onProgress'> {
  /** Experts of a layer that fit on a device, for all layers or for each (see `allocateSlots`). Default: all. */
  slots?: number | ArrayLike<number>
  /** Instead of `slots`: bytes of a layer that fit on a device, in units of `sizes`. */
  bytes?: number | VectorLike
  /** `'shared'`: `slots` or `bytes` are for all layers together. Default `'layer'`. */
  scope?: 'layer' | 'shared'
  /** Bytes of each expert, or of each of each layer. Default 1. */
  sizes?: VectorLike | MatrixLike
  /** Bytes per millisecond that a device loads. */
  bandwidth: number
  /** Milliseconds of a load before its bytes come. Default 0. */
  loadLatency?: number
  /** Milliseconds that an expert takes for a token. */
  expertTime: number
  /** Milliseconds of a layer besides its experts, for a batch. Default 0. */
  layerTime?: number
  /** Tokens of a batch. Default 1. */
  batch?: number
  /** Devices. Default: as `placement` says, else 1. */
  devices?: number
  /** For each layer the device of each expert, as from `placeAffinity`. Default: expert e on device e mod devices. */
  placement?: ArrayLike<ArrayLike<number>>
  /** Which expert a full device gives up. Default `'lru'`. */
  policy?: ResidencePolicy
  /** What to load ahead, as from `prefetch`: for the next layer, as soon as a layer begins. */
  prefetch?: PrefetchSets
  /** Bytes of a token's activations that go to a device where it was not in the layer before. Default 0. */
  activationBytes?: number
  /** Bytes per millisecond into a device, for activations. Default: no limit. */
  interconnect?: number
}

export interface SimulateSolution extends Solution {
  /** Milliseconds from the first batch to the end of the last. */
  time: number
  /** Tokens per second. */
  throughput: number
  /** Milliseconds of a batch: mean, median and the 99th percentile. */
  latency: { mean: number; p50: number; p99: number }
  /** Milliseconds that devices waited for loads, summed. */
  stall: number
  /** Part of the requests (an expert in a layer of a batch) that did not wait for a load of their own to begin. */
  hitRate: number
  /** Bytes loaded. */
  bytes: number
  /** Bytes of activations moved between devices. */
  activationBytes: number
  /** Experts loaded ahead, and the part of them that was used. */
  prefetched: { loads: number; used: number }
  /** Milliseconds that each device computed. */
  busy: Float64Array
  /** The time if all experts were always there: no policy can be faster. */
  bound: number
  /** time - bound. */
  gap: number
}

const scopes = ['layer', 'shared'] as const
const names: ReadonlySet<string> = new Set([
  ...[
    'signal',
    'onProgress',
    'slots',
    'bytes',
    'sizes',
    'bandwidth',
    'loadLatency',
    'expertTime',
    'layerTime',
    'batch',
  ],
  ...['devices', 'placement', 'policy', 'prefetch', 'activationBytes', 'scope', 'interconnect'],
])

interface Checked {
  trace: CheckedTrace
  batch: number
  devices: number
  /** layers × experts */
  deviceOf: Int32Array
  sizes: Float64Array
  stock: Stock
  expertTime: number
  layerTime: number
  prefetch: PrefetchSets | undefined
  activationBytes: number
  interconnect: number
  control: Control
}

/**
 * Plays a trace through a model of a server whose devices hold a part of the experts: batches one after the other, layer by
 * layer, all devices in step. A device computes the experts that are there while others are loaded over its link, one after
 * the other; loads ahead give way to those that are needed. Deterministic: the same input gives the same times.
 *
 * `residual` is the part of the time beyond `bound`.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_INFEASIBLE` (a device has no room for the
 * experts that a batch needs in a layer), `ERR_OPTION`; the reason of `signal` when aborted.
 */
export async function simulate(trace: ExpertTrace, options: SimulateOptions): Promise<SimulateSolution> {
  const start = performance.now()
  const checked = check(trace, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link simulate} on the calling thread. */
export function simulateSync(trace: ExpertTrace, options: SimulateOptions): SimulateSolution {
  const start = performance.now()
  const checked = check(trace, options)
  return runStagesSync(solve(checked, start), checked.control)
}

function check(given: ExpertTrace, options: SimulateOptions): Checked {
  const { control } = checkRunOptions(options, names, '{ slots, bandwidth, expertTime, … }')
  const trace = checkTrace(given)
  const { devices, deviceOf } = readPlacement(trace, options)
  const sizes = perExpert('sizes', options.sizes, trace)
  const isShared = oneOf('scope', options.scope, scopes, 'layer') === 'shared'
  const bandwidth = positive('bandwidth', options.bandwidth)
  const latency = nonNegative('loadLatency', options.loadLatency, 0)
  return {
    trace,
    batch: whole('batch', options.batch, 1, 1),
    devices,
    deviceOf,
    sizes,
    stock: {
      policy: oneOf('policy', options.policy, residencePolicies, 'lru'),
      sizeOf: (item) => sizes[item],
      loadTime: (item) => latency + sizes[item] / bandwidth,
      partOf: isShared ? () => 0 : (item) => Math.floor(item / trace.experts),
      capacities: readRoom(options, isShared ? 1 : trace.layers),
    },
    expertTime: nonNegative('expertTime', options.expertTime ?? null, 0),
    layerTime: nonNegative('layerTime', options.layerTime, 0),
    prefetch: readSets(options.prefetch, trace),
    activationBytes: nonNegative('activationBytes', options.activationBytes, 0),
    interconnect:
      options.interconnect === undefined ? Number.POSITIVE_INFINITY : positive('interconnect', options.interconnect),
    control,
  }
}

function readRoom({ slots, bytes, sizes }: SimulateOptions, parts: number): Float64Array {
  if (slots === undefined && bytes === undefined) return new Float64Array(parts).fill(Number.MAX_VALUE)
  return readCapacities({ slots, bytes, sizes }, parts)
}

function readPlacement({ layers, experts }: CheckedTrace, options: SimulateOptions) {
  const { placement } = options
  const deviceOf = new Int32Array(layers * experts)
  if (placement === undefined) {
    const devices = whole('devices', options.devices, 1, 1)
    return { devices, deviceOf: deviceOf.map((_, i) => (i % experts) % devices) }
  }
  if (typeof placement !== 'object' || placement === null || placement.length !== layers) {
    const came = typeof placement === 'object' && placement !== null ? String(placement.length) : describe(placement)
    throw new ExtremaError('ERR_SHAPE', `placement: expected ${layers} layers of devices, got ${came}`)
  }
  let highest = 0
  for (let l = 0; l < layers; l++) {
    if (placement[l]?.length !== experts) {
      throw new ExtremaError(
        'ERR_SHAPE',
        `placement[${l}]: expected ${experts} devices, got ${placement[l]?.length ?? describe(placement[l])}`,
      )
    }
    for (let e = 0; e < experts; e++) {
      deviceOf[l * experts + e] = whole(`placement[${l}][${e}]`, placement[l][e] ?? null, 0, 0)
      highest = Math.max(highest, placement[l][e])
    }
  }
  return { devices: whole('devices', options.devices, highest + 1, highest + 1), deviceOf }
}

function readSets(sets: PrefetchSets | undefined, { layers, tokens, experts }: CheckedTrace): PrefetchSets | undefined {
  if (sets === undefined) return undefined
  const isRight =
    typeof sets === 'object' &&
    sets !== null &&
    sets.layers === layers &&
    sets.tokens === tokens &&
    sets.indptr?.length === layers * tokens + 1 &&
    sets.indices?.length === sets.indptr[layers * tokens]
  if (!isRight) {
    throw new ExtremaError('ERR_SHAPE', `prefetch: expected sets for ${layers} layers × ${tokens} tokens, got others`)
  }
  for (let i = 0; i < sets.indices.length; i++) whole(`prefetch.indices[${i}]`, sets.indices[i], 0, 0, experts - 1)
  return sets
}

function* solve(checked: Checked, start: number): Stages<SimulateSolution> {
  const { trace, batch } = checked
  const { devices, latencies, bound, activationBytes } = yield* inSteps((monitor) => play(checked, monitor))
  const time = latencies.reduce((sum, x) => sum + x, 0)
  const total = (key: 'requests' | 'misses' | 'bytes' | 'ahead' | 'aheadUsed' | 'stall') =>
    devices.reduce((sum, { counts }) => sum + counts[key], 0)
  const sorted = latencies.slice().sort()
  const percentile = (p: number) => sorted[Math.min(sorted.length - 1, Math.ceil(p * sorted.length) - 1)]
  return {
    status: 'converged',
    iterations: Math.ceil(trace.tokens / batch),
    residual: time === 0 ? 0 : (time - bound) / time,
    elapsed: performance.now() - start,
    backend: 'portable',
    time,
    throughput: time === 0 ? Number.MAX_VALUE : (1000 * trace.tokens) / time,
    latency: { mean: time / latencies.length, p50: percentile(0.5), p99: percentile(0.99) },
    stall: total('stall'),
    hitRate: 1 - total('misses') / total('requests'),
    bytes: total('bytes'),
    activationBytes,
    prefetched: { loads: total('ahead'), used: total('aheadUsed') },
    busy: Float64Array.from(devices, ({ counts }) => counts.busy),
    bound,
    gap: time - bound,
  }
}

function* play(checked: Checked, monitor: Monitor) {
  const { trace, batch, deviceOf, sizes, stock, expertTime, layerTime } = checked
  const { layers, tokens, experts, k, data } = trace
  const devices = Array.from({ length: checked.devices }, () => new Device(stock))
  const latencies = new Float64Array(Math.ceil(tokens / batch))
  let now = 0
  let bound = 0
  let moved = 0
  for (let b = 0; b < latencies.length; b++) {
    const from = b * batch
    const to = Math.min(tokens, from + batch)
    const begin = now
    for (let l = 0; l < layers; l++) {
      const needed: Map<number, number>[] = devices.map(() => new Map())
      for (let i = (l * tokens + from) * k; i < (l * tokens + to) * k; i++) {
        const item = l * experts + data[i]
        const own = needed[deviceOf[item]]
        own.set(item, (own.get(item) ?? 0) + expertTime)
      }
      const arriving = arrivals(checked, l, from, to)
      const transfer = (checked.activationBytes * arriving.reduce((x, y) => Math.max(x, y), 0)) / checked.interconnect
      moved += checked.activationBytes * arriving.reduce((sum, x) => sum + x, 0)
      const ready = now + layerTime + transfer
      checkRoom(needed, sizes, stock.capacities.length === 1 ? stock.capacities[0] : stock.capacities[l], l)
      let end = ready
      let longest = 0
      devices.forEach((device, g) => {
        end = Math.max(end, device.compute(ready, needed[g]))
        let work = 0
        for (const x of needed[g].values()) work += x
        longest = Math.max(longest, work)
      })
      bound += layerTime + transfer + longest
      loadNext(checked, devices, ready, needed, l, from, to)
      now = end
    }
    latencies[b] = now - begin
    monitor.progress(b + 1, latencies.length - b - 1)
    if (monitor.due()) yield
  }
  return { devices, latencies, bound, activationBytes: moved }
}

/** Tokens that come to each device in layer l without having been there in the layer before. */
function arrivals({ trace, devices, deviceOf }: Checked, l: number, from: number, to: number): number[] {
  const { tokens, experts, k, data } = trace
  const count = new Array<number>(devices).fill(0)
  if (l === 0) return count
  const at = (layer: number, t: number) => {
    const list = new Set<number>()
    const first = (layer * tokens + t) * k
    for (let i = first; i < first + k; i++) list.add(deviceOf[layer * experts + data[i]])
    return list
  }
  for (let t = from; t < to; t++) {
    const before = at(l - 1, t)
    for (const g of at(l, t)) if (!before.has(g)) count[g]++
  }
  return count
}

function checkRoom(needed: Map<number, number>[], sizes: Float64Array, capacity: number, layer: number): void {
  for (const own of needed) {
    let size = 0
    for (const item of own.keys()) size += sizes[item]
    if (size <= capacity * (1 + 1e-12)) continue
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      `slots, bytes: expected room for the experts that a batch needs in layer ${layer} (${size}), got ${capacity}`,
    )
  }
}

/** Loads ahead for the layer that comes next, of this batch or the next one. */
function loadNext(
  { trace, batch, prefetch, deviceOf }: Checked,
  devices: Device[],
  now: number,
  needed: Map<number, number>[],
  l: number,
  from: number,
  to: number,
): void {
  if (prefetch === undefined) return
  const { layers, tokens, experts } = trace
  const isLast = l + 1 === layers
  const layer = isLast ? 0 : l + 1
  const [first, end] = isLast ? [to, Math.min(tokens, to + batch)] : [from, to]
  for (let t = first; t < end; t++) {
    const place = layer * tokens + t
    for (let i = prefetch.indptr[place]; i < prefetch.indptr[place + 1]; i++) {
      const item = layer * experts + prefetch.indices[i]
      devices[deviceOf[item]].loadAhead(now, item, needed[deviceOf[item]])
    }
  }
}
