import type { Monitor } from '../../backend/portable/driver.js'
import type { Csr } from '../../core/arrays.js'
import { totalOf } from '../capacity.js'
import type { RouteProblem } from './problem.js'
import type { Routing } from './routing.js'

/** What all methods report. */
export interface RouteSummary {
  /** tokens × experts; the entries are the scores taken. */
  routing: Csr
  /** Sum of the scores taken. */
  value: number
  /** Part of the tokens × k places that are taken. */
  assigned: number
  /** Tokens without an expert. */
  unrouted: number
  /** Tokens with fewer than k experts, those without included. */
  short: number
  /** Tokens with more than k experts (expert choice). */
  over: number
  /** Tokens of each expert. */
  load: Int32Array
  /** The highest load over the mean. */
  imbalance: number
}

export function* summarize(
  { tokens, experts, k, scores }: RouteProblem,
  routing: Routing,
  monitor: Monitor,
): Generator<void, RouteSummary, void> {
  const total = totalOf(routing.load)
  const indptr = new Int32Array(tokens + 1)
  const indices = new Int32Array(total)
  const data = new Float64Array(total)
  const counts = { placed: 0, unrouted: 0, short: 0, over: 0 }
  let value = 0
  for (let t = 0, i = 0; t < tokens; t++) {
    const list = routing.expertsOf(t).toSorted((a, b) => a - b)
    for (const e of list) {
      indices[i] = e
      data[i] = scores[t * experts + e]
      value += data[i++]
    }
    indptr[t + 1] = i
    counts.placed += Math.min(k, list.length)
    if (list.length === 0) counts.unrouted++
    if (list.length < k) counts.short++
    if (list.length > k) counts.over++
    if (t % 512 === 0 && monitor.due()) yield
  }
  const { placed, ...rest } = counts
  return {
    routing: { shape: [tokens, experts], indptr, indices, data },
    value,
    assigned: placed / (tokens * k),
    ...rest,
    load: routing.load,
    imbalance: total === 0 ? 0 : (routing.load.reduce((most, load) => Math.max(most, load), 0) * experts) / total,
  }
}
