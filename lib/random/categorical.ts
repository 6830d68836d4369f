import { toVector, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'

/**
 * Running sums of the weights over their largest one, so that none overflows. Refuses weights that are negative, not
 * finite or all zero.
 */
export function cumulativeWeights(weights: VectorLike): Float64Array {
  const vector = toVector('weights', weights)
  if (vector.length === 0) throw new ExtremaError('ERR_SHAPE', 'weights: expected at least one, got none')
  let largest = 0
  for (let i = 0; i < vector.length; i++) {
    const weight = vector[i]
    if (weight >= 0 && weight < Number.POSITIVE_INFINITY) largest = Math.max(largest, weight)
    else refuse(`weights[${i}]`, weight)
  }
  if (largest === 0) throw new ExtremaError('ERR_NOT_POSITIVE', 'weights: expected a positive sum, got 0')
  const sums = new Float64Array(vector.length)
  let sum = 0
  for (let i = 0; i < sums.length; i++) {
    sum += vector[i] / largest
    sums[i] = sum
  }
  return sums
}

function refuse(name: string, weight: number): never {
  const code = Number.isFinite(weight) ? 'ERR_NOT_POSITIVE' : 'ERR_NOT_FINITE'
  throw new ExtremaError(code, `${name}: expected a finite number >= 0, got ${weight}`)
}

/**
 * The first index whose sum exceeds `uniform` in [0, 1) times the whole: never one of weight zero, whose sum equals its
 * predecessor's. There is one, for the whole is a normal number and its product with 1 - 2^-53 rounds to less.
 */
export function pick(sums: Float64Array, uniform: number): number {
  const level = uniform * sums[sums.length - 1]
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sums[middle] > level) high = middle
    else low = middle + 1
  }
  return low
}
