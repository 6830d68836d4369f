import { type BackendName, kernels } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import { routeField, routeReportLength } from '../backend/moe.js'
import { checkRunOptions } from '../backend/options.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { generator, type Generator as RandomGenerator } from '../random/index.js'
import { ascend, type FoundChain } from './affinity/ascent.js'
import { type Chain, chainOf, linkLocality, type Placement } from './affinity/chain.js'
import { countPlacements, mostPlacements, solveChain } from './affinity/chain-program.js'
import { moeRunNames } from './checks.js'
import { inKernel, inSteps, runStages, runStagesSync, type Stages } from './stages.js'
import { type CheckedTrace, checkTrace, type ExpertTrace } from './trace.js'

const methods = ['block-ascent', 'exact'] as const

export interface PlaceAffinityOptions
  extends Pick<SolverOptions, 'tolerance' | 'timeLimit' | 'signal' | 'onProgress' | 'backend'> {
  devices: number
  /**
   * `'block-ascent'` (default): layer by layer, from random starts. `'exact'`: dynamic programming over all placements, where
   * a layer has at most 5,000 (8 experts on 4 devices have 2,520).
   */
  method?: (typeof methods)[number]
  /** Random starts. Default 20. */
  starts?: number
  /** Default 0. */
  seed?: number | bigint
  /** Most work of a layer on a device, over the mean of the devices (> 1, or 1). Default: none. */
  loadLimit?: number
  /** Stop when (bound - locality) / bound is no more. Default 1e-9. */
  tolerance?: number
}

export interface PlaceAffinitySolution extends Solution {
  /** For each layer the device of each expert. */
  placement: Placement
  /** Mean over the links between layers of the part of the tokens' steps that stay on their device. */
  locality: number
  /** The same for each link. */
  links: Float64Array
  /** The locality of experts placed in the order of their numbers, to compare with. */
  contiguous: number
  /** No placement has more. */
  bound: number
  /** bound - locality. */
  gap: number
  /** layers × devices: part of the layer's work. */
  load: Float64Array
  /** The largest part of a layer's work on a device, over the mean. */
  imbalance: number
  /** Whether `loadLimit` is kept. */
  feasible: boolean
}

const names: ReadonlySet<string> = new Set([
  ...moeRunNames,
  ...['devices', 'method', 'starts', 'seed', 'loadLimit', 'tolerance'],
])

interface Checked {
  trace: CheckedTrace
  devices: number
  method: (typeof methods)[number]
  starts: number
  random: RandomGenerator
  loadLimit: number
  tolerance: number
  control: Control
  backend: BackendName | undefined
}

/**
 * Places the experts of all layers on devices, equally many of each layer on each device or one more, so that tokens
 * stay on a device from layer to layer as often as can be.
 *
 * For given neighbours the best placement of a layer is a transportation problem, solved exactly; block coordinate ascent
 * does that layer by layer. `bound` is the sum over the links of the best that each could do for itself, relaxed to
 * another transportation problem, with `method: 'exact'` the optimum. `residual` is the relative gap; above `tolerance`
 * the search ends `'stalled'`, which need not be far from the best.
 *
 * @throws {ExtremaError} `ERR_SHAPE` (no trace, fewer than 2 layers), `ERR_INFEASIBLE` (more devices than experts, or no
 * placement within `loadLimit` with `'exact'`), `ERR_OPTION`; the reason of `signal` when aborted.
 *
 * Source of the problem: Yao et al. 2024, "Exploiting Inter-Layer Expert Affinity for Accelerating Mixture-of-Experts
 * Model Inference" (arXiv 2401.08383), who solve it as an integer program.
 */
export async function placeAffinity(trace: ExpertTrace, options: PlaceAffinityOptions): Promise<PlaceAffinitySolution> {
  const start = performance.now()
  const checked = check(trace, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link placeAffinity} on the calling thread. */
export function placeAffinitySync(trace: ExpertTrace, options: PlaceAffinityOptions): PlaceAffinitySolution {
  const start = performance.now()
  const checked = check(trace, options)
  return runStagesSync(solve(checked, start), checked.control)
}

function check(given: ExpertTrace, options: PlaceAffinityOptions): Checked {
  const { control, backend } = checkRunOptions(options, names, '{ devices, … }')
  const trace = checkTrace(given)
  if (trace.layers < 2) throw new ExtremaError('ERR_SHAPE', 'trace: expected two layers or more, got one')
  const devices = whole('devices', options.devices ?? null, 0, 1)
  if (devices > trace.experts) {
    throw new ExtremaError('ERR_INFEASIBLE', `devices: expected at most ${trace.experts} (the experts), got ${devices}`)
  }
  const method = oneOf('method', options.method, methods, 'block-ascent')
  const placements = countPlacements(trace.experts, devices)
  if (method === 'exact' && !(placements <= mostPlacements)) {
    throw new ExtremaError(
      'ERR_OPTION',
      `method: expected at most ${mostPlacements} placements of a layer for 'exact', got ${placements}`,
    )
  }
  const loadLimit = positive('loadLimit', options.loadLimit, Number.MAX_VALUE)
  if (loadLimit < 1) throw new ExtremaError('ERR_OPTION', `loadLimit: expected a number >= 1, got ${loadLimit}`)
  return {
    trace,
    devices,
    method,
    starts: whole('starts', options.starts, 20, 1),
    random: generator(options.seed ?? 0),
    loadLimit: options.loadLimit === undefined ? Number.POSITIVE_INFINITY : loadLimit,
    tolerance: nonNegative('tolerance', options.tolerance, 1e-9),
    control,
    backend,
  }
}

function* solve(checked: Checked, start: number): Stages<PlaceAffinitySolution> {
  const { trace, devices, method, starts, random, backend, tolerance, loadLimit } = checked
  const chain = yield* inSteps((monitor) => chainOf(trace, devices, loadLimit / devices, monitor))
  const links = chain.layers - 1
  let bound = 0
  let found: FoundChain
  if (method === 'exact') {
    const exact = yield* inSteps((monitor) => solveChain(chain, monitor))
    if (exact === undefined) {
      throw new ExtremaError(
        'ERR_INFEASIBLE',
        `loadLimit: expected a limit that some placement keeps, got ${loadLimit} with ${devices} devices`,
      )
    }
    found = exact
    bound = exact.local
  } else {
    for (let l = 0; l < links; l++) bound += yield* linkBound(chain, l, backend)
    const enough = bound * (1 - tolerance)
    found = yield* inSteps((monitor) => ascend(chain, { starts, random, backend, enough }, monitor))
    bound = Math.max(bound, found.local)
  }
  const { placement } = found
  const load = new Float64Array(chain.layers * devices)
  placement.forEach((p, l) => {
    p.forEach((g, i) => {
      load[l * devices + g] += chain.work[l * chain.experts + i]
    })
  })
  const residual = bound === 0 ? 0 : (bound - found.local) / bound
  return {
    status: residual <= tolerance ? 'converged' : found.timeLimit ? 'time-limit' : 'stalled',
    iterations: found.iterations,
    residual,
    elapsed: performance.now() - start,
    backend: kernels(backend).name,
    placement,
    locality: found.local / links,
    links: Float64Array.from({ length: links }, (_, l) => linkLocality(chain, l, placement[l], placement[l + 1])),
    contiguous: contiguousLocality(chain) / links,
    bound: bound / links,
    gap: (bound - found.local) / links,
    load,
    imbalance: load.reduce((x, y) => Math.max(x, y)) * devices,
    feasible: found.excess === 0,
  }
}

/**
 * An expert shares its device with at most ⌈E / G⌉ of the next layer, and the other way round: without the demand that
 * those sharing form devices this is routing with k and capacities of that size.
 */
function* linkBound({ steps, experts, devices }: Chain, l: number, backend: BackendName | undefined): Stages<number> {
  const most = Math.ceil(experts / devices)
  const job = {
    tokens: experts,
    experts,
    k: most,
    partial: true,
    scores: steps[l],
    capacity: new Int32Array(experts).fill(most),
    choices: new Int32Array(experts * most),
    prices: new Float64Array(experts),
    report: new Float64Array(routeReportLength),
  }
  yield* inKernel(kernels(backend).moe.route, job)
  return job.report[routeField.bound]
}

function contiguousLocality(chain: Chain): number {
  const { experts, devices, layers } = chain
  const p = Int32Array.from({ length: experts }, (_, i) => Math.floor((i * devices) / experts))
  let total = 0
  for (let l = 0; l + 1 < layers; l++) total += linkLocality(chain, l, p, p)
  return total
}
