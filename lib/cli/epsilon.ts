import { generator } from '../random/index.js'

/** A cost between any source and any target. */
export interface PairCost {
  rows: number
  columns: number
  at: (row: number, column: number) => number
}

export const costNames = ['sqeuclidean', 'euclidean', 'cosine', 'cityblock'] as const
export type CostName = (typeof costNames)[number]

type Metric = (x: Float64Array, i: number, y: Float64Array, j: number, dimension: number) => number

const metrics: Record<CostName, Metric> = {
  sqeuclidean: (x, i, y, j, d) => sum(d, (k) => (x[i + k]! - y[j + k]!) ** 2),
  euclidean: (x, i, y, j, d) => Math.sqrt(sum(d, (k) => (x[i + k]! - y[j + k]!) ** 2)),
  cityblock: (x, i, y, j, d) => sum(d, (k) => Math.abs(x[i + k]! - y[j + k]!)),
  cosine: (x, i, y, j, d) => {
    const norms = sum(d, (k) => x[i + k]! ** 2) * sum(d, (k) => y[j + k]! ** 2)
    return norms === 0 ? 1 : 1 - sum(d, (k) => x[i + k]! * y[j + k]!) / Math.sqrt(norms)
  },
}

function sum(count: number, term: (k: number) => number): number {
  let total = 0
  for (let k = 0; k < count; k++) total += term(k)
  return total
}

export function pointCost(x: Float64Array, y: Float64Array, dimension: number, cost: CostName): PairCost {
  const metric = metrics[cost]
  return {
    rows: x.length / dimension,
    columns: y.length / dimension,
    at: (row, column) => metric(x, row * dimension, y, column * dimension, dimension),
  }
}

export function matrixCost({ data, shape }: { data: Float64Array; shape: [number, number] }): PairCost {
  return { rows: shape[0], columns: shape[1], at: (row, column) => data[row * shape[1] + column]! }
}

const mostPairs = 2 ** 17

/** Part of the cost's standard deviation that is the default epsilon: fine enough for a sharp plan, cheap to reach. */
export const defaultShare = 0.05

/** 0.05 × the standard deviation of the cost, over all pairs or 131,072 drawn ones. */
export function defaultEpsilon(cost: PairCost): number {
  const { mean, deviation } = moments(costSample(cost).filter(Number.isFinite))
  // A cost that is the same everywhere leaves only the product plan, whatever epsilon is.
  const isConstant = !(deviation > 1e-12 * Math.abs(mean))
  return defaultShare * (isConstant ? Math.abs(mean) || 1 : deviation)
}

function costSample({ rows, columns, at }: PairCost): Float64Array {
  const pairs = rows * columns
  if (pairs <= mostPairs) {
    return Float64Array.from({ length: pairs }, (_, k) => at(Math.floor(k / columns), k % columns))
  }
  const draws = generator(0).uniform(2 * mostPairs)
  return Float64Array.from({ length: mostPairs }, (_, k) =>
    at(Math.floor(draws[2 * k]! * rows), Math.floor(draws[2 * k + 1]! * columns)),
  )
}

function moments(values: Float64Array): { mean: number; deviation: number } {
  const mean = values.reduce((total, value) => total + value, 0) / values.length
  const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length
  return { mean, deviation: Math.sqrt(variance) }
}
