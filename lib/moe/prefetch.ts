import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Monitor } from '../backend/portable/driver.js'
import type { MatrixLike, NdArray, VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, oneOf, positive, type SolverOptions } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { multipleChoice } from './multiple-choice.js'
import { perExpert } from './per-expert.js'
import { ChoiceModel, sources } from './prediction/model.js'
import { inSteps, runStages, runStagesSync, type Stages } from './stages.js'
import { type CheckedTrace, checkTrace, type ExpertTrace } from './trace.js'

const predictors = ['markov', 'last-token', 'frequent', 'none'] as const

export interface PrefetchOptions extends Pick<SolverOptions, 'signal' | 'onProgress'> {
  /** Bytes that can be loaded ahead for each token and layer, in units of `sizes`. */
  budget: number
  /** Bytes of each expert, or of each of each layer. Default 1. */
  sizes?: VectorLike | MatrixLike
  /** Time that loading ahead saves if the expert is used, of each expert or of each of each layer. Default 1. */
  costs?: VectorLike | MatrixLike
  /**
   * `'markov'` (default): from the layer before, the token before and the frequencies. `'last-token'`: what the token before
   * used; `'frequent'`: what is used most; `'none'`; as baselines.
   */
  predictor?: (typeof predictors)[number]
  /** Part of the tokens that the predictor learns from; sets are chosen for the others. Default 0.5. */
  trainFraction?: number
}

/** Experts to load ahead, for each layer and token: those of layer l, token t are indices[indptr[i] … indptr[i + 1]) at i = l × tokens + t. */
export interface PrefetchSets {
  layers: number
  tokens: number
  indptr: Int32Array
  indices: Int32Array
}

export interface PrefetchSolution extends Solution {
  sets: PrefetchSets
  /** The first token that sets are chosen for. */
  from: number
  /** Part of the experts loaded ahead that are used. */
  precision: number
  /** Part of the requests that were loaded ahead. */
  recall: number
  /** Sum of the costs of what was loaded ahead and used. */
  value: number
  /** The same if the future were known: no choice within the budget saves more. */
  bound: number
  /** bound - value. */
  gap: number
  /** Bytes loaded ahead. */
  bytes: number
  /**
   * `'markov'`: layers × 4 weights of what follows the layer before, what follows the token before, the token before itself
   * and the frequencies.
   */
  weights?: NdArray
}

const names: ReadonlySet<string> = new Set([
  ...['signal', 'onProgress', 'budget', 'sizes', 'costs', 'predictor', 'trainFraction'],
])

interface Checked {
  trace: CheckedTrace
  budget: number
  sizes: Float64Array
  costs: Float64Array
  predictor: (typeof predictors)[number]
  from: number
  control: Control
}

/**
 * Chooses which experts to load before a layer's router has spoken: a predictor, learned from the first tokens of a trace,
 * gives the probability that each is used, and a knapsack the set with the greatest expected saving within the budget. The
 * sets are chosen for the tokens that follow, and measured on them; `simulate` takes them.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_OPTION`; the reason of `signal` when aborted.
 */
export async function prefetch(trace: ExpertTrace, options: PrefetchOptions): Promise<PrefetchSolution> {
  const start = performance.now()
  const checked = check(trace, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link prefetch} on the calling thread. */
export function prefetchSync(trace: ExpertTrace, options: PrefetchOptions): PrefetchSolution {
  const start = performance.now()
  const checked = check(trace, options)
  return runStagesSync(solve(checked, start), checked.control)
}

function check(given: ExpertTrace, options: PrefetchOptions): Checked {
  const { control } = checkRunOptions(options, names, '{ budget, … }')
  const trace = checkTrace(given)
  const budget = positive('budget', options.budget)
  const fraction = nonNegative('trainFraction', options.trainFraction, 0.5)
  const from = Math.floor(fraction * trace.tokens)
  if (from < 1 || from >= trace.tokens) {
    throw new ExtremaError(
      'ERR_OPTION',
      `trainFraction: expected a part that leaves tokens on both sides of ${trace.tokens}, got ${fraction}`,
    )
  }
  return {
    trace,
    budget,
    sizes: perExpert('sizes', options.sizes, trace),
    costs: perExpert('costs', options.costs, trace, true),
    predictor: oneOf('predictor', options.predictor, predictors, 'markov'),
    from,
    control,
  }
}

function* solve(checked: Checked, start: number): Stages<PrefetchSolution> {
  const found = yield* inSteps((monitor) => choose(checked, monitor))
  const { used, chosen, requests, value, bound, ...rest } = found
  return {
    status: 'converged',
    iterations: requests,
    residual: bound === 0 ? 0 : (bound - value) / bound,
    elapsed: performance.now() - start,
    backend: 'portable',
    ...rest,
    from: checked.from,
    precision: chosen === 0 ? 0 : used / chosen,
    recall: used / requests,
    value,
    bound,
    gap: bound - value,
  }
}

function* choose(checked: Checked, monitor: Monitor) {
  const { trace, budget, sizes, costs, predictor, from } = checked
  const { layers, tokens, experts, k, data } = trace
  const model =
    predictor === 'markov' || predictor === 'frequent' ? yield* ChoiceModel.learn(trace, from, monitor) : undefined
  const probability = new Float64Array(experts)
  const indptr = new Int32Array(layers * tokens + 1)
  const indices: number[] = []
  const sums = { used: 0, chosen: 0, requests: 0, value: 0, bound: 0, bytes: 0 }
  for (let l = 0; l < layers; l++) {
    const [size, cost] = [sizes, costs].map((list) => list.subarray(l * experts, (l + 1) * experts))
    const pick = new Picker(size, cost, budget)
    for (let t = 0; t < tokens; t++) {
      const place = l * tokens + t
      if (t >= from) {
        const here = data.subarray(place * k, (place + 1) * k)
        if (predictor === 'markov') model?.probabilities(l, t, probability)
        else if (predictor === 'frequent') model?.frequencies(l, probability)
        else {
          probability.fill(0)
          if (predictor === 'last-token') for (const e of data.subarray((place - 1) * k, place * k)) probability[e] = 1
        }
        const list = yield* pick.best(probability, monitor)
        for (const e of list) {
          sums.bytes += size[e]
          if (!here.includes(e)) continue
          sums.used++
          sums.value += cost[e]
        }
        indices.push(...list)
        sums.chosen += list.length
        sums.requests += k
        probability.fill(0)
        for (const e of here) probability[e] = 1
        for (const e of yield* pick.best(probability, monitor)) sums.bound += cost[e]
        if (monitor.due()) yield
      }
      indptr[place + 1] = indices.length
    }
  }
  const weights: NdArray | undefined =
    predictor === 'markov' ? { data: (model as ChoiceModel).weights, shape: [layers, sources.length] } : undefined
  const sets: PrefetchSets = { layers, tokens, indptr, indices: Int32Array.from(indices) }
  return { sets, ...sums, ...(weights && { weights }) }
}

/** Chooses the experts with the greatest probability × cost within the budget. */
class Picker {
  private readonly equal: boolean

  constructor(
    private readonly size: Float64Array,
    private readonly cost: Float64Array,
    private readonly budget: number,
  ) {
    this.equal = size.every((s) => s === size[0])
  }

  *best(probability: Float64Array, monitor: Monitor): Generator<void, number[], void> {
    const { size, cost, budget } = this
    const gain = (e: number) => probability[e] * cost[e]
    const useful: number[] = []
    for (let e = 0; e < size.length; e++) if (gain(e) > 0 && size[e] <= budget) useful.push(e)
    if (this.equal) {
      useful.sort((a, b) => gain(b) - gain(a) || a - b)
      return useful.slice(0, Math.floor((budget * (1 + 1e-12)) / size[0])).sort((a, b) => a - b)
    }
    const problem = {
      sizes: useful.map((e) => Float64Array.of(0, size[e])),
      losses: useful.map((e) => Float64Array.of(0, -gain(e))),
      budget,
    }
    const { chosen } = yield* multipleChoice(problem, monitor)
    return useful.filter((_, i) => (chosen as Int32Array)[i] === 1)
  }
}
