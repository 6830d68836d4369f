import { Heap } from '../heap.js'
import type { Requests } from './requests.js'

export const policies = ['lru', 'lfu', 'fifo', 'lifo', '2q', 'static', 'belady', 'optimal'] as const
export type CachePolicy = (typeof policies)[number]
/** Those that replay the trace request by request; `'optimal'` is a flow. */
export type ReplayPolicy = Exclude<CachePolicy, 'optimal'>

interface Watch {
  due(): boolean
}

const pollRequests = 4096

/** Which requests miss, under a policy that on a miss loads what is requested and evicts until it fits. */
export function* replay(requests: Requests, policy: ReplayPolicy, monitor: Watch): Generator<void, Uint8Array, void> {
  if (policy === '2q') return yield* replayTwoQueues(requests, monitor)
  const { item, items, size, capacity } = requests
  const missed = new Uint8Array(item.length)
  const victims = new Victims(requests, policy)
  const resident = new Uint8Array(items)
  let used = 0
  for (let i = 0; i < item.length; i++) {
    if (i % pollRequests === 0 && monitor.due()) yield
    const x = item[i]
    const isHit = resident[x] === 1
    if (!isHit) {
      missed[i] = 1
      while (used + size[x] > capacity) {
        const victim = victims.take(i)
        resident[victim] = 0
        used -= size[victim]
      }
      resident[x] = 1
      used += size[x]
    }
    victims.touch(i, isHit)
  }
  return missed
}

/**
 * The residents in the order in which a policy gives them up: a heap of requests by key. An entry is stale when its item
 * was touched later or has been evicted.
 */
class Victims {
  private readonly key: Float64Array
  /** The request that an item's valid entry stands for, -1 if it is not resident. */
  private readonly entry: Int32Array
  private readonly uses: Float64Array
  private readonly heaps: Heap[]
  private readonly priority: Float64Array | undefined

  constructor(
    private readonly requests: Requests,
    private readonly policy: Exclude<ReplayPolicy, '2q'>,
  ) {
    const { item, items } = requests
    this.key = new Float64Array(item.length)
    this.entry = new Int32Array(items).fill(-1)
    this.uses = new Float64Array(items)
    const before = (i: number, j: number) => this.key[i] < this.key[j] || (this.key[i] === this.key[j] && i < j)
    const layers = policy === 'lifo' ? requests.layerOf(items - 1) + 1 : 1
    this.heaps = Array.from({ length: layers }, () => new Heap(before))
    if (policy === 'static') this.priority = savings(requests)
  }

  /** Notes that request i was served. */
  touch(i: number, isHit: boolean): void {
    const x = this.requests.item[i]
    this.uses[x]++
    // Queues order by the time of loading alone.
    if (isHit && (this.policy === 'fifo' || this.policy === 'lifo')) return
    this.key[i] = this.keyOf(i, x)
    this.entry[x] = i
    this.heapOf(x).push(i)
  }

  private keyOf(i: number, x: number): number {
    switch (this.policy) {
      case 'lfu':
        return this.uses[x]
      case 'lifo':
        return -i
      case 'static':
        return (this.priority as Float64Array)[x]
      case 'belady':
        return -this.requests.next[i]
      default:
        return i
    }
  }

  private heapOf(x: number): Heap {
    return this.policy === 'lifo' ? this.heaps[this.requests.layerOf(x)] : this.heaps[0]
  }

  /** Removes the item to evict for request i. LIFO takes one of the same layer, if there is one. */
  take(i: number): number {
    const own = this.heapOf(this.requests.item[i])
    for (const heap of [own, ...this.heaps]) {
      while (heap.size > 0) {
        const entry = heap.pop()
        const x = this.requests.item[entry]
        if (this.entry[x] !== entry) continue
        this.entry[x] = -1
        return x
      }
    }
    return -1
  }
}

/** What keeping an item all the time saves for its size: its requests times their cost. */
function savings({ item, items, cost, size }: Requests): Float64Array {
  const saved = new Float64Array(items)
  for (const x of item) saved[x] += cost[x] / size[x]
  return saved
}

/** Part of the capacity for what was requested once, and for the memory of what left it. */
const inPart = 0.25
const outPart = 0.5

/**
 * 2Q (Johnson, Shasha 1994): what is new passes through a queue; what is requested again after it has left the queue,
 * while remembered, goes to the main part, which is least recently used first.
 */
function* replayTwoQueues(requests: Requests, monitor: Watch): Generator<void, Uint8Array, void> {
  const { item, size, capacity } = requests
  const missed = new Uint8Array(item.length)
  // Maps keep the order of insertion.
  const queue = new Map<number, true>()
  const remembered = new Map<number, true>()
  const main = new Map<number, true>()
  let inQueue = 0
  let inMain = 0
  let inMemory = 0
  const oldest = (map: Map<number, true>) => {
    const [x] = map.keys()
    map.delete(x)
    return x
  }
  for (let i = 0; i < item.length; i++) {
    if (i % pollRequests === 0 && monitor.due()) yield
    const x = item[i]
    if (main.delete(x)) {
      main.set(x, true)
      continue
    }
    if (queue.has(x)) continue
    missed[i] = 1
    while (inQueue + inMain + size[x] > capacity) {
      if (queue.size > 0 && (inQueue > inPart * capacity || main.size === 0)) {
        const out = oldest(queue)
        inQueue -= size[out]
        remembered.set(out, true)
        inMemory += size[out]
        while (inMemory > outPart * capacity && remembered.size > 0) inMemory -= size[oldest(remembered)]
      } else {
        inMain -= size[oldest(main)]
      }
    }
    if (remembered.delete(x)) {
      inMemory -= size[x]
      main.set(x, true)
      inMain += size[x]
    } else {
      queue.set(x, true)
      inQueue += size[x]
    }
  }
  return missed
}
