import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Monitor } from '../backend/portable/driver.js'
import { type MatrixLike, shapeText } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, oneOf, type SolverOptions, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { generator, type Generator as RandomGenerator } from '../random/index.js'
import { moeRunNames } from './checks.js'
import { type CalibratedLayer, Reconstruction } from './pruning/reconstruction.js'
import { readFinite } from './quantize.js'
import { inSteps, runStages, runStagesSync, type Stages } from './stages.js'

/** A layer on calibration tokens. */
export interface PruneLayer {
  /** tokens × experts logits of the router. */
  logits: MatrixLike
  /** For each expert its outputs on the calibration tokens: tokens × dimension. */
  outputs: readonly MatrixLike[]
  /** Experts per token. Default 2. */
  k?: number
}

const methods = ['auto', 'enumerate', 'greedy', 'swap', 'frequency', 'random'] as const

export interface PruneOptions extends Pick<SolverOptions, 'timeLimit' | 'signal' | 'onProgress'> {
  /** How many experts to keep. */
  keep: number
  /**
   * `'enumerate'`: all subsets, at most 50,000. `'greedy'`: take away what costs least, one by one. `'swap'`: that, then exchanges
   * while they help. `'frequency'`: keep what is used most; `'random'`: any; as baselines. `'auto'` (default): all subsets if
   * they are few enough, else `'swap'`.
   */
  method?: (typeof methods)[number]
  /** Of `'random'`. Default 0. */
  seed?: number | bigint
}

export interface PruneSolution extends Solution {
  /** The experts to keep, ascending. */
  keep: Int32Array
  /** |Y - Y_S|_F: how much the layer's outputs on the calibration tokens change. */
  value: number
  /** value / |Y|_F. */
  relative: number
  /** Whether all subsets were tried. */
  optimal: boolean
}

const names: ReadonlySet<string> = new Set([
  ...moeRunNames.filter((name) => name !== 'backend'),
  ...['keep', 'method', 'seed'],
])
const layerNames: ReadonlySet<string> = new Set(['logits', 'outputs', 'k'])
const mostSubsets = 50_000

/**
 * Chooses the experts of a layer to keep so that its outputs on calibration tokens change least, when the router chooses
 * and weighs among those kept.
 *
 * `iterations` counts subsets that were tried, `residual` is the relative change. Out of time the best subset so far is
 * returned, with `status: 'time-limit'`.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`; the reason of `signal` when aborted.
 *
 * Source: Lu et al. 2024, "Not All Experts are Equal: Efficient Expert Pruning and Skipping for Mixture-of-Experts Large
 * Language Models" (arXiv 2402.14800), who enumerate.
 */
export async function prune(layer: PruneLayer, options: PruneOptions): Promise<PruneSolution> {
  const start = performance.now()
  const checked = check(layer, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link prune} on the calling thread. */
export function pruneSync(layer: PruneLayer, options: PruneOptions): PruneSolution {
  const start = performance.now()
  const checked = check(layer, options)
  return runStagesSync(solve(checked, start), checked.control)
}

interface Checked {
  layer: CalibratedLayer
  keep: number
  method: Exclude<(typeof methods)[number], 'auto'>
  random: RandomGenerator
  control: Control
}

function check(given: PruneLayer, options: PruneOptions): Checked {
  const { control } = checkRunOptions(options, names, '{ keep, … }')
  const layer = readLayer(given)
  const keep = whole('keep', options.keep ?? null, 0, 1, layer.experts)
  const method = oneOf('method', options.method, methods, 'auto')
  const subsets = choose(layer.experts, keep)
  if (method === 'enumerate' && subsets > mostSubsets) {
    throw new ExtremaError('ERR_OPTION', `method: expected at most ${mostSubsets} subsets to enumerate, got ${subsets}`)
  }
  const chosen = method === 'auto' ? (subsets <= mostSubsets ? 'enumerate' : 'swap') : method
  return { layer, keep, method: chosen, random: generator(options.seed ?? 0), control }
}

function readLayer(given: PruneLayer): CalibratedLayer {
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_SHAPE', `layer: expected { logits, outputs, k }, got ${describe(given)}`)
  }
  checkNames('layer', given, layerNames)
  const { data: logits, rows: tokens, columns: experts } = readFinite('layer.logits', given.logits)
  if (!Array.isArray(given.outputs) || given.outputs.length !== experts) {
    const came = Array.isArray(given.outputs) ? String(given.outputs.length) : describe(given.outputs)
    throw new ExtremaError('ERR_SHAPE', `layer.outputs: expected ${experts} matrices, one for each expert, got ${came}`)
  }
  let dimension = 0
  const outputs = given.outputs.map((matrix, e) => {
    const { data, rows, columns } = readFinite(`layer.outputs[${e}]`, matrix)
    if (e === 0) dimension = columns
    if (rows === tokens && columns === dimension) return data
    const wanted = shapeText(tokens, dimension)
    throw new ExtremaError(
      'ERR_SHAPE',
      `layer.outputs[${e}]: expected ${wanted} numbers, got ${shapeText(rows, columns)}`,
    )
  })
  const k = whole('layer.k', given.k, Math.min(2, experts), 1, experts)
  return { tokens, experts, k, logits, outputs, dimension }
}

function choose(n: number, k: number): number {
  let count = 1
  for (let i = 0; i < k; i++) count = (count * (n - i)) / (i + 1)
  return Math.round(count)
}

function* solve({ layer, keep, method, random }: Checked, start: number): Stages<PruneSolution> {
  const found = yield* inSteps(function* (monitor) {
    const reconstruction = yield* Reconstruction.of(layer, monitor)
    const best = yield* search(layer, keep, method, random, reconstruction, monitor)
    return { ...best, norm: reconstruction.norm, evaluations: reconstruction.evaluations }
  })
  const { kept, loss, norm, evaluations, timeLimit } = found
  const relative = norm === 0 ? 0 : loss / norm
  return {
    status: timeLimit ? 'time-limit' : 'converged',
    iterations: evaluations,
    residual: relative,
    elapsed: performance.now() - start,
    backend: 'portable',
    keep: Int32Array.from(membersOf(kept)),
    value: loss,
    relative,
    optimal: method === 'enumerate' && !timeLimit,
  }
}

interface Subset {
  kept: Uint8Array
  loss: number
}

interface Best extends Subset {
  timeLimit: boolean
}

function membersOf(kept: Uint8Array): number[] {
  const list: number[] = []
  kept.forEach((x, e) => {
    if (x === 1) list.push(e)
  })
  return list
}

function marked(experts: number, list: ArrayLike<number>): Uint8Array {
  const kept = new Uint8Array(experts)
  for (let i = 0; i < list.length; i++) kept[list[i]] = 1
  return kept
}

function* search(
  { experts }: CalibratedLayer,
  keep: number,
  method: Checked['method'],
  random: RandomGenerator,
  reconstruction: Reconstruction,
  monitor: Monitor,
): Generator<void, Best, void> {
  const subset = (kept: Uint8Array): Subset => ({ kept, loss: reconstruction.loss(kept) })
  const frequency = reconstruction.frequency()
  const byUse = Array.from(frequency, (_, e) => e).sort((a, b) => frequency[b] - frequency[a] || a - b)
  const frequent = marked(experts, byUse.slice(0, keep))
  let timeLimit = false
  const pause = function* () {
    if (monitor.due()) yield
    timeLimit ||= monitor.expired()
    return timeLimit
  }

  if (method === 'random') return { ...subset(marked(experts, random.sample(experts, keep))), timeLimit }
  if (method === 'frequency') return { ...subset(frequent), timeLimit }

  let best = subset(frequent)
  if (method === 'enumerate') {
    for (const list of subsetsOf(experts, keep)) {
      const next = subset(marked(experts, list))
      if (next.loss < best.loss) best = next
      if (yield* pause()) break
    }
    return { ...best, timeLimit }
  }

  // Backward: the first removal that costs least, then the next.
  let current: Subset = { kept: new Uint8Array(experts).fill(1), loss: 0 }
  for (let left = experts; left > keep && !timeLimit; left--) {
    let next: Subset | undefined
    for (const e of membersOf(current.kept)) {
      const kept = current.kept.slice()
      kept[e] = 0
      const trial = subset(kept)
      if (next === undefined || trial.loss < next.loss) next = trial
      monitor.progress(reconstruction.evaluations, trial.loss)
      if (yield* pause()) break
    }
    current = next as Subset
  }
  if (timeLimit) return { ...best, timeLimit }
  best = current
  for (let improved = method === 'swap'; improved && !timeLimit; ) {
    improved = false
    for (const out of membersOf(best.kept)) {
      for (let e = 0; e < experts && best.kept[out] === 1; e++) {
        if (best.kept[e] === 1) continue
        const kept = best.kept.slice()
        kept[out] = 0
        kept[e] = 1
        const trial = subset(kept)
        if (trial.loss < best.loss * (1 - 1e-12)) {
          best = trial
          improved = true
        }
        if (yield* pause()) break
      }
      if (timeLimit) break
    }
  }
  return { ...best, timeLimit }
}

/** All subsets of 0 … n - 1 of a size, in lexicographic order. */
function* subsetsOf(n: number, size: number): Generator<Int32Array, void, void> {
  const list = Int32Array.from({ length: size }, (_, i) => i)
  for (;;) {
    yield list
    let i = size - 1
    while (i >= 0 && list[i] === n - size + i) i--
    if (i < 0) return
    list[i]++
    for (let j = i + 1; j < size; j++) list[j] = list[j - 1] + 1
  }
}
