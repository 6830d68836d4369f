import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'

/** A number in [0, 1): a decay rate of averages. */
export function decayRate(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value === 'number' && value >= 0 && value < 1) return value
  throw new ExtremaError('ERR_OPTION', `${name}: expected a number in [0, 1), got ${describe(value)}`)
}
