import type { UpdateKernels } from '../backend/tensor-update.js'
import type { FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { positive } from '../core/options.js'
import { updateKernels } from './backend.js'
import { at, type LeafMemory, leavesOf, refuseSharedMemory } from './parameters.js'

/**
 * The Euclidean norm of all entries together, in float64.
 *
 * @throws {ExtremaError} `ERR_NOT_FINITE` naming the first entry that is not finite; for a norm beyond float64
 */
export function finiteNorm(name: string, leaves: readonly LeafMemory[], tree: number, when = ''): number {
  let sum = 0
  for (const { data } of leaves) sum += kernelsOf(data[tree]).sumOfSquares(data[tree])
  if (sum > 1e-280 && sum < Number.POSITIVE_INFINITY) return Math.sqrt(sum)
  // NaN, an infinity, or squares that leave the range of float64.
  let most = 0
  for (const { data, path } of leaves) {
    const values = data[tree]
    for (let i = 0; i < values.length; i++) {
      const size = Math.abs(values[i])
      if (size > most) most = size
      if (size < Number.POSITIVE_INFINITY) continue
      throw new ExtremaError(
        'ERR_NOT_FINITE',
        `${at(name, path)}[${i}]: expected a finite number, got ${values[i]}${when}`,
      )
    }
  }
  if (most === 0) return 0
  let scaled = 0
  for (const { data } of leaves) for (const value of data[tree]) scaled += (value / most) ** 2
  const norm = most * Math.sqrt(scaled)
  if (norm < Number.POSITIVE_INFINITY) return norm
  throw new ExtremaError('ERR_NOT_FINITE', `${name}: expected a norm within float64, got one beyond${when}`)
}

function kernelsOf(data: FloatArray): UpdateKernels {
  return updateKernels(data.length)
}

/**
 * Scales gradients in place so that the Euclidean norm of all entries together is at most `limit`. Returns the norm they had.
 *
 * @param gradients a tree of tensors or typed arrays; tensors that share its memory change too
 * @throws {ExtremaError} `ERR_NOT_FINITE` (naming the entry; nothing is changed), `ERR_NOT_POSITIVE`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_BUFFER`
 */
export function clipByNorm<P extends object>(gradients: P, limit: number): number {
  positive('limit', limit)
  const leaves = leavesOf(['gradients'], [gradients])
  refuseSharedMemory(['gradients'], leaves)
  const norm = finiteNorm('gradients', leaves, 0)
  if (norm > limit) {
    for (const { data } of leaves) kernelsOf(data[0]).combine(data[0], data[0], data[0], limit / norm, 0)
  }
  return norm
}

/**
 * Moves every entry of gradients into [-limit, limit], in place. Infinities become ±limit.
 *
 * @throws {ExtremaError} `ERR_NOT_FINITE` for NaN (naming the entry; nothing is changed), `ERR_NOT_POSITIVE`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_BUFFER`
 */
export function clipByValue<P extends object>(gradients: P, limit: number): void {
  positive('limit', limit)
  const leaves = leavesOf(['gradients'], [gradients])
  for (const { data, path } of leaves) {
    const i = Number.isNaN(kernelsOf(data[0]).sumOfSquares(data[0])) ? data[0].findIndex(Number.isNaN) : -1
    if (i >= 0) throw new ExtremaError('ERR_NOT_FINITE', `${at('gradients', path)}[${i}]: expected a number, got NaN`)
  }
  for (const { data } of leaves) kernelsOf(data[0]).clip(data[0], limit)
}
