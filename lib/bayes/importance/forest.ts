import type { Generator } from '../../random/index.js'

/** Points of a unit cube and a value at each. */
export interface Sample {
  /** n × d, row-major. */
  x: Float64Array
  y: Float64Array
  dimensions: number
}

/** A part of the unit cube and the mean of the values in it. */
export interface Leaf {
  low: Float64Array
  high: Float64Array
  value: number
}

/** Nodes of fewer points are not split. */
const leastSplit = 5

/**
 * An extremely randomized tree (P. Geurts, D. Ernst, L. Wehenkel, Machine Learning 63 (2006)), as the boxes of its leaves: of one random
 * threshold in each dimension the one that leaves the least variance.
 */
export function randomTree({ x, y, dimensions: d }: Sample, random: Generator): Leaf[] {
  const leaves: Leaf[] = []
  const order = Int32Array.from(y.keys())
  const grow = (from: number, to: number, low: Float64Array, high: Float64Array): void => {
    const split = to - from >= leastSplit ? bestSplit(from, to) : undefined
    if (split === undefined) {
      let sum = 0
      for (let k = from; k < to; k++) sum += y[order[k]]
      leaves.push({ low, high, value: sum / (to - from) })
      return
    }
    const { dimension, threshold } = split
    let middle = from
    for (let k = from; k < to; k++) {
      if (x[order[k] * d + dimension] >= threshold) continue
      const i = order[k]
      order[k] = order[middle]
      order[middle++] = i
    }
    const below = high.slice()
    const above = low.slice()
    below[dimension] = threshold
    above[dimension] = threshold
    grow(from, middle, low, below)
    grow(middle, to, above, high)
  }
  const bestSplit = (from: number, to: number) => {
    let best: { dimension: number; threshold: number } | undefined
    let bestGain = 0
    let total = 0
    for (let k = from; k < to; k++) total += y[order[k]]
    for (let j = 0; j < d; j++) {
      let least = Number.POSITIVE_INFINITY
      let most = Number.NEGATIVE_INFINITY
      for (let k = from; k < to; k++) {
        const value = x[order[k] * d + j]
        if (value < least) least = value
        if (value > most) most = value
      }
      if (least === most) continue
      const threshold = most - (most - least) * random.uniform() // in (least, most]
      if (threshold <= least) continue
      let sum = 0
      let count = 0
      for (let k = from; k < to; k++) {
        if (x[order[k] * d + j] >= threshold) continue
        sum += y[order[k]]
        count++
      }
      // What the squared deviations fall by, up to a constant.
      const gain = sum ** 2 / count + (total - sum) ** 2 / (to - from - count) - total ** 2 / (to - from)
      if (gain <= bestGain) continue
      bestGain = gain
      best = { dimension: j, threshold }
    }
    return best
  }
  grow(0, y.length, new Float64Array(d), new Float64Array(d).fill(1))
  return leaves
}
