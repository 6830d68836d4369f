import type { CostData, Metric } from '../../kernels.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import type { CostRows } from './cost.js'
import { cityblock, cosine, type Distances, euclidean, sqeuclidean } from './distances.js'

type PointMetric = Exclude<Metric, 'dense'>

const distances: Record<PointMetric, Distances> = { sqeuclidean, euclidean, cosine, cityblock }

/**
 * Distances between points, computed where they are read. Points are copied once: y by coordinates, both less the
 * common mean (so that distances keep their digits), unit length for cosine. Always float64, whatever the points are.
 */
export class PointCloudRows implements CostRows {
  readonly data: Float64Array
  offset = 0

  private constructor(
    readonly n: number,
    readonly m: number,
    /** Of the copies of the points: even. */
    readonly d: number,
    readonly metric: PointMetric,
    /** n × d */
    readonly x: Float64Array,
    /** d × m */
    readonly yT: Float64Array,
    /** No cost is larger. */
    readonly diameter: number,
  ) {
    this.data = new Float64Array(Math.min(m, segmentLength))
  }

  static *open(cost: CostData, metric: PointMetric, monitor: Watch): Work<PointCloudRows> {
    const { n, m, d } = cost
    const source = new Float64Array(cost.x)
    const target = new Float64Array(cost.y!)
    const box = new BoundingBox(d)
    yield* box.add(source, monitor)
    yield* box.add(target, monitor)
    const normalized = metric === 'cosine'
    const mean = normalized ? new Float64Array(d) : box.sum.map((total) => total / (n + m))
    const width = d + (d % 2) // a coordinate of zeros does no harm
    const x = new Float64Array(n * width)
    const yT = new Float64Array(width * m)
    yield* place(source, d, mean, normalized, x, width, 1, monitor)
    yield* place(target, d, mean, normalized, yT, 1, m, monitor)
    const radii = (yield* radius(source, mean, metric, monitor)) + (yield* radius(target, mean, metric, monitor))
    return new PointCloudRows(n, m, width, metric, x, yT, box.diameter(metric, radii))
  }

  read(i: number, start: number, end: number): void {
    const { x, yT, m, d, data } = this
    const count = end - start
    this.offset = 0 - start // not -0, which is no integer
    distances[this.metric](x, i * d, d, yT, m, start, count, data)
  }
}

/** The box around points, and their sum. */
class BoundingBox {
  readonly sum: Float64Array
  private readonly least: Float64Array
  private readonly most: Float64Array

  constructor(private readonly d: number) {
    this.sum = new Float64Array(d)
    this.least = new Float64Array(d).fill(Number.POSITIVE_INFINITY)
    this.most = new Float64Array(d).fill(Number.NEGATIVE_INFINITY)
  }

  *add(points: Float64Array, monitor: Watch): Work<void> {
    const { d, sum, least, most } = this
    for (let i = 0; i < points.length; i += d) {
      for (let k = 0; k < d; k++) {
        const value = points[i + k]
        sum[k] += value
        if (value < least[k]) least[k] = value
        if (value > most[k]) most[k] = value
      }
      if (i % segmentLength < d && monitor.due()) yield
    }
  }

  /** A bound of every cost: across the box, or by way of the mean, whichever is less. */
  diameter(metric: PointMetric, radii: number): number {
    if (metric === 'cosine') return 2
    let total = 0
    for (let k = 0; k < this.d; k++) {
      const side = this.most[k] - this.least[k]
      total += metric === 'cityblock' ? side : side * side
    }
    if (metric === 'sqeuclidean') return smaller(total, radii * radii)
    return smaller(metric === 'cityblock' ? total : Math.sqrt(total), radii)
  }
}

/** Not NaN unless `a` is. */
function smaller(a: number, b: number): number {
  return b < a ? b : a
}

/** The largest distance of a point from the mean. */
function* radius(points: Float64Array, mean: Float64Array, metric: PointMetric, monitor: Watch): Work<number> {
  const d = mean.length
  let largest = 0
  for (let i = 0; i < points.length; i += d) {
    let total = 0
    for (let k = 0; k < d; k++) {
      const offset = points[i + k] - mean[k]
      total += metric === 'cityblock' ? Math.abs(offset) : offset * offset
    }
    largest = Math.max(largest, metric === 'cityblock' ? total : Math.sqrt(total))
    if (i % segmentLength < d && monitor.due()) yield
  }
  return largest
}

/** out[i pointStep + k coordinateStep] = points[i d + k] - mean[k], of length one if `normalized`. */
function* place(
  points: Float64Array,
  d: number,
  mean: Float64Array,
  normalized: boolean,
  out: Float64Array,
  pointStep: number,
  coordinateStep: number,
  monitor: Watch,
): Work<void> {
  for (let i = 0, at = 0; i < points.length; i += d, at += pointStep) {
    let length = 1
    if (normalized) {
      let squares = 0
      for (let k = 0; k < d; k++) squares += points[i + k] * points[i + k]
      length = Math.sqrt(squares)
    }
    for (let k = 0; k < d; k++) out[at + k * coordinateStep] = (points[i + k] - mean[k]) / length
    if (i % segmentLength < d && monitor.due()) yield
  }
}
