import type { NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, positive, whole } from '../core/options.js'
import { generator } from '../random/index.js'
import { checkPlainOptions } from './checks.js'

export interface SyntheticTraceOptions {
  tokens: number
  experts: number
  /** Default 1. */
  layers?: number
  /** Experts per token. Default 2. */
  k?: number
  /** Topics that tokens come in runs of. Default 8. */
  topics?: number
  /** Probability that the next token keeps the topic; otherwise it is drawn anew. Default 0.98. */
  stay?: number
  /** Standard deviation of a topic's logits. Default 1.5. */
  topicDeviation?: number
  /** Standard deviation of a token's own logits. Default 1. */
  noise?: number
  /**
   * Factor on the logits of popularity and topics, of all layers or of each: the higher, the more they stand out from the
   * noise. Default 1.
   */
  sharpness?: number | readonly number[]
  /** Default 0. */
  seed?: number | bigint
}

export interface SyntheticTrace {
  /** The k experts of the highest scores, as an `ExpertTrace`. */
  trace: { data: Int32Array; shape: [number, number, number]; experts: number }
  /** layers × tokens × experts router probabilities: softmax of the logits. */
  scores: NdArray
  /** Topic of each token. */
  topics: Int32Array
}

const names: ReadonlySet<string> = new Set([
  ...['tokens', 'experts', 'layers', 'k', 'topics', 'stay'],
  ...['topicDeviation', 'noise', 'sharpness', 'seed'],
])

/**
 * A made-up log of a router, for trials and benchmarks: topics come in runs, experts differ in popularity (logits -log
 * rank, in random order for each layer) and topics in their favourite experts, and every token adds noise. The same seed
 * gives the same trace; a layer does not depend on how many follow.
 */
export function syntheticTrace(options: SyntheticTraceOptions): SyntheticTrace {
  checkPlainOptions(options, names, '{ tokens, experts, … }')
  const tokens = whole('tokens', options.tokens ?? null, 0, 1)
  const experts = whole('experts', options.experts ?? null, 0, 1)
  const layers = whole('layers', options.layers, 1, 1)
  const k = whole('k', options.k, Math.min(2, experts), 1, experts)
  const topicCount = whole('topics', options.topics, 8, 1)
  const stay = nonNegative('stay', options.stay, 0.98)
  if (stay > 1) throw new ExtremaError('ERR_OPTION', `stay: expected a probability, got ${stay}`)
  const deviation = nonNegative('topicDeviation', options.topicDeviation, 1.5)
  const noise = nonNegative('noise', options.noise, 1)
  const sharpness = readSharpness(options.sharpness, layers)
  const root = generator(options.seed ?? 0)

  const chain = root.split(0)
  const topics = new Int32Array(tokens)
  for (let t = 0, topic = 0; t < tokens; t++) {
    if (t === 0 || chain.uniform() >= stay) topic = chain.integer(0, topicCount)
    topics[t] = topic
  }
  const scores = new Float64Array(layers * tokens * experts)
  const data = new Int32Array(layers * tokens * k)
  for (let layer = 0; layer < layers; layer++) {
    const own = root.split(1 + layer)
    const rank = own.permutation(experts)
    const favourites = own.normal(topicCount * experts)
    const part = scores.subarray(layer * tokens * experts, (layer + 1) * tokens * experts)
    own.normal(part)
    for (let t = 0; t < tokens; t++) {
      const row = part.subarray(t * experts, (t + 1) * experts)
      for (let e = 0; e < experts; e++) {
        const logit = -Math.log(1 + rank[e]) + deviation * favourites[topics[t] * experts + e]
        row[e] = sharpness[layer] * logit + noise * row[e]
      }
      softmax(row)
      largest(row, data.subarray((layer * tokens + t) * k, (layer * tokens + t + 1) * k))
    }
  }
  return {
    trace: { data, shape: [layers, tokens, k], experts },
    scores: { data: scores, shape: [layers, tokens, experts] },
    topics,
  }
}

function readSharpness(given: SyntheticTraceOptions['sharpness'], layers: number): number[] {
  if (given === undefined || typeof given === 'number') {
    const factor = positive('sharpness', given, 1)
    return Array.from({ length: layers }, () => factor)
  }
  if (!Array.isArray(given) || given.length !== layers) {
    throw new ExtremaError('ERR_OPTION', `sharpness: expected a number or ${layers} of them, got ${String(given)}`)
  }
  return given.map((factor, layer) => positive(`sharpness[${layer}]`, factor))
}

function softmax(row: Float64Array): void {
  let most = Number.NEGATIVE_INFINITY
  for (const x of row) most = Math.max(most, x)
  let total = 0
  for (let e = 0; e < row.length; e++) {
    row[e] = Math.exp(row[e] - most)
    total += row[e]
  }
  for (let e = 0; e < row.length; e++) row[e] /= total
}

/** Writes the places of the greatest entries to `out`, in descending order, the lower place first where they tie. */
export function largest(row: Float64Array, out: Int32Array): void {
  let count = 0
  for (let e = 0; e < row.length; e++) {
    if (count === out.length && row[e] <= row[out[count - 1]]) continue
    let r = count < out.length ? count++ : count - 1
    for (; r > 0 && row[e] > row[out[r - 1]]; r--) out[r] = out[r - 1]
    out[r] = e
  }
}
