import type { Monitor } from '../../backend/portable/driver.js'
import { greatestOf } from '../../backend/portable/moe/greatest.js'
import { Heap } from '../heap.js'
import { largest } from '../synthetic-trace.js'
import type { RouteProblem } from './problem.js'
import { Routing } from './routing.js'

type Method = (problem: RouteProblem, monitor: Monitor) => Generator<void, Routing, void>

const pollTokens = 512

/** The k best of each token, in the order of tokens; with `drop` while the expert has room, else without regard to it. */
function inOrder(drop: boolean): Method {
  return function* ({ tokens, experts, k, scores, capacity }, monitor) {
    const routing = new Routing({ tokens, experts })
    const best = new Int32Array(k)
    for (let t = 0; t < tokens; t++) {
      largest(scores.subarray(t * experts, (t + 1) * experts), best)
      for (const e of best) if (!drop || routing.load[e] < capacity[e]) routing.add(t, e)
      if (t % pollTokens === 0 && monitor.due()) yield
    }
    return routing
  }
}

/** Every expert takes its best tokens (Zhou et al. 2022, arXiv 2202.09368), the earlier ones where scores tie. */
function* expertChoice(
  { tokens, experts, scores, capacity }: RouteProblem,
  monitor: Monitor,
): Generator<void, Routing, void> {
  const routing = new Routing({ tokens, experts })
  const column = new Float64Array(tokens)
  for (let e = 0; e < experts; e++) {
    if (capacity[e] === 0) continue
    for (let t = 0; t < tokens; t++) column[t] = scores[t * experts + e]
    const least = greatestOf(column, tokens, capacity[e] - 1)
    let ties = capacity[e]
    for (let t = 0; t < tokens; t++) if (scores[t * experts + e] > least) ties--
    for (let t = 0; t < tokens; t++) {
      const score = scores[t * experts + e]
      if (score > least || (score === least && ties-- > 0)) routing.add(t, e)
    }
    if (monitor.due()) yield
  }
  return routing
}

/**
 * All pairs by score, each taken if its token and its expert have room. That is the stable matching of tokens and experts
 * that both prefer high scores, so deferred acceptance finds it without sorting: a token turns to its next best expert, who
 * gives up the worst of its own. Where scores tie the earlier token, then the lower expert, is first.
 */
function* greedy(problem: RouteProblem, monitor: Monitor): Generator<void, Routing, void> {
  const { tokens, experts, k, scores, capacity, partial } = problem
  const routing = new Routing(problem)
  const accepted = Array.from({ length: experts }, (_, e) => {
    const at = (t: number) => scores[t * experts + e]
    return new Heap((t, u) => at(t) < at(u) || (at(t) === at(u) && t > u)) // the worst on top
  })
  const asked = new Int32Array(tokens).fill(-1) // the expert that the token asked last
  const waiting = Array.from({ length: tokens }, (_, i) => tokens - 1 - i)
  for (let count = 0; waiting.length > 0; count++) {
    if (count % pollTokens === 0 && monitor.due()) yield
    const t = waiting[waiting.length - 1]
    const e = routing.count(t) < k ? nextBest(scores, t * experts, experts, asked[t]) : -1
    if (e < 0 || (partial && scores[t * experts + e] < 0)) {
      waiting.pop()
      continue
    }
    asked[t] = e
    if (capacity[e] === 0) continue
    const heap = accepted[e]
    if (routing.load[e] < capacity[e]) {
      heap.push(t)
    } else {
      const worst = heap.peek()
      const [mine, theirs] = [scores[t * experts + e], scores[worst * experts + e]]
      if (mine < theirs || (mine === theirs && t > worst)) continue
      heap.replace(t)
      routing.remove(worst, e)
      waiting.splice(waiting.length - 1, 0, worst)
    }
    routing.add(t, e)
  }
  return routing
}

/** The next expert of a token in descending order of score after `last`, -1 if there is none. */
function nextBest(scores: Float64Array, row: number, experts: number, last: number): number {
  const limit = last < 0 ? Number.POSITIVE_INFINITY : scores[row + last]
  let best = -1
  for (let e = 0; e < experts; e++) {
    const score = scores[row + e]
    if (score > limit || (score === limit && e <= last)) continue
    if (best < 0 || score > scores[row + best]) best = e
  }
  return best
}

export const baselines = {
  topk: inOrder(false),
  'topk-drop': inOrder(true),
  'expert-choice': expertChoice,
  greedy,
} satisfies Record<string, Method>
