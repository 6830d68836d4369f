import { type BackendName, kernels } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Monitor } from '../backend/portable/driver.js'
import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, oneOf, type SolverOptions, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { generator, type Generator as RandomGenerator } from '../random/index.js'
import { totalOf } from './capacity.js'
import { moeRunNames, nonNegativeVector } from './checks.js'
import { type DeviceLists, type Migration, migrationCost } from './migration.js'
import { branchAndBound } from './placement/exact.js'
import { type Layout, lowerBound, replicate } from './placement/layout.js'
import { packGreedily } from './placement/pack.js'
import { type Found, search } from './placement/search.js'
import { inSteps, runStages, runStagesSync, type Stages } from './stages.js'

const methods = ['optimal-search', 'eplb', 'exact'] as const

export interface PlaceOptions
  extends Pick<SolverOptions, 'tolerance' | 'timeLimit' | 'signal' | 'onProgress' | 'backend'> {
  devices: number
  /** Replicas on each device. Default: from `replicas`. */
  slotsPerDevice?: number
  /** Replicas beyond the first of each expert. Default 0, or as `slotsPerDevice` leaves room for. */
  replicas?: number
  /** Experts come in this many groups of equal size, neighbours in number, that a node takes whole. Only with `nodes`. */
  groups?: number
  /** Devices come in this many nodes of equal size. Default 1. */
  nodes?: number
  /**
   * `'optimal-search'` (default): multi-start local search. `'eplb'`: DeepSeek's public algorithm, as a baseline.
   * `'exact'`: branch and bound, up to 24 slots.
   */
  method?: (typeof methods)[number]
  /** Stop when (value - bound) / value is no more. Default 1e-4. */
  tolerance?: number
  /** Most starts of the search. Default 20. */
  starts?: number
  /** Of the disturbed starts. Default 0. */
  seed?: number | bigint
  /** The placement before: devices are numbered so that most replicas stay, and `migration` counts those that move. */
  previous?: DeviceLists
}

export interface PlaceSolution extends Solution {
  /** The experts of each device, ascending. */
  devices: Int32Array[]
  /** Replicas of each expert. */
  replicas: Int32Array
  /** Load of each device: the sum of load_e / replicas_e. */
  load: Float64Array
  /** The largest load of a device. */
  value: number
  /** value over the mean. */
  imbalance: number
  /** No placement without two replicas of an expert on a device has a smaller value. */
  bound: number
  /** value - bound. */
  gap: number
  /** Replicas that share a device with another of the same expert; only `'eplb'` leaves such. */
  duplicates: number
  migration?: Migration
}

const names: ReadonlySet<string> = new Set([
  ...moeRunNames,
  ...['devices', 'slotsPerDevice', 'replicas', 'groups', 'nodes', 'method', 'starts', 'seed', 'previous', 'tolerance'],
])

/** More than this would take branch and bound too long. */
const mostExact = 24

interface Checked {
  layout: Layout
  nodes: number
  groups: number
  method: (typeof methods)[number]
  starts: number
  tolerance: number
  random: RandomGenerator
  previous: DeviceLists | undefined
  control: Control
  backend: BackendName | undefined
}

/**
 * Places experts on devices, with replicas of the busy ones, so that the most loaded device has least: how many replicas
 * of each expert (no more than devices), and on which devices, equally many on each or one more, never two of an expert
 * on one.
 *
 * `residual` is the relative gap to a lower bound that no placement can beat; `status` is `'converged'` within `tolerance`
 * of it and `'stalled'` when the search has ended above, which need not be far from the best. `iterations` counts swaps.
 *
 * @param load of the experts, >= 0: tokens, or time
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_INFEASIBLE` (fewer slots than experts, or
 * more than devices × experts), `ERR_OPTION`; the reason of `signal` when aborted.
 */
export async function place(load: VectorLike, options: PlaceOptions): Promise<PlaceSolution> {
  const start = performance.now()
  const checked = check(load, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link place} on the calling thread. */
export function placeSync(load: VectorLike, options: PlaceOptions): PlaceSolution {
  const start = performance.now()
  const checked = check(load, options)
  return runStagesSync(solve(checked, start), checked.control)
}

function check(given: VectorLike, options: PlaceOptions): Checked {
  const { control, backend } = checkRunOptions(options, names, '{ devices, … }')
  const load = nonNegativeVector('load', given, 'load').slice()
  const experts = load.length
  if (experts === 0) throw new ExtremaError('ERR_SHAPE', 'load: expected at least one expert, got none')
  const devices = whole('devices', options.devices ?? null, 0, 1)
  const slots = readSlots(options, experts, devices)
  const method = oneOf('method', options.method, methods, 'optimal-search')
  if (method === 'exact' && slots > mostExact) {
    throw new ExtremaError('ERR_OPTION', `method: expected at most ${mostExact} slots for 'exact', got ${slots}`)
  }
  const nodes = whole('nodes', options.nodes, 1, 1, devices)
  const groups = whole('groups', options.groups, nodes, 1, experts)
  if (nodes > 1) {
    divides('devices', devices, 'nodes', nodes)
    divides('slots', slots, 'devices', devices)
    divides('groups', groups, 'nodes', nodes)
    divides('experts', experts, 'groups', groups)
    if (method === 'exact') throw new ExtremaError('ERR_OPTION', `nodes: expected 1 with method 'exact', got ${nodes}`)
    if (slots / nodes < experts / nodes || slots / nodes > (experts / nodes) * (devices / nodes)) {
      throw tooFew(slots, experts, devices / nodes)
    }
  } else if (options.groups !== undefined) {
    throw new ExtremaError('ERR_OPTION', `groups: expected together with nodes > 1, got ${groups} groups and one node`)
  }
  return {
    layout: { load, devices, slots },
    nodes,
    groups,
    method,
    starts: whole('starts', options.starts, 20, 1),
    // The exact method is to be exact.
    tolerance: nonNegative('tolerance', options.tolerance, method === 'exact' ? 0 : 1e-4),
    random: generator(options.seed ?? 0),
    previous: options.previous,
    control,
    backend,
  }
}

function readSlots(options: PlaceOptions, experts: number, devices: number): number {
  const { slotsPerDevice, replicas } = options
  if (slotsPerDevice !== undefined && replicas !== undefined) {
    throw new ExtremaError('ERR_OPTION', 'slotsPerDevice, replicas: expected one of them, got both')
  }
  const slots =
    slotsPerDevice === undefined
      ? experts + whole('replicas', replicas, 0, 0)
      : devices * whole('slotsPerDevice', slotsPerDevice, 0, 1)
  if (slots < experts || slots > experts * devices) throw tooFew(slots, experts, devices)
  return slots
}

function tooFew(slots: number, experts: number, devices: number): ExtremaError {
  const range = `${experts} to ${experts * devices} slots (${experts} experts, at most one replica on each of ${devices} devices)`
  return new ExtremaError('ERR_INFEASIBLE', `devices, slotsPerDevice, replicas: expected ${range}, got ${slots}`)
}

function divides(what: string, count: number, into: string, parts: number): void {
  if (count % parts === 0) return
  throw new ExtremaError('ERR_OPTION', `${into}: expected a divisor of the ${count} ${what}, got ${parts}`)
}

function* solve(checked: Checked, start: number): Stages<PlaceSolution> {
  const { layout, nodes, previous, backend } = checked
  const found = yield* inSteps((monitor) => find(checked, monitor))
  let { devices } = found
  let migration: Migration | undefined
  if (previous !== undefined) {
    migration = migrationCost(previous, devices, { nodes, backend })
    const moved: Int32Array[] = new Array(devices.length)
    migration.relabelling.forEach((to, from) => {
      moved[to] = devices[from]
    })
    devices = moved
  }
  const replicas = new Int32Array(layout.load.length)
  for (const list of devices) for (const e of list) replicas[e]++
  const load = Float64Array.from(devices, (list) => list.reduce((sum, e) => sum + layout.load[e] / replicas[e], 0))
  const value = load.reduce((x, y) => Math.max(x, y))
  const mean = totalOf(layout.load) / layout.devices
  const bound = found.optimal ? value : Math.min(value, lowerBound(layout))
  const residual = value === 0 ? 0 : (value - bound) / value
  return {
    status: residual <= checked.tolerance ? 'converged' : found.timeLimit ? 'time-limit' : 'stalled',
    iterations: found.iterations,
    residual,
    elapsed: performance.now() - start,
    backend: kernels(backend).name,
    devices,
    replicas,
    load,
    value,
    imbalance: mean === 0 ? 1 : value / mean,
    bound,
    gap: value - bound,
    duplicates: devices.reduce((sum, list) => sum + list.length - new Set(list).size, 0),
    ...(migration !== undefined && { migration }),
  }
}

interface Placed extends Omit<Found, 'packing'> {
  devices: Int32Array[]
}

function* find(checked: Checked, monitor: Monitor): Generator<void, Placed, void> {
  if (checked.nodes > 1) return yield* byNodes(checked, monitor)
  const { packing, ...rest } = yield* onDevices(checked, checked.layout, checked.random, monitor)
  return { ...rest, devices: packing.lists() }
}

function* onDevices(
  checked: Checked,
  layout: Layout,
  random: RandomGenerator,
  monitor: Monitor,
): Generator<void, Found, void> {
  const { method } = checked
  if (method === 'eplb') {
    const packing = packGreedily(layout, replicate(layout, Number.POSITIVE_INFINITY))
    return { packing, iterations: 1, optimal: false, timeLimit: false }
  }
  const found = yield* search(layout, checked, random, monitor)
  if (method !== 'exact' || found.optimal || found.timeLimit) return found
  return yield* branchAndBound(layout, found.packing, monitor)
}

/** Groups onto nodes first, then the experts of each node onto its devices: replicas never leave their node. */
function* byNodes(checked: Checked, monitor: Monitor): Generator<void, Placed, void> {
  const { layout, nodes, groups, random } = checked
  const perGroup = layout.load.length / groups
  const groupLoad = Float64Array.from({ length: groups }, (_, group) =>
    totalOf(layout.load.subarray(group * perGroup, (group + 1) * perGroup)),
  )
  const outer = { load: groupLoad, devices: nodes, slots: groups }
  const { packing, ...found } = yield* onDevices(checked, outer, random.split(0), monitor)
  const devices: Int32Array[] = []
  for (const [node, list] of packing.lists().entries()) {
    const experts = Array.from(list).flatMap((group) =>
      Array.from({ length: perGroup }, (_, e) => group * perGroup + e),
    )
    const inner = {
      load: Float64Array.from(experts, (e) => layout.load[e]),
      devices: layout.devices / nodes,
      slots: layout.slots / nodes,
    }
    const part = yield* onDevices(checked, inner, random.split(1 + node), monitor)
    devices.push(...part.packing.lists().map((own) => own.map((e) => experts[e])))
    found.iterations += part.iterations
    found.timeLimit ||= part.timeLimit
  }
  return { ...found, devices, optimal: false }
}
