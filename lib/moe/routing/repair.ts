import type { Monitor } from '../../backend/portable/driver.js'
import { Heap } from '../heap.js'
import type { RouteProblem } from './problem.js'
import type { Routing } from './routing.js'

/**
 * Moves tokens off experts that have too many, each to the best expert with room that it does without, those first that
 * lose least by it; a token with nowhere to go is dropped. Then tokens that are short of experts take what is left, the
 * best pairs first.
 */
export function* repair(problem: RouteProblem, routing: Routing, monitor: Monitor): Generator<void, void, void> {
  const { tokens, experts, k, scores, capacity, partial } = problem
  const score = (t: number, e: number) => scores[t * experts + e]
  const bestWithRoom = (t: number) => {
    let best = -1
    for (let e = 0; e < experts; e++) {
      if (routing.load[e] >= capacity[e] || (best >= 0 && score(t, e) <= score(t, best)) || routing.has(t, e)) continue
      best = e
    }
    return best
  }
  const members: number[][] = Array.from({ length: experts }, () => [])
  for (let t = 0; t < tokens; t++) for (const e of routing.expertsOf(t)) members[e].push(t)
  const loss = new Float64Array(tokens)
  const lossOf = (t: number, e: number) => {
    const other = bestWithRoom(t)
    const without = partial ? 0 : Number.NEGATIVE_INFINITY
    return score(t, e) - (other < 0 ? without : Math.max(without, score(t, other)))
  }
  for (let e = 0; e < experts; e++) {
    if (routing.load[e] <= capacity[e]) continue
    const queue = new Heap((t, u) => loss[t] < loss[u] || (loss[t] === loss[u] && t < u))
    for (const t of members[e]) {
      loss[t] = lossOf(t, e)
      queue.push(t)
      if (monitor.due()) yield
    }
    while (routing.load[e] > capacity[e]) {
      const t = queue.peek()
      const now = lossOf(t, e)
      if (now > loss[t]) {
        // What it would have gone to is full by now.
        loss[t] = now
        queue.replace(t)
        continue
      }
      queue.pop()
      const other = bestWithRoom(t)
      routing.remove(t, e)
      if (other >= 0 && !(partial && score(t, other) < 0)) routing.add(t, other)
      if (monitor.due()) yield
    }
  }
  // Places left open: the best pair of such a token and an expert with room, then the next.
  const wanted = new Int32Array(tokens)
  const open = new Heap((t, u) => {
    const [x, y] = [score(t, wanted[t]), score(u, wanted[u])]
    return x > y || (x === y && t < u)
  })
  const offer = (t: number) => {
    if (routing.count(t) === k) return
    wanted[t] = bestWithRoom(t)
    if (wanted[t] >= 0 && !(partial && score(t, wanted[t]) < 0)) open.push(t)
  }
  for (let t = 0; t < tokens; t++) {
    offer(t)
    if (monitor.due()) yield
  }
  while (open.size > 0) {
    const t = open.pop()
    if (routing.load[wanted[t]] < capacity[wanted[t]]) routing.add(t, wanted[t])
    offer(t)
    if (monitor.due()) yield
  }
}
