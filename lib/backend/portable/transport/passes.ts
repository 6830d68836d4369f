import { STEPS_PER_UNIT } from '../math.js'
import type { CostRows } from './cost.js'
import { addScaled, costDot, dot, exponentials, largest, lower, weightedCostDot } from './row-kernels.js'
import { segmentLength, type Watch, type Work } from './work.js'

// Passes over the plan P_ij = exp((f_i + g_j - C_ij) / epsilon) or over C, each a single sweep over the rows that forms
// its entries on the fly. Everything a solver does with n × m numbers is one of these.

/**
 * What multiplies row i once its sum r_i is known: 1; a_i / r_i (the Sinkhorn update of f, with rows that under- or
 * overflow rescued by their maximum); min(1, a_i / r_i) (the first half of rounding to the marginals); or scale_i.
 */
export type Scaling = 'none' | 'sinkhorn' | 'capped' | 'given'

export class PlanPass {
  scaling: Scaling = 'none'
  /** For 'sinkhorn' and 'capped'. */
  a: Float64Array | null = null
  /** n: read when 'given', written otherwise (may be null when 'none'). */
  scale: Float64Array | null = null
  /** n, 'sinkhorn': what a rescue added to f_i before scaling; f itself is not touched. */
  shift: Float64Array | null = null
  /** m: v in the row sums sum_j P_ij v_j; null for ones. */
  columnWeight: Float64Array | null = null
  /** n: sum_j P_ij v_j before scaling. */
  rowSum: Float64Array | null = null
  /** n: sum_j C_ij P_ij v_j before scaling. */
  rowCost: Float64Array | null = null
  /** m: sum_i scale_i P_ij */
  columnSum: Float64Array | null = null
  /** n × m: P_ij before scaling. */
  store: Float64Array | Float32Array | null = null
  /** A row of P, where it is not stored. */
  readonly row: Float64Array

  constructor(
    readonly epsilon: number,
    readonly f: Float64Array,
    readonly g: Float64Array,
  ) {
    this.row = new Float64Array(g.length)
  }
}

/** Below, a sum has lost digits to underflow; above, it may have overflowed. */
export const leastSum = 1e-280
export const mostSum = 1e280

export function* planPass(cost: CostRows, pass: PlanPass, monitor: Watch): Work<void> {
  const { n, m } = cost
  const { scaling, f, g, a, scale, shift, columnWeight, rowSum, rowCost, columnSum, store } = pass
  const steps = STEPS_PER_UNIT / pass.epsilon
  const inPlace = store instanceof Float64Array
  const p = inPlace ? store : pass.row
  columnSum?.fill(0)
  let work = 0
  for (let i = 0; i < n; i++) {
    const at = inPlace ? i * m : 0
    let sum = 0
    let sumCost = 0
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      cost.read(i, start, end)
      const plain = exponentials(cost.data, cost.offset, f[i], g, steps, p, at, start, end)
      sum += columnWeight === null ? plain : dot(p, at, columnWeight, start, end)
      if (rowCost !== null) {
        sumCost +=
          columnWeight === null
            ? costDot(cost.data, cost.offset, p, at, start, end)
            : weightedCostDot(cost.data, cost.offset, p, at, columnWeight, start, end)
      }
      work += end - start
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
    let factor = 1
    if (scaling === 'sinkhorn') {
      let moved = 0
      if (!(sum > leastSum && sum < mostSum)) {
        const rescued = -(yield* largestOfRow(cost, i, g, monitor))
        moved = rescued - f[i]
        sum = 0
        for (let start = 0; start < m; start += segmentLength) {
          const end = Math.min(start + segmentLength, m)
          cost.read(i, start, end)
          sum += exponentials(cost.data, cost.offset, rescued, g, steps, p, at, start, end)
          if (monitor.due()) yield
        }
      }
      shift![i] = moved
      factor = a![i] / sum
      scale![i] = factor
    } else if (scaling === 'capped') {
      factor = sum > a![i] ? a![i] / sum : 1
      scale![i] = factor
    } else if (scaling === 'given') {
      factor = scale![i]
    }
    if (rowSum !== null) rowSum[i] = sum
    if (rowCost !== null) rowCost[i] = sumCost
    if (store !== null && !inPlace) store.set(p, i * m)
    if (columnSum === null) continue
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      addScaled(factor, p, at, columnSum, start, end)
      if (m > segmentLength && monitor.due()) yield
    }
  }
}

function* largestOfRow(cost: CostRows, i: number, g: Float64Array, monitor: Watch): Work<number> {
  let most = Number.NEGATIVE_INFINITY
  for (let start = 0; start < cost.m; start += segmentLength) {
    const end = Math.min(start + segmentLength, cost.m)
    cost.read(i, start, end)
    most = Math.max(most, largest(cost.data, cost.offset, g, start, end))
    if (monitor.due()) yield
  }
  return most
}

/** out_i = min_j (C_ij - g_j). With `rowCost` also sum_j C_ij w_j over w_j != 0. */
export function* rowTransform(
  cost: CostRows,
  g: Float64Array,
  out: Float64Array,
  monitor: Watch,
  w: Float64Array | null = null,
  rowCost: Float64Array | null = null,
): Work<void> {
  const { n, m } = cost
  let work = 0
  for (let i = 0; i < n; i++) {
    let most = Number.NEGATIVE_INFINITY
    let sumCost = 0
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      cost.read(i, start, end)
      most = Math.max(most, largest(cost.data, cost.offset, g, start, end))
      if (w !== null) sumCost += costDot(cost.data, cost.offset, w, 0, start, end)
      work += end - start
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
    out[i] = -most
    if (rowCost !== null) rowCost[i] = sumCost
  }
}

/** out_j = min_i (C_ij - f_i) */
export function* columnTransform(cost: CostRows, f: Float64Array, out: Float64Array, monitor: Watch): Work<void> {
  const { n, m } = cost
  out.fill(Number.POSITIVE_INFINITY)
  let work = 0
  for (let i = 0; i < n; i++) {
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      cost.read(i, start, end)
      lower(cost.data, cost.offset, f[i], out, start, end)
      work += end - start
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
  }
}
