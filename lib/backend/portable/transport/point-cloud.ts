import type { CostData, Metric } from '../../kernels.js'
import type { CostRows } from './cost.js'
import { segmentLength, type Watch, type Work } from './work.js'

/**
 * Distances between points, computed where they are read. Points are copied once: y by coordinates, both less the
 * common mean (so that distances keep their digits), unit length for cosine. Always float64, whatever the points are.
 */
export class PointCloudRows implements CostRows {
  readonly data: Float64Array
  offset = 0
  /** No cost is larger. */
  diameter = 0

  private constructor(
    readonly n: number,
    readonly m: number,
    private readonly d: number,
    private readonly metric: Metric,
    private readonly x: Float64Array,
    private readonly yT: Float64Array,
  ) {
    this.data = new Float64Array(Math.min(m, segmentLength))
  }

  static *open({ n, m, d, metric, x, y }: CostData, monitor: Watch): Work<PointCloudRows> {
    const source = new Float64Array(x)
    const target = new Float64Array(y!)
    const diameter = yield* boundingDiameter(metric, source, target, d, monitor)
    if (metric === 'cosine') {
      yield* normalize(source, d, monitor)
      yield* normalize(target, d, monitor)
    } else {
      const mean = new Float64Array(d)
      yield* addPoints(source, mean, monitor)
      yield* addPoints(target, mean, monitor)
      for (let k = 0; k < d; k++) mean[k] /= n + m
      yield* subtract(source, mean, monitor)
      yield* subtract(target, mean, monitor)
    }
    const yT = yield* transpose(target, m, d, monitor)
    const rows = new PointCloudRows(n, m, d, metric, source, yT)
    rows.diameter = diameter
    return rows
  }

  read(i: number, start: number, end: number): void {
    const { x, yT, m, d, data } = this
    this.offset = -start
    const count = end - start
    switch (this.metric) {
      case 'cityblock':
        cityblock(x, i * d, d, yT, m, start, count, data)
        break
      case 'cosine':
        cosine(x, i * d, d, yT, m, start, count, data)
        for (let j = 0; j < count; j++) if (data[j] < 0) data[j] = 0
        break
      case 'euclidean':
        squaredDistances(x, i * d, d, yT, m, start, count, data)
        for (let j = 0; j < count; j++) data[j] = Math.sqrt(data[j])
        break
      default:
        squaredDistances(x, i * d, d, yT, m, start, count, data)
    }
  }
}

// Rows of distances, four coordinates at a time: out[j] = distance(x[i..i+d), y_{start+j}) for j < count.

function squaredDistances(
  x: Float64Array,
  i: number,
  d: number,
  yT: Float64Array,
  m: number,
  start: number,
  count: number,
  out: Float64Array,
): void {
  let k = d & 3
  if (k === 0) {
    out.fill(0, 0, count)
  } else {
    // The remainder first, so that it can set what the rest adds to.
    const x0 = x[i]
    const x1 = k > 1 ? x[i + 1] : 0
    const x2 = k > 2 ? x[i + 2] : 0
    const y0 = start
    const y1 = y0 + m
    const y2 = y1 + m
    if (k === 1) {
      for (let j = 0; j < count; j++) {
        const s0 = x0 - yT[y0 + j]
        out[j] = s0 * s0
      }
    } else if (k === 2) {
      for (let j = 0; j < count; j++) {
        const s0 = x0 - yT[y0 + j]
        const s1 = x1 - yT[y1 + j]
        out[j] = s0 * s0 + s1 * s1
      }
    } else {
      for (let j = 0; j < count; j++) {
        const s0 = x0 - yT[y0 + j]
        const s1 = x1 - yT[y1 + j]
        const s2 = x2 - yT[y2 + j]
        out[j] = s0 * s0 + s1 * s1 + s2 * s2
      }
    }
  }
  for (; k < d; k += 4) {
    const x0 = x[i + k]
    const x1 = x[i + k + 1]
    const x2 = x[i + k + 2]
    const x3 = x[i + k + 3]
    const y0 = k * m + start
    const y1 = y0 + m
    const y2 = y1 + m
    const y3 = y2 + m
    for (let j = 0; j < count; j++) {
      const s0 = x0 - yT[y0 + j]
      const s1 = x1 - yT[y1 + j]
      const s2 = x2 - yT[y2 + j]
      const s3 = x3 - yT[y3 + j]
      out[j] = out[j] + (s0 * s0 + s1 * s1 + (s2 * s2 + s3 * s3))
    }
  }
}

function cityblock(
  x: Float64Array,
  i: number,
  d: number,
  yT: Float64Array,
  m: number,
  start: number,
  count: number,
  out: Float64Array,
): void {
  let k = d & 1
  if (k === 0) {
    out.fill(0, 0, count)
  } else {
    const x0 = x[i]
    for (let j = 0; j < count; j++) out[j] = Math.abs(x0 - yT[start + j])
  }
  for (; k < d; k += 2) {
    const x0 = x[i + k]
    const x1 = x[i + k + 1]
    const y0 = k * m + start
    const y1 = y0 + m
    for (let j = 0; j < count; j++) out[j] = out[j] + (Math.abs(x0 - yT[y0 + j]) + Math.abs(x1 - yT[y1 + j]))
  }
}

function cosine(
  x: Float64Array,
  i: number,
  d: number,
  yT: Float64Array,
  m: number,
  start: number,
  count: number,
  out: Float64Array,
): void {
  out.fill(1, 0, count)
  let k = 0
  for (; k + 4 <= d; k += 4) {
    const x0 = x[i + k]
    const x1 = x[i + k + 1]
    const x2 = x[i + k + 2]
    const x3 = x[i + k + 3]
    const y0 = k * m + start
    const y1 = y0 + m
    const y2 = y1 + m
    const y3 = y2 + m
    for (let j = 0; j < count; j++) {
      out[j] = out[j] - (x0 * yT[y0 + j] + x1 * yT[y1 + j] + (x2 * yT[y2 + j] + x3 * yT[y3 + j]))
    }
  }
  for (; k < d; k++) {
    const x0 = x[i + k]
    const y0 = k * m + start
    for (let j = 0; j < count; j++) out[j] = out[j] - x0 * yT[y0 + j]
  }
}

/** The cost across the box around all points: a bound of every cost. */
function* boundingDiameter(metric: Metric, x: Float64Array, y: Float64Array, d: number, monitor: Watch): Work<number> {
  if (metric === 'cosine') return 2
  const least = new Float64Array(d).fill(Number.POSITIVE_INFINITY)
  const most = new Float64Array(d).fill(Number.NEGATIVE_INFINITY)
  for (const points of [x, y]) {
    for (let i = 0; i < points.length; i += d) {
      for (let k = 0; k < d; k++) {
        const value = points[i + k]
        if (value < least[k]) least[k] = value
        if (value > most[k]) most[k] = value
      }
      if (i % segmentLength < d && monitor.due()) yield
    }
  }
  let total = 0
  for (let k = 0; k < d; k++) {
    const side = most[k] - least[k]
    total += metric === 'cityblock' ? side : side * side
  }
  return metric === 'euclidean' ? Math.sqrt(total) : total
}

function* addPoints(points: Float64Array, sum: Float64Array, monitor: Watch): Work<void> {
  const d = sum.length
  for (let i = 0; i < points.length; i += d) {
    for (let k = 0; k < d; k++) sum[k] += points[i + k]
    if (i % segmentLength < d && monitor.due()) yield
  }
}

function* subtract(points: Float64Array, mean: Float64Array, monitor: Watch): Work<void> {
  const d = mean.length
  for (let i = 0; i < points.length; i += d) {
    for (let k = 0; k < d; k++) points[i + k] -= mean[k]
    if (i % segmentLength < d && monitor.due()) yield
  }
}

function* normalize(points: Float64Array, d: number, monitor: Watch): Work<void> {
  for (let i = 0; i < points.length; i += d) {
    let squares = 0
    for (let k = 0; k < d; k++) squares += points[i + k] * points[i + k]
    const length = Math.sqrt(squares)
    for (let k = 0; k < d; k++) points[i + k] /= length
    if (i % segmentLength < d && monitor.due()) yield
  }
}

function* transpose(points: Float64Array, count: number, d: number, monitor: Watch): Work<Float64Array> {
  const out = new Float64Array(points.length)
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < d; k++) out[k * count + i] = points[i * d + k]
    if ((i * d) % segmentLength < d && monitor.due()) yield
  }
  return out
}
