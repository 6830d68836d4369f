import { STEPS_PER_UNIT } from '../math.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import type { CostRows } from './cost.js'
import { PointCloudRows } from './point-cloud.js'
import { exponentials } from './rows.js'

/**
 * A sweep over the rows of a weighted plan: W = P or, `weighted`,
 *
 *     W_ij = scale P_ij (alpha_i + beta_j + sign (G_ij + left_i · right_j)),
 *
 * for derivatives of values and plans. Where the cost has a border, G has none, and neither has what is stored.
 */
export class WeightedPass {
  weighted = false
  scale = 1
  sign = 1
  /** n and m; null: 0 */
  alpha: Float64Array | null = null
  beta: Float64Array | null = null
  /** G, row-major. */
  dense: Float64Array | null = null
  /** n × rank */
  left: Float64Array | null = null
  /** rank × m */
  rightTransposed: Float64Array | null = null
  rank = 0
  /** Without a border. */
  coreN: number
  coreM: number
  /** n */
  rowSum: Float64Array | null = null
  /** m */
  columnSum: Float64Array | null = null
  /** W, row-major. */
  store: Float64Array | null = null
  /** Points, n × dimension: sum_j W_ij times the derivative of C_ij with respect to x_i. 0 where that does not exist. */
  gradient: Float64Array | null = null
  dimension = 0

  constructor(
    readonly epsilon: number,
    readonly f: Float64Array,
    readonly g: Float64Array,
  ) {
    this.coreN = f.length
    this.coreM = g.length
  }
}

export function* weightedPass(cost: CostRows, pass: WeightedPass, monitor: Watch): Work<void> {
  const { n, m } = cost
  const { f, g, weighted, coreN, coreM, rowSum, columnSum, store, gradient, dimension } = pass
  const steps = STEPS_PER_UNIT / pass.epsilon
  const segment = new Float64Array(Math.min(m, segmentLength))
  const points = gradient !== null && cost instanceof PointCloudRows ? cost : null
  const products = new Float64Array(dimension)
  columnSum?.fill(0)
  let work = 0
  for (let i = 0; i < n; i++) {
    let total = 0
    let divided = 0
    products.fill(0)
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      cost.read(i, start, end)
      exponentials(cost.data, cost.offset, f[i], g, steps, segment, 0 - start, start, end)
      if (weighted) weigh(pass, i, m, segment, start, end)
      for (let j = start; j < end; j++) {
        const w = segment[j - start]
        total += w
        if (columnSum !== null) columnSum[j] += w
      }
      if (i < coreN) {
        if (store !== null) store.set(segment.subarray(0, Math.min(end, coreM) - start), i * coreM + start)
        if (points !== null) divided += gradientSegment(points, i, dimension, segment, start, end, products)
      }
      work += (end - start) * (1 + dimension + pass.rank)
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
    if (rowSum !== null) rowSum[i] = total
    if (points !== null) finishGradient(points, i, dimension, divided, products, gradient!)
  }
}

/** w_j <- scale p_j (alpha_i + beta_j + sign (G_ij + left_i · right_j)) for the columns of a segment. */
function weigh(pass: WeightedPass, i: number, m: number, w: Float64Array, start: number, end: number): void {
  const { alpha, beta, dense, left, rightTransposed, rank, scale, sign, coreN, coreM } = pass
  const own = alpha === null ? 0 : alpha[i]
  for (let j = start; j < end; j++) {
    const p = w[j - start]
    // Arcs without mass count for nothing, whatever their weight.
    if (p === 0) continue
    let factor = dense !== null && i < coreN && j < coreM ? dense[i * coreM + j] : 0
    if (left !== null) for (let k = 0; k < rank; k++) factor += left[i * rank + k] * rightTransposed![k * m + j]
    w[j - start] = scale * p * (own + (beta === null ? 0 : beta[j]) + sign * factor)
  }
}

/**
 * products_k += sum_j w_j y_jk, for Euclidean distances with w_j / C_ij for w_j, for city blocks sum_j w_j sign(x_ik - y_jk).
 * Returns the sum of what stood for w_j.
 */
function gradientSegment(
  points: PointCloudRows,
  i: number,
  dimension: number,
  w: Float64Array,
  start: number,
  end: number,
  products: Float64Array,
): number {
  const { x, yT, d, m, metric, data, offset } = points
  if (metric === 'euclidean') {
    for (let j = start; j < end; j++) w[j - start] = data[offset + j] === 0 ? 0 : w[j - start] / data[offset + j]
  }
  for (let k = 0; k < dimension; k++) {
    const row = k * m
    let total = 0
    if (metric === 'cityblock') {
      const at = x[i * d + k]
      for (let j = start; j < end; j++) total += w[j - start] * Math.sign(at - yT[row + j])
    } else {
      for (let j = start; j < end; j++) total += w[j - start] * yT[row + j]
    }
    products[k] += total
  }
  let sum = 0
  for (let j = start; j < end; j++) sum += w[j - start]
  return sum
}

function finishGradient(
  { x, d, metric }: PointCloudRows,
  i: number,
  dimension: number,
  sum: number,
  products: Float64Array,
  gradient: Float64Array,
): void {
  const at = i * d
  let along = 0
  for (let k = 0; k < dimension; k++) along += x[at + k] * products[k]
  for (let k = 0; k < dimension; k++) {
    const product = products[k]
    let slope = product
    if (metric === 'cosine')
      slope = along * x[at + k] - product // of 1 - x·y on the sphere
    else if (metric !== 'cityblock') slope = (metric === 'sqeuclidean' ? 2 : 1) * (sum * x[at + k] - product)
    gradient[i * dimension + k] = slope
  }
}
