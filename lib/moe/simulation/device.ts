export const residencePolicies = ['lru', 'lfu', 'fifo', 'lifo'] as const
export type ResidencePolicy = (typeof residencePolicies)[number]

/** An expert on its way to a device, or there. */
interface Load {
  item: number
  start: number
  ready: number
  /** Loaded ahead and not used so far. */
  ahead: boolean
}

export interface DeviceCounts {
  requests: number
  misses: number
  bytes: number
  ahead: number
  aheadUsed: number
  busy: number
  stall: number
}

/** What a device is told about the experts. */
export interface Stock {
  policy: ResidencePolicy
  /** Bytes of an item. */
  sizeOf(item: number): number
  /** Milliseconds that a load takes. */
  loadTime(item: number): number
  /** The part of the device's memory that holds an item. */
  partOf(item: number): number
  /** Bytes of each part. */
  capacities: Float64Array
}

/**
 * A device with room for some experts, a link on which they are loaded one after the other, and one unit that computes.
 * Times are in milliseconds since the beginning.
 */
export class Device {
  readonly counts: DeviceCounts = { requests: 0, misses: 0, bytes: 0, ahead: 0, aheadUsed: 0, busy: 0, stall: 0 }
  private readonly loads = new Map<number, Load>()
  private readonly used: Float64Array
  private linkFree = 0
  private clock = 0
  private readonly lastUse = new Map<number, number>()
  private readonly uses = new Map<number, number>()

  constructor(private readonly stock: Stock) {
    this.used = new Float64Array(stock.capacities.length)
  }

  /**
   * Computes a layer: `needed` items with their times. Those that are not there are loaded, before anything that is waiting to
   * be loaded ahead. Returns when all is done.
   */
  compute(now: number, needed: ReadonlyMap<number, number>): number {
    this.dropWaiting(now, needed)
    for (const item of needed.keys()) {
      this.counts.requests++
      const load = this.loads.get(item)
      if (load === undefined) {
        this.counts.misses++
        this.makeRoom(item, needed)
        this.enqueue(now, item, false)
      } else if (load.ahead) {
        load.ahead = false
        this.counts.aheadUsed++
      }
      this.touch(item)
    }
    const order = [...needed.keys()].sort((a, b) => this.readyAt(a) - this.readyAt(b) || a - b)
    let time = now
    for (const item of order) {
      const ready = this.readyAt(item)
      if (ready > time) {
        this.counts.stall += ready - time
        time = ready
      }
      const work = needed.get(item) as number
      this.counts.busy += work
      time += work
    }
    return time
  }

  /** Begins to load an item before it is needed, if there is room that `needed` leaves. */
  loadAhead(now: number, item: number, needed: ReadonlyMap<number, number>): void {
    if (!this.loads.has(item)) {
      if (!this.makeRoom(item, needed, true)) return
      this.enqueue(now, item, true)
      this.counts.ahead++
    }
    this.lastUse.set(item, ++this.clock) // expected soon: not the next to go
  }

  private readyAt(item: number): number {
    return (this.loads.get(item) as Load).ready
  }

  private touch(item: number): void {
    this.lastUse.set(item, ++this.clock)
    this.uses.set(item, (this.uses.get(item) ?? 0) + 1)
  }

  private enqueue(now: number, item: number, ahead: boolean): void {
    const start = Math.max(now, this.linkFree)
    const ready = start + this.stock.loadTime(item)
    this.linkFree = ready
    this.loads.set(item, { item, start, ready, ahead })
    this.used[this.stock.partOf(item)] += this.stock.sizeOf(item)
    this.counts.bytes += this.stock.sizeOf(item)
  }

  /** What was to be loaded ahead but has not begun gives way, unless it is needed now. */
  private dropWaiting(now: number, needed: ReadonlyMap<number, number>): void {
    let end = now
    const waiting: Load[] = []
    for (const load of this.loads.values()) {
      if (load.start >= now && load.ready > load.start) waiting.push(load)
      else end = Math.max(end, load.ready)
    }
    if (waiting.length === 0) return
    this.linkFree = end
    for (const { item, ahead } of waiting.sort((a, b) => a.start - b.start)) {
      this.remove(item)
      this.counts.bytes -= this.stock.sizeOf(item)
      if (needed.has(item)) this.enqueue(now, item, ahead)
      else this.counts.ahead--
    }
  }

  /** Evicts until the item fits. What is needed now stays, and for a load ahead also what is under way. */
  private makeRoom(item: number, needed: ReadonlyMap<number, number>, ahead = false): boolean {
    const { sizeOf, partOf, capacities } = this.stock
    const part = partOf(item)
    while (this.used[part] + sizeOf(item) > capacities[part] * (1 + 1e-12)) {
      let victim: Load | undefined
      for (const load of this.loads.values()) {
        if (partOf(load.item) !== part || needed.has(load.item) || (ahead && load.ahead)) continue
        if (victim === undefined || this.isBefore(load, victim)) victim = load
      }
      if (victim === undefined) return false
      this.remove(victim.item)
    }
    return true
  }

  private remove(item: number): void {
    this.loads.delete(item)
    this.used[this.stock.partOf(item)] -= this.stock.sizeOf(item)
  }

  /** Whether the policy gives up a rather than b. */
  private isBefore(a: Load, b: Load): boolean {
    const last = (load: Load) => this.lastUse.get(load.item) ?? 0
    const count = (load: Load) => this.uses.get(load.item) ?? 0
    switch (this.stock.policy) {
      case 'lru':
        return last(a) < last(b)
      case 'lfu':
        return count(a) < count(b) || (count(a) === count(b) && last(a) < last(b))
      case 'fifo':
        return a.ready < b.ready
      case 'lifo':
        return a.ready > b.ready
    }
  }
}
