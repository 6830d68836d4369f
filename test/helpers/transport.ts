import type { TransportProblem } from '../../lib/transport/index.js'
import { fill, random } from './random.js'

/** A transport problem in its plainest form: row-major costs and weights of the same total. */
export interface Dense {
  n: number
  m: number
  cost: Float64Array
  a: Float64Array
  b: Float64Array
}

export function asProblem({ n, m, cost, a, b }: Dense): TransportProblem {
  return { cost: { data: cost, shape: [n, m] }, a, b }
}

export function uniform(length: number): Float64Array {
  return new Float64Array(length).fill(1 / length)
}

export function total(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum
}

export function normalized(values: Float64Array): Float64Array {
  const sum = total(values)
  return values.map((value) => value / sum)
}

/** Costs uniform in [0, 1), weights uniform or random with a ratio of up to 20. */
export function randomDense(n: number, m: number, seed: number, weights: 'equal' | 'random' = 'random'): Dense {
  const next = random(seed)
  const cost = fill(n * m, next)
  if (weights === 'equal') return { n, m, cost, a: uniform(n), b: uniform(m) }
  const weight = () => 0.05 + next()
  return { n, m, cost, a: normalized(fill(n, weight)), b: normalized(fill(m, weight)) }
}

export function costRange(cost: Float64Array): number {
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (const c of cost) {
    if (c === Number.POSITIVE_INFINITY) continue
    if (c < least) least = c
    if (c > most) most = c
  }
  return most - least
}

export function rowSums(plan: Float64Array, n: number, m: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => total(plan.subarray(i * m, (i + 1) * m)))
}

export function columnSums(plan: Float64Array, n: number, m: number): Float64Array {
  const sums = new Float64Array(m)
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) sums[j] += plan[i * m + j]
  return sums
}

export function distanceL1(x: Float64Array, y: Float64Array): number {
  let distance = 0
  for (let i = 0; i < x.length; i++) distance += Math.abs(x[i] - y[i])
  return distance
}

export function largestDifference(x: Float64Array, y: Float64Array): number {
  if (x.length !== y.length) throw new Error(`lengths differ: ${x.length} and ${y.length}`)
  let largest = 0
  for (let i = 0; i < x.length; i++) {
    const difference = Math.abs(x[i] - y[i])
    // NaN must not pass for small.
    if (!(difference <= largest)) largest = difference
  }
  return largest
}

export function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) if (x[i] !== 0 && y[i] !== 0) sum += x[i] * y[i]
  return sum
}

export function transposed(matrix: Float64Array, n: number, m: number): Float64Array {
  const out = new Float64Array(n * m)
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j * n + i] = matrix[i * m + j]
  return out
}

/** (|P1 - a|_1 + |Pᵀ1 - b|_1) / sum(a) */
export function marginalErrorOf(plan: Float64Array, { n, m, a, b }: Dense): number {
  return (distanceL1(rowSums(plan, n, m), a) + distanceL1(columnSums(plan, n, m), b)) / total(a)
}
