import { type PointCloudCost, type PointMetric, pointCloud } from '../../lib/transport/index.js'

/** n points of d coordinates, row-major. */
export interface Cloud {
  data: Float64Array
  shape: [number, number]
}

export const metrics: readonly PointMetric[] = ['sqeuclidean', 'euclidean', 'cosine', 'cityblock']

export function cloud(n: number, d: number, next: () => number): Cloud {
  return { data: Float64Array.from({ length: n * d }, next), shape: [n, d] }
}

export function between(x: Cloud, y: Cloud, cost: PointMetric): PointCloudCost {
  return pointCloud(x, y, { cost })
}

/** The n × m costs, by their definitions. */
export function costsBetween(x: Cloud, y: Cloud, metric: PointMetric): Float64Array {
  const [n, d] = x.shape
  const m = y.shape[0]
  return Float64Array.from({ length: n * m }, (_, k) => {
    const p = x.data.subarray(Math.floor(k / m) * d, (Math.floor(k / m) + 1) * d)
    const q = y.data.subarray((k % m) * d, ((k % m) + 1) * d)
    const product = (u: Float64Array, v: Float64Array) => u.reduce((sum, c, i) => sum + c * v[i], 0)
    const difference = p.map((c, i) => c - q[i])
    if (metric === 'cityblock') return difference.reduce((sum, c) => sum + Math.abs(c), 0)
    if (metric === 'cosine') return 1 - product(p, q) / Math.sqrt(product(p, p) * product(q, q))
    const squares = product(difference, difference)
    return metric === 'euclidean' ? Math.sqrt(squares) : squares
  })
}
