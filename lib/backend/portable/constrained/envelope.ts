import type { Watch, Work } from '../work.js'
import type { System } from './system.js'

/** Operations between two looks at the clock. */
const workLength = 2 ** 16

/**
 * P A Pᵀ = L D Lᵀ of a sparse symmetric matrix within its envelope, in the order given and without pivoting (Jennings
 * 1966). Pivots that vanish get the sign expected and a small size. native/constrained/envelope.cc, operation by operation.
 */
export class Envelope {
  positive = 0
  negative = 0
  replaced = 0
  flops = 0
  /** L's row i has the columns first[i] … i - 1, from start[i] on. */
  private readonly first: Int32Array
  private readonly start: Float64Array
  private readonly values: Float64Array
  private readonly pivots: Float64Array
  private readonly place: Int32Array

  constructor(
    private readonly a: System,
    private readonly order: Int32Array,
    private readonly expected: number,
    private readonly floor: number,
  ) {
    const n = a.rows
    const { indices } = a
    this.place = new Int32Array(n)
    for (let k = 0; k < n; k++) this.place[order[k]] = k
    this.first = new Int32Array(n)
    this.start = new Float64Array(n + 1)
    for (let k = 0; k < n; k++) {
      let least = k
      for (let t = a.begin(order[k]); t < a.end(order[k]); t++) least = Math.min(least, this.place[indices![t]])
      this.first[k] = least
      this.start[k + 1] = this.start[k] + (k - least)
    }
    this.values = new Float64Array(this.start[n])
    this.pivots = new Float64Array(n)
  }

  *factor(monitor: Watch): Work<void> {
    const { a, order, place, first, start, values, pivots } = this
    const { indices, data } = a
    const n = a.rows
    let largest = 0
    for (let t = 0; t < a.end(n - 1); t++) largest = Math.max(largest, Math.abs(data[t]))
    const least = this.floor * largest
    let work = 0
    for (let i = 0; i < n; i++) {
      const from = first[i]
      const row = start[i] - from
      let pivot = 0
      for (let t = a.begin(order[i]); t < a.end(order[i]); t++) {
        const j = place[indices![t]]
        if (j < i) values[row + j] += data[t]
        else if (j === i) pivot += data[t]
      }
      for (let j = from; j < i; j++) {
        const begin = Math.max(from, first[j])
        const other = start[j] - first[j]
        values[row + j] -= product(values, row + begin, other + begin, j - begin)
        work += j - begin + 1
      }
      for (let j = from; j < i; j++) {
        const value = values[row + j]
        values[row + j] = value / pivots[j]
        pivot -= value * values[row + j]
      }
      if (!(Math.abs(pivot) > least)) {
        pivot = order[i] < this.expected ? least : -least
        this.replaced++
      }
      pivots[i] = pivot
      if (pivot > 0) this.positive++
      else this.negative++
      if (work < workLength) continue
      this.flops += 2 * work
      work = 0
      if (monitor.expired()) return
      if (monitor.due()) yield
    }
    this.flops += 2 * work
  }

  /** x <- A⁻¹ x */
  solve(x: Float64Array): void {
    const { order, first, start, values, pivots } = this
    const n = order.length
    const y = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      const row = start[i] - first[i]
      let sum = x[order[i]]
      for (let j = first[i]; j < i; j++) sum -= values[row + j] * y[j]
      y[i] = sum
    }
    for (let i = 0; i < n; i++) y[i] /= pivots[i]
    for (let i = n - 1; i >= 0; i--) {
      const row = start[i] - first[i]
      for (let j = first[i]; j < i; j++) y[j] -= values[row + j] * y[i]
    }
    for (let i = 0; i < n; i++) x[order[i]] = y[i]
    this.flops += 4 * values.length
  }
}

function product(values: Float64Array, p: number, q: number, count: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  let k = 0
  for (; k + 4 <= count; k += 4) {
    s0 += values[p + k] * values[q + k]
    s1 += values[p + k + 1] * values[q + k + 1]
    s2 += values[p + k + 2] * values[q + k + 2]
    s3 += values[p + k + 3] * values[q + k + 3]
  }
  for (; k < count; k++) s0 += values[p + k] * values[q + k]
  return s0 + s1 + (s2 + s3)
}
