import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { readWeights } from './problem.js'

/** The weights lambda of `count` distributions, of total 1. */
export function readShares(given: VectorLike | undefined, count: number, what: string): Float64Array {
  const { weights, total } = readWeights('weights', given, count, () => `the ${count} ${what}`)
  return weights.map((weight) => weight / total)
}

/** Distributions to be compared have the same total; a difference by rounding is scaled away. */
export function rescaled(name: string, weights: Float64Array, total: number, wanted: number, of: string): Float64Array {
  if (total === wanted) return weights
  if (Math.abs(total - wanted) > 1e-6 * wanted) {
    throw new ExtremaError('ERR_MASS', `${name}: expected the total of ${of}, ${wanted} (to 1e-6), got ${total}`)
  }
  const factor = wanted / total
  return weights.map((weight) => weight * factor)
}
