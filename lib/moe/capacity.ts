import { toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { positive, whole } from '../core/options.js'

/** How many tokens each expert takes: given, or capacityFactor × k × tokens / experts, rounded up. Cut to `tokens`. */
export function readCapacity(
  options: { capacity?: number | VectorLike; capacityFactor?: number },
  tokens: number,
  experts: number,
  k: number,
): Int32Array {
  const { capacity, capacityFactor } = options
  if (capacity !== undefined && capacityFactor !== undefined) {
    throw new ExtremaError('ERR_OPTION', 'capacity, capacityFactor: expected one of them, got both')
  }
  const out = new Int32Array(experts)
  if (capacity === undefined) {
    const factor = positive('capacityFactor', capacityFactor, 1.25)
    return out.fill(Math.min(tokens, roundUp((factor * k * tokens) / experts)))
  }
  if (typeof capacity === 'number') return out.fill(Math.min(tokens, whole('capacity', capacity, 0, 0)))
  const list = toFloat64('capacity', capacity)
  if (list.length !== experts) {
    throw new ExtremaError('ERR_SHAPE', `capacity: expected a number or ${experts} of them, got ${list.length}`)
  }
  for (let e = 0; e < experts; e++) out[e] = Math.min(tokens, whole(`capacity[${e}]`, list[e], 0, 0))
  return out
}

/** Rounded up, unless it is whole but for rounding: 1.1 × 2 × 50 / 10 is 11. */
function roundUp(value: number): number {
  const nearest = Math.round(value)
  return Math.abs(value - nearest) <= 1e-9 * value ? nearest : Math.ceil(value)
}

export function totalOf(values: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]
  return total
}
