import type { Monitor } from '../../backend/portable/driver.js'
import type { Generator as RandomGenerator } from '../../random/index.js'
import { type Layout, lowerBound, Packing, replicate } from './layout.js'
import { packApart } from './pack.js'

/** Changes smaller than this part of the largest load are rounding. */
const roundoff = 1e-13

export interface Found {
  packing: Packing
  /** Exchanges that were tried out, in all starts. */
  iterations: number
  /** Whether it is known to be the best, but for rounding. */
  optimal: boolean
  timeLimit: boolean
}

/**
 * Multi-start local search: the greedy packing without two replicas of an expert on one device, in the order of the
 * loads and in disturbed ones; then swaps between the most loaded device and another that lower the larger of their
 * loads, best first; where there is none, one replica more for an expert of that device and one fewer for another. Ends
 * early within `tolerance` of the lower bound.
 */
export function* search(
  layout: Layout,
  { starts, tolerance }: { starts: number; tolerance: number },
  random: RandomGenerator,
  monitor: Monitor,
): Generator<void, Found, void> {
  const bound = lowerBound(layout)
  const enough = bound * (1 + Math.max(tolerance, roundoff))
  const counts = replicate(layout, layout.devices)
  const watch = { iterations: 0, enough, monitor }
  let best: Packing | undefined
  let timeLimit = false
  for (let start = 0; start < starts; start++) {
    const packing = packApart(layout, counts.slice(), start === 0 ? undefined : disturbed(layout, counts, random))
    const found = yield* improve(packing, watch)
    if (best === undefined || found.largest < best.largest) best = found
    monitor.progress(start + 1, best.largest / bound - 1)
    timeLimit = monitor.expired()
    if (timeLimit || best.largest <= enough) break
  }
  const packing = best as Packing
  packing.refresh()
  return {
    packing,
    iterations: watch.iterations,
    optimal: packing.largest <= bound * (1 + roundoff),
    timeLimit,
  }
}

/** Loads of the replicas with a fifth of noise, to pack in another order. */
function disturbed(layout: Layout, counts: Int32Array, random: RandomGenerator): Float64Array {
  const packing = new Packing(layout, counts)
  return Float64Array.from(packing.expert, (_, r) => packing.weight(r) * (0.8 + 0.4 * random.uniform()))
}

interface SearchWatch {
  iterations: number
  /** The largest load that need not be lowered. */
  enough: number
  monitor: Monitor
}

function* improve(packing: Packing, watch: SearchWatch): Generator<void, Packing, void> {
  let current = packing
  for (;;) {
    yield* swapDown(current, watch)
    if (current.largest <= watch.enough || watch.monitor.expired()) return current
    const better = yield* shiftReplica(current, watch)
    if (better === undefined) return current
    current = better
  }
}

/** Swaps, or moves where sizes may differ, while they lower the load of the most loaded device. */
function* swapDown(packing: Packing, watch: SearchWatch): Generator<void, void, void> {
  const { expert, device, total, size, layout } = packing
  const smallest = Math.floor(layout.slots / layout.devices)
  for (;;) {
    watch.iterations++
    if (watch.monitor.due()) yield
    if (watch.monitor.expired()) return
    let top = 0
    for (let g = 1; g < total.length; g++) if (total[g] > total[top]) top = g
    const limit = total[top] * (1 - roundoff)
    let best = { largest: limit, r: -1, s: -1, to: -1 }
    for (let r = 0; r < expert.length; r++) {
      if (device[r] !== top) continue
      for (let s = 0; s < expert.length; s++) {
        const to = device[s]
        if (to === top || expert[s] === expert[r]) continue
        const change = packing.weight(s) - packing.weight(r)
        const largest = Math.max(total[top] + change, total[to] - change)
        if (largest >= best.largest) continue
        if (packing.holds(to, expert[r]) || packing.holds(top, expert[s])) continue
        best = { largest, r, s, to }
      }
      if (size[top] === smallest) continue
      for (let to = 0; to < total.length; to++) {
        const largest = Math.max(total[top] - packing.weight(r), total[to] + packing.weight(r))
        if (size[to] > smallest || to === top || largest >= best.largest || packing.holds(to, expert[r])) continue
        best = { largest, r, s: -1, to }
      }
    }
    if (best.r < 0) return
    packing.take(best.r)
    if (best.s >= 0) {
      packing.take(best.s)
      packing.put(best.s, top)
    }
    packing.put(best.r, best.to)
  }
}

/** One replica fewer for e and one more for f, an expert of the most loaded device, if after swaps that is better. */
function* shiftReplica(packing: Packing, watch: SearchWatch): Generator<void, Packing | undefined, void> {
  const { expert, device, replicas, layout } = packing
  let top = 0
  for (let g = 1; g < packing.total.length; g++) if (packing.total[g] > packing.total[top]) top = g
  const wanted = new Set<number>()
  for (let r = 0; r < expert.length; r++) {
    if (device[r] === top && replicas[expert[r]] < layout.devices) wanted.add(expert[r])
  }
  for (const f of wanted) {
    for (let r = 0; r < expert.length; r++) {
      const e = expert[r]
      if (e === f || replicas[e] === 1 || packing.holds(device[r], f)) continue
      const trial = packing.copy()
      trial.replicas[e]--
      trial.replicas[f]++
      trial.expert[r] = f
      trial.refresh()
      yield* swapDown(trial, watch)
      if (trial.largest < packing.largest * (1 - roundoff)) return trial
      if (watch.monitor.expired()) return undefined
    }
  }
  return undefined
}
