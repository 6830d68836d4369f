import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'

export type RelaxationMethod = 'tsallis-inf' | 'tsallis-inf-contextual' | 'chebyshev'

export interface RelaxationTunerOptions {
  method: RelaxationMethod
  /** The relaxation parameters to choose from, in (0, 2). Default 1, 1.05, …, 1.95. */
  omegas?: readonly number[]
  /** Least and greatest context: `'tsallis-inf-contextual'` and `'chebyshev'` need it, `'tsallis-inf'` takes none. */
  range?: readonly [number, number]
  /** Equal parts of the range, each with a Tsallis-INF of its own. Default 6. */
  bins?: number
  /** Chebyshev polynomials of the regression. Default 6. */
  features?: number
  /** Iteration cap of the solver: larger costs count as this. Default 10,000. */
  cap?: number
  /** Default 0. */
  seed?: number
}

export const methods = ['tsallis-inf', 'tsallis-inf-contextual', 'chebyshev'] as const
export const optionNames: ReadonlySet<string> = new Set([
  ...['method', 'omegas', 'range', 'bins', 'features', 'cap', 'seed'],
])
export const mostFeatures = 64

export function checkOmegas(given: readonly number[] | undefined): number[] {
  const omegas = given === undefined ? Array.from({ length: 20 }, (_, i) => (20 + i) / 20) : given
  if (!Array.isArray(omegas) || omegas.length === 0) {
    throw new ExtremaError('ERR_OPTION', `omegas: expected a list of numbers in (0, 2), got ${describe(given)}`)
  }
  omegas.forEach((omega, i) => {
    if (typeof omega === 'number' && omega > 0 && omega < 2) return
    throw new ExtremaError('ERR_OPTION', `omegas[${i}]: expected a number in (0, 2), got ${describe(omega)}`)
  })
  return [...omegas]
}

export function checkRange(
  method: RelaxationMethod,
  range: readonly [number, number] | undefined | null,
): [number, number] | null {
  if (method === 'tsallis-inf') {
    if (range === undefined || range === null) return null
    throw new ExtremaError('ERR_OPTION', `range: expected none for 'tsallis-inf', got ${describe(range)}`)
  }
  const right =
    Array.isArray(range) &&
    range.length === 2 &&
    range.every(Number.isFinite) &&
    range[0] < range[1] &&
    Number.isFinite(range[1] - range[0])
  if (!right) {
    const came = Array.isArray(range) ? `[${range}]` : describe(range)
    throw new ExtremaError('ERR_OPTION', `range: expected [least, greatest] of the contexts, got ${came}`)
  }
  return [range[0], range[1]]
}
