import { lineFlow } from './line-flow.js'
import { replay } from './policies.js'
import type { Requests } from './requests.js'

interface Watch {
  due(): boolean
}

/** The least cost of misses that any policy can have, and the misses that have it, where they are known. */
export interface Optimum {
  /** A lower bound, reached if `missed` is there. */
  cost: number
  missed: Uint8Array | undefined
}

/** Sizes are cut to this many parts of the capacity for the bound's prices; the bound itself holds for the true sizes. */
const parts = 1024

/**
 * The offline optimum. Between two requests i < j of an item, keeping it saves its load; at each request strictly between,
 * what is kept must fit beside the item requested. With equal sizes and costs Belady's policy is optimal; with equal sizes
 * that choice of intervals is an integral program of consecutive ones, a minimum-cost flow along the requests; with
 * different sizes its linear relaxation is one and gives a bound.
 */
export function* optimum(requests: Requests, monitor: Watch): Generator<void, Optimum, void> {
  const { item, cost, size, capacity } = requests
  const used = new Set(item)
  const [first] = used
  const equalSizes = [...used].every((x) => size[x] === size[first])
  const equalCosts = [...used].every((x) => cost[x] === cost[first])
  if (equalSizes && equalCosts) {
    const missed = yield* replay(requests, 'belady', monitor)
    return { cost: costOf(requests, missed), missed }
  }
  if (equalSizes) return yield* byFlow(requests, Math.floor(capacity / size[first]), monitor)
  return { cost: yield* byRelaxation(requests, monitor), missed: undefined }
}

export function costOf({ item, cost }: Requests, missed: Uint8Array): number {
  let total = 0
  for (let i = 0; i < item.length; i++) if (missed[i] === 1) total += cost[item[i]]
  return total
}

function* byFlow(requests: Requests, slots: number, monitor: Watch): Generator<void, Optimum, void> {
  const { item, next, cost } = requests
  const n = item.length
  // Step p of the line is request p: an interval from i to j is an arc from i + 1 to j.
  const jump = new Int32Array(n + 1).fill(-1)
  const gain = new Float64Array(n + 1)
  for (let i = 0; i < n; i++) {
    if (next[i] >= n || next[i] === i + 1) continue
    jump[i + 1] = next[i]
    gain[i + 1] = cost[item[i]]
  }
  const room = new Float64Array(n + 1).fill(1)
  const { flow } = yield* lineFlow({ n, jump, gain, room, must: null, amount: slots - 1 }, monitor)
  const missed = new Uint8Array(n).fill(1)
  for (let i = 0; i < n; i++) {
    if (next[i] < n && (next[i] === i + 1 || flow[i + 1] > 0)) missed[next[i]] = 0
  }
  return { cost: costOf(requests, missed), missed }
}

function* byRelaxation(requests: Requests, monitor: Watch): Generator<void, number, void> {
  const { item, next, cost, size, capacity } = requests
  const n = item.length
  const scale = parts / capacity
  const unitsOf = (x: number) => Math.floor(size[x] * scale * (1 + 1e-12))
  const jump = new Int32Array(n + 1).fill(-1)
  const gain = new Float64Array(n + 1)
  const room = new Float64Array(n + 1)
  const must = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    must[i] = unitsOf(item[i])
    if (next[i] >= n || next[i] === i + 1) continue
    jump[i + 1] = next[i]
    room[i + 1] = Math.max(1, unitsOf(item[i]))
    gain[i + 1] = cost[item[i]] / room[i + 1]
  }
  const { price } = yield* lineFlow({ n, jump, gain, room, must, amount: parts }, monitor)
  // Any prices bound what can be saved: sum (capacity - requested) y + sum over intervals max(0, saving - size × their y).
  const before = new Float64Array(n + 1)
  let total = 0
  let saved = 0
  for (let i = 0; i < n; i++) {
    const y = price[i] * scale
    before[i + 1] = before[i] + y
    saved += (capacity - size[item[i]]) * y
    total += cost[item[i]]
  }
  for (let i = 0; i < n; i++) {
    if (next[i] >= n) continue
    const inside = before[next[i]] - before[i + 1]
    saved += Math.max(0, cost[item[i]] - size[item[i]] * inside)
  }
  const firsts = [...new Set(item)].reduce((sum, x) => sum + cost[x], 0)
  return Math.max(firsts, total - saved)
}
