import type { FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { allocate } from '../linear/direct.js'

/** A product with the inverse has the dtype of its vector. */
export type Product<T> = T extends Float32Array ? Float32Array : Float64Array

/** Nothing that overflowed leaves as if it were an answer. */
export function checkProduct<T extends FloatArray>(out: T): T {
  for (let j = 0; j < out.length; j++) {
    if (Number.isFinite(out[j])) continue
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      'x: its product with the inverse overflows; rescale x or raise the damping',
    )
  }
  return out
}

/** Numbers for an output, or ERR_MEMORY. */
export function room(precision: 'float32' | 'float64', length: number): FloatArray {
  if (precision === 'float64') return allocate(length)
  try {
    return new Float32Array(length)
  } catch (cause) {
    throw new ExtremaError('ERR_MEMORY', `memory: expected room for ${length} numbers, got none`, { cause })
  }
}
