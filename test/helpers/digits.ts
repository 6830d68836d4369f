import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Dense, normalized } from './transport.js'

const side = 28
const { resolve } = createRequire(import.meta.url)

/** The first MNIST image of a digit, 28 × 28 intensities in [0, 1]. */
function image(digit: number): Float64Array {
  const { data } = JSON.parse(readFileSync(resolve(`mnist/src/digits/${digit}.json`), 'utf8')) as { data: number[] }
  return Float64Array.from(data.slice(0, side * side))
}

/** The mean over squares of `by` × `by` pixels. */
function coarser(pixels: Float64Array, by: number): Float64Array {
  const size = side / by
  const out = new Float64Array(size * size)
  pixels.forEach((value, k) => {
    const [row, column] = [Math.floor(k / side), k % side]
    out[Math.floor(row / by) * size + Math.floor(column / by)] += value / by ** 2
  })
  return out
}

/**
 * One digit into another as in the paper: intensities plus 0.01, pixels on a grid, costs of L1 or squared L2 distances
 * scaled to a largest of 1.
 */
export function digitPair(from: number, to: number, cost: 'L1' | 'L2', by = 1): Dense {
  const size = side / by
  const n = size * size
  const weights = (digit: number) => normalized(coarser(image(digit), by).map((value) => value + 0.01))
  const costs = new Float64Array(n * n)
  for (let k = 0; k < n * n; k++) {
    const [p, q] = [Math.floor(k / n), k % n]
    const down = Math.abs(Math.floor(p / size) - Math.floor(q / size)) / (size - 1)
    const across = Math.abs((p % size) - (q % size)) / (size - 1)
    costs[k] = (cost === 'L1' ? down + across : down ** 2 + across ** 2) / 2
  }
  return { n, m: n, cost: costs, a: weights(from), b: weights(to) }
}
