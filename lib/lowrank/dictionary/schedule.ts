import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, nonNegative, positive } from '../../core/options.js'

/** min(1, scale (t + offset)^-exponent) at step t = 1, 2, … */
export interface Schedule {
  /** Default 1. */
  scale?: number
  /** In (0, 1]. */
  exponent?: number
  /** Default 0. */
  offset?: number
}

/** A constant, as a schedule of exponent 0. */
export type CheckedSchedule = Required<Schedule>

export const presets = {
  /** Exponents 1/2 and 3/4. */
  paper: { rho: { scale: 1, exponent: 0.5, offset: 0 }, gamma: { scale: 1, exponent: 0.75, offset: 0 } },
  /** For batches of at least as many samples as atoms. */
  fast: { rho: { scale: 4, exponent: 0.5, offset: 1 }, gamma: { scale: 2, exponent: 0.75, offset: 1 } },
} as const

const names: ReadonlySet<string> = new Set(['scale', 'exponent', 'offset'])

export function checkSchedule(
  name: string,
  given: number | Schedule | undefined,
  preset: CheckedSchedule,
): CheckedSchedule {
  if (given === undefined) return preset
  if (typeof given === 'number') {
    if (given > 0 && given <= 1) return { scale: given, exponent: 0, offset: 0 }
    throw new ExtremaError(
      'ERR_OPTION',
      `${name}: expected a number in (0, 1] or { scale, exponent, offset }, got ${given}`,
    )
  }
  if (typeof given !== 'object' || given === null) {
    const came = describe(given)
    throw new ExtremaError(
      'ERR_OPTION',
      `${name}: expected a number in (0, 1] or { scale, exponent, offset }, got ${came}`,
    )
  }
  checkNames(name, given, names)
  const exponent = positive(`${name}.exponent`, given.exponent, preset.exponent)
  if (exponent > 1) {
    throw new ExtremaError('ERR_OPTION', `${name}.exponent: expected a number in (0, 1], got ${exponent}`)
  }
  const scale = positive(`${name}.scale`, given.scale, preset.scale)
  return { scale, exponent, offset: nonNegative(`${name}.offset`, given.offset, preset.offset) }
}

/** The values at steps `taken` + 1, … */
export function values({ scale, exponent, offset }: CheckedSchedule, taken: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, k) => Math.min(1, scale * (taken + k + 1 + offset) ** -exponent))
}
