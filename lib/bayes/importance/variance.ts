import type { Leaf } from './forest.js'

/** The variance of a function that is constant on boxes over the uniform unit cube, and the part of it that each coordinate has alone. */
export interface Variance {
  total: number
  main: Float64Array
}

/** Exactly, from the boxes: F. Hutter, H. Hoos, K. Leyton-Brown, "An efficient approach for assessing hyperparameter importance" (ICML 2014). */
export function varianceOf(leaves: readonly Leaf[], dimensions: number): Variance {
  const volumes = leaves.map(({ low, high }) => {
    let volume = 1
    for (let j = 0; j < dimensions; j++) volume *= high[j] - low[j]
    return volume
  })
  let mean = 0
  leaves.forEach(({ value }, k) => {
    mean += volumes[k] * value
  })
  let total = 0
  leaves.forEach(({ value }, k) => {
    total += volumes[k] * (value - mean) ** 2
  })
  const main = Float64Array.from({ length: dimensions }, (_, j) => mainEffect(leaves, volumes, mean, j))
  return { total, main }
}

/** The variance of the mean over all other coordinates, which is constant between the edges of the boxes. */
function mainEffect(leaves: readonly Leaf[], volumes: readonly number[], mean: number, j: number): number {
  const edges = [...new Set(leaves.flatMap(({ low, high }) => [low[j], high[j]]))].sort((a, b) => a - b)
  const place = new Map(edges.map((edge, k) => [edge, k]))
  // The sum over boxes of (value - mean) times their volume in the other coordinates, as steps at their edges.
  const steps = new Float64Array(edges.length)
  leaves.forEach(({ low, high, value }, k) => {
    const share = ((value - mean) * volumes[k]) / (high[j] - low[j])
    steps[place.get(low[j])!] += share
    steps[place.get(high[j])!] -= share
  })
  let level = 0
  let variance = 0
  for (let k = 0; k < edges.length - 1; k++) {
    level += steps[k]
    variance += level ** 2 * (edges[k + 1] - edges[k])
  }
  return variance
}
