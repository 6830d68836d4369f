import { checkBuffer } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'

/** A value as it is shown in messages. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'object'
  return String(value)
}

/** A whole number within [least, most]. */
export function wholeNumber(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw new ExtremaError(
    'ERR_OPTION',
    `${name}: expected a whole number from ${least} to ${most}, got ${describe(value)}`,
  )
}

/** The array to fill: `target` itself or a new one of that length. */
export function outputArray(target: unknown): Float64Array {
  if (target instanceof Float64Array) {
    checkBuffer('out', target)
    return target
  }
  if (typeof target === 'object') {
    throw new ExtremaError('ERR_SHAPE', `out: expected a length or a Float64Array, got ${describe(target)}`)
  }
  const n = wholeNumber('n', target, 0, Number.MAX_SAFE_INTEGER)
  return allocate(n, () => new Float64Array(n))
}

/** `create()`, whose n numbers may be more than there is memory for. */
export function allocate<T>(n: number, create: () => T): T {
  try {
    return create()
  } catch (cause) {
    throw new ExtremaError('ERR_MEMORY', `n: expected a length that fits into memory, got ${n}`, { cause })
  }
}
