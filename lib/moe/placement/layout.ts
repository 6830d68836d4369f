import { ExtremaError } from '../../core/errors.js'

/** How many replicas go where: `slots` in all, on `devices` whose sizes differ by one at most. */
export interface Layout {
  load: Float64Array
  devices: number
  slots: number
}

/** Replicas on devices. */
export class Packing {
  /** Expert of each replica. */
  readonly expert: Int32Array
  /** Device of each replica. */
  readonly device: Int32Array
  /** Replicas of each expert. */
  readonly replicas: Int32Array
  readonly total: Float64Array
  readonly size: Int32Array

  constructor(
    readonly layout: Layout,
    replicas: Int32Array,
  ) {
    const { load, devices, slots } = layout
    this.replicas = replicas
    this.expert = new Int32Array(slots)
    for (let e = 0, r = 0; e < load.length; e++) for (let copy = 0; copy < replicas[e]; copy++) this.expert[r++] = e
    this.device = new Int32Array(slots).fill(-1)
    this.total = new Float64Array(devices)
    this.size = new Int32Array(devices)
  }

  /** Load of replica r. */
  weight(r: number): number {
    const e = this.expert[r]
    return this.layout.load[e] / this.replicas[e]
  }

  /** Whether the device may take one more: no device gets more than the others but by one. */
  hasRoom(device: number): boolean {
    const { slots, devices } = this.layout
    const size = this.size[device]
    const least = Math.floor(slots / devices)
    if (size < least) return true
    if (size > least) return false
    let larger = 0
    for (const other of this.size) if (other > least) larger++
    return larger < slots % devices
  }

  put(r: number, device: number): void {
    this.device[r] = device
    this.total[device] += this.weight(r)
    this.size[device]++
  }

  take(r: number): void {
    const device = this.device[r]
    this.device[r] = -1
    this.total[device] -= this.weight(r)
    this.size[device]--
  }

  /** Whether the device has a replica of the expert other than `except`. */
  holds(device: number, expert: number, except = -1): boolean {
    for (let r = 0; r < this.expert.length; r++) {
      if (this.device[r] === device && this.expert[r] === expert && r !== except) return true
    }
    return false
  }

  /** Sums anew, without the rounding of many changes. */
  refresh(): void {
    this.total.fill(0)
    for (let r = 0; r < this.expert.length; r++) if (this.device[r] >= 0) this.total[this.device[r]] += this.weight(r)
  }

  get largest(): number {
    return this.total.reduce((most, total) => Math.max(most, total), 0)
  }

  copy(): Packing {
    const copy = new Packing(this.layout, this.replicas.slice())
    copy.expert.set(this.expert)
    copy.device.set(this.device)
    copy.total.set(this.total)
    copy.size.set(this.size)
    return copy
  }

  /** The experts of each device, ascending. */
  lists(): Int32Array[] {
    const lists: number[][] = Array.from({ length: this.layout.devices }, () => [])
    for (let r = 0; r < this.expert.length; r++) lists[this.device[r]].push(this.expert[r])
    return lists.map((list) => Int32Array.from(list).sort())
  }
}

/**
 * Replica counts n with sum n = slots that minimise max w_e / n_e: one more, again and again, for the expert with the
 * most load per replica, the lower where they tie; at most `most` each.
 */
export function replicate({ load, slots }: Layout, most: number): Int32Array {
  const counts = new Int32Array(load.length).fill(1)
  for (let left = slots - load.length; left > 0; left--) {
    let best = -1
    for (let e = 0; e < load.length; e++) {
      if (counts[e] < most && (best < 0 || load[e] / counts[e] > load[best] / counts[best])) best = e
    }
    if (best < 0) {
      throw new ExtremaError('ERR_INTERNAL', `place: more than ${most} replicas of each expert; the slots were checked`)
    }
    counts[best]++
  }
  return counts
}

/** No placement has a smaller largest load. */
export function lowerBound(layout: Layout): number {
  const { load, devices, slots } = layout
  const total = load.reduce((sum, w) => sum + w, 0)
  const counts = replicate(layout, devices)
  let bound = total / devices
  for (let e = 0; e < load.length; e++) bound = Math.max(bound, load[e] / counts[e])
  if (slots > load.length) return bound
  // Without replicas the heaviest expert shares its device with others, at best the lightest.
  const sorted = load.slice().sort()
  const others = Math.floor(slots / devices) - 1
  const beside = sorted.subarray(0, Math.max(0, others)).reduce((sum, w) => sum + w, 0)
  return others < load.length ? Math.max(bound, sorted[load.length - 1] + beside) : bound
}
