import { STEPS_PER_UNIT } from '../math.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import type { CostRows } from './cost.js'
import type { Penalty } from './penalty.js'
import { addRows } from './row-blocks.js'
import { costDot, dot, exponentials, largest, weightedCostDot } from './rows.js'

/**
 * What multiplies row i once its sum r_i is known: 1; a_i / r_i (the Sinkhorn update of f, with rows that under- or
 * overflow rescued by their maximum); exp(move / epsilon) for f += move to damping (epsilon (logWeight_i - log r_i) + f_i) (the same where
 * the marginal is relaxed; a row with logWeight -Infinity is left out); min(1, a_i / r_i) (the first half of rounding to
 * the marginals); scale_i; or r_i / a_i (with weights v the column sums are P^T diag(1/a) P v).
 */
export type Scaling = 'none' | 'sinkhorn' | 'relaxed' | 'capped' | 'given' | 'normal'

/** A sweep over the rows of the plan P_ij = exp((f_i + g_j - C_ij) / epsilon) that forms its entries on the fly. */
export class PlanPass {
  scaling: Scaling = 'none'
  /** For 'sinkhorn', 'capped' and 'normal'. */
  a: Float64Array | null = null
  /** n, 'relaxed' */
  logWeight: Float64Array | null = null
  /** 'relaxed' */
  damping = 1
  /** 'relaxed': says where f goes, in place of the two above. */
  penalty: Penalty | null = null
  /** n: read when 'given', written otherwise (may be null when 'none'). */
  scale: Float64Array | null = null
  /** n, 'sinkhorn' and 'relaxed': what was added to f_i before scaling; f itself is not touched. */
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
  /** What multiplies the rows of a block of four. */
  readonly factors = new Float64Array(4)

  constructor(
    readonly epsilon: number,
    readonly f: Float64Array,
    readonly g: Float64Array,
    /** 4 × m: room for a block of rows that are not stored. Give it where a pass is made again and again. */
    readonly rows: Float64Array = new Float64Array(4 * g.length),
  ) {}
}

/** Below, a sum has lost digits to underflow; above, it may have overflowed. */
export const leastSum = 1e-280
export const mostSum = 1e280
/** Exponent of a scale. */
const farthest = 600

export function* planPass(cost: CostRows, pass: PlanPass, monitor: Watch): Work<void> {
  const { n, m } = cost
  const { scaling, f, g, a, scale, shift, columnWeight, rowSum, rowCost, columnSum, store, factors } = pass
  const steps = STEPS_PER_UNIT / pass.epsilon
  const inPlace = store instanceof Float64Array
  const p = inPlace ? store : pass.rows
  columnSum?.fill(0)
  let work = 0
  for (let i = 0; i < n; i++) {
    const k = i & 3
    const at = inPlace ? i * m : k * m
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
    if (scaling === 'relaxed' && isLeftOut(pass, i)) {
      shift![i] = 0
      scale![i] = 0
      factor = 0
    } else if (scaling === 'sinkhorn' || scaling === 'relaxed') {
      let moved = 0
      if (!(sum > leastSum && sum < mostSum)) {
        const rescued = yield* rescuedPotential(cost, i, g, monitor)
        moved = rescued - f[i]
        sum = yield* formRow(cost, i, rescued, g, steps, p, at, monitor)
      }
      if (scaling === 'sinkhorn') {
        factor = a![i] / sum
      } else {
        const at0 = f[i] + moved
        const move = relaxedPotential(pass, i, at0, sum) - at0
        if (Math.abs(move) <= farthest * pass.epsilon) {
          factor = Math.exp(move / pass.epsilon)
        } else {
          // Its scale might not be a number: the row is formed where it goes.
          moved += move
          sum = yield* formRow(cost, i, f[i] + moved, g, steps, p, at, monitor)
        }
      }
      shift![i] = moved
      scale![i] = factor
    } else if (scaling === 'capped') {
      factor = sum > a![i] ? a![i] / sum : 1
      scale![i] = factor
    } else if (scaling === 'given') {
      factor = scale![i]
    } else if (scaling === 'normal') {
      factor = sum / a![i]
    }
    if (rowSum !== null) rowSum[i] = sum
    if (rowCost !== null) rowCost[i] = sumCost
    if (store !== null && !inPlace) store.set(p.subarray(at, at + m), i * m)
    factors[k] = factor
    if (columnSum === null || (k < 3 && i + 1 < n)) continue
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      addRows(p, at - k * m, m, k + 1, factors, 0, columnSum, start, end)
      if (m > segmentLength && monitor.due()) yield
    }
  }
}

function isLeftOut({ penalty, logWeight }: PlanPass, i: number): boolean {
  return penalty === null ? logWeight![i] === Number.NEGATIVE_INFINITY : penalty.leftOut(i)
}

/** Where a relaxed marginal moves f to, given the sum of the row at f. */
function relaxedPotential(
  { penalty, logWeight, damping, epsilon }: PlanPass,
  i: number,
  f: number,
  sum: number,
): number {
  if (penalty !== null) return penalty.update(i, f - epsilon * Math.log(sum))
  return damping * (epsilon * (logWeight![i] - Math.log(sum)) + f)
}

/** The potential of row i that puts its largest exponent at zero: its sum can neither be lost nor overflow. */
export function* rescuedPotential(cost: CostRows, i: number, g: Float64Array, monitor: Watch): Work<number> {
  let most = Number.NEGATIVE_INFINITY
  for (let start = 0; start < cost.m; start += segmentLength) {
    const end = Math.min(start + segmentLength, cost.m)
    cost.read(i, start, end)
    most = Math.max(most, largest(cost.data, cost.offset, g, start, end))
    if (monitor.due()) yield
  }
  return -most
}

/** p_at+j = exp((f + g_j - C_ij) / epsilon); returns their sum. */
export function* formRow(
  cost: CostRows,
  i: number,
  f: number,
  g: Float64Array,
  steps: number,
  p: Float64Array,
  at: number,
  monitor: Watch,
): Work<number> {
  let sum = 0
  for (let start = 0; start < cost.m; start += segmentLength) {
    const end = Math.min(start + segmentLength, cost.m)
    cost.read(i, start, end)
    sum += exponentials(cost.data, cost.offset, f, g, steps, p, at, start, end)
    if (monitor.due()) yield
  }
  return sum
}
