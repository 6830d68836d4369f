import type { RouteJob } from '../../moe.js'
import type { Watch, Work } from '../work.js'
import { greatestOf } from './greatest.js'

const minus = Number.NEGATIVE_INFINITY
/** Tokens handled between two looks at the clock. */
const pollTokens = 1024

/** What tokens choose at given prices: native/moe/demand.h, step by step. */
export class Demand {
  readonly prices: Float64Array
  readonly load: Int32Array
  private readonly width: number
  private readonly value: Float64Array
  private readonly expert: Int32Array
  private readonly offers: Float64Array

  constructor(
    private readonly job: RouteJob,
    private readonly monitor: Watch,
  ) {
    this.prices = new Float64Array(job.experts)
    this.load = new Int32Array(job.experts)
    this.width = job.k + 1
    this.value = new Float64Array(job.tokens * this.width)
    this.expert = new Int32Array(job.tokens * this.width)
    this.offers = new Float64Array(job.tokens)
  }

  /** From scratch. */
  *evaluate(): Work<void> {
    for (let t = 0; t < this.job.tokens; t++) {
      this.evaluateToken(t)
      if (t % pollTokens === 0 && this.monitor.due()) yield
    }
  }

  /** The k + 1 best, in descending order, the lower expert first where they tie. */
  private evaluateToken(t: number): void {
    const { job, prices, width, value, expert } = this
    const row = t * job.experts
    const start = t * width
    const last = start + width - 1
    value.fill(minus, start, start + width)
    expert.fill(-1, start, start + width)
    for (let e = 0; e < job.experts; e++) {
      const x = job.scores[row + e] - prices[e]
      if (x <= value[last]) continue
      let r = last
      for (; r > start && x > value[r - 1]; r--) {
        value[r] = value[r - 1]
        expert[r] = expert[r - 1]
      }
      value[r] = x
      expert[r] = e
    }
  }

  *balance(e: number): Work<void> {
    const { job, width, value, expert, offers } = this
    const { tokens, experts, k, partial, scores } = job
    const floor = partial ? 0 : minus
    const capacity = job.capacity[e]
    let count = 0
    for (let t = 0, start = 0; t < tokens; t++, start += width) {
      let other = value[start + k - 1]
      for (let r = 0; r < k; r++) if (expert[start + r] === e) other = value[start + k]
      const offer = scores[t * experts + e] - Math.max(other, floor)
      if (offer > 0) offers[count++] = offer
      if (t % pollTokens === 0 && this.monitor.due()) yield
    }
    let price = 0
    if (count > capacity) {
      const next = greatestOf(offers, count, capacity)
      let least = Number.POSITIVE_INFINITY
      for (let i = 0; i < capacity; i++) least = Math.min(least, offers[i])
      price = capacity === 0 ? 2 * next : (least + next) / 2
    }
    if (price !== this.prices[e]) yield* this.setPrice(e, price)
  }

  private *setPrice(e: number, price: number): Work<void> {
    const { job, width, value, expert } = this
    const { tokens, experts, scores } = job
    this.prices[e] = price
    for (let t = 0, start = 0; t < tokens; t++, start += width) {
      if (t % pollTokens === 0 && this.monitor.due()) yield
      const now = scores[t * experts + e] - price
      const end = start + width
      let r = start
      while (r < end && expert[r] !== e) r++
      const falls = r < end && now < value[r]
      if (r === end && now <= value[--r]) continue
      for (; r > start && now > value[r - 1]; r--) {
        value[r] = value[r - 1]
        expert[r] = expert[r - 1]
      }
      for (; r + 1 < end && now < value[r + 1]; r++) {
        value[r] = value[r + 1]
        expert[r] = expert[r + 1]
      }
      value[r] = now
      expert[r] = e
      if (falls && r + 1 === end) this.evaluateToken(t)
    }
  }

  /** How many experts token t takes: those of `expertAt(t, 0 …)`. */
  taken(t: number): number {
    const { k, partial } = this.job
    if (!partial) return k
    let count = 0
    while (count < k && this.value[t * this.width + count] >= 0) count++
    return count
  }

  expertAt(t: number, r: number): number {
    return this.expert[t * this.width + r]
  }

  imbalance(): number {
    const { load, prices } = this
    const { tokens, capacity } = this.job
    load.fill(0)
    for (let t = 0; t < tokens; t++) {
      const count = this.taken(t)
      for (let r = 0; r < count; r++) load[this.expertAt(t, r)]++
    }
    let total = 0
    for (let e = 0; e < load.length; e++) {
      const over = load[e] - capacity[e]
      if (over > 0 || prices[e] > 0) total += Math.abs(over)
    }
    return total
  }

  /** phi(prices) */
  bound(): number {
    const { value, width, prices } = this
    const { tokens, k, partial, capacity } = this.job
    let total = 0
    for (let t = 0; t < tokens; t++) {
      for (let r = 0; r < k; r++) {
        const x = value[t * width + r]
        total += partial && x < 0 ? 0 : x
      }
    }
    for (let e = 0; e < prices.length; e++) total += capacity[e] * prices[e]
    return total
  }

  spread(): number {
    const { value, width } = this
    const { tokens, k } = this.job
    let total = 0
    for (let t = 0; t < tokens; t++) {
      const last = value[t * width + k]
      total += value[t * width] - (last > minus ? last : value[t * width + k - 1])
    }
    return total / tokens
  }
}
