import { runNames } from '../backend/options.js'
import { toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'

/** The options of every solver of this room that say how it runs. */
export const moeRunNames: readonly string[] = runNames.filter((name) => name !== 'threads')

/** Refuses what is no object of known names, where there is nothing to run. */
export function checkPlainOptions(options: object, known: ReadonlySet<string>, form: string): void {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected ${form}, got ${describe(options)}`)
  }
  checkNames('options', options, known)
}

/** A vector of finite numbers >= 0, or a matrix of so many columns by rows. */
export function nonNegativeVector(name: string, values: VectorLike, what: string, columns?: number): Float64Array {
  const vector = toFloat64(name, values)
  const bad = vector.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY))
  if (bad < 0) return vector
  const code = vector[bad] < 0 && vector[bad] > Number.NEGATIVE_INFINITY ? 'ERR_NOT_POSITIVE' : 'ERR_NOT_FINITE'
  const place = columns === undefined ? `[${bad}]` : `[${Math.floor(bad / columns)}][${bad % columns}]`
  throw new ExtremaError(code, `${name}${place}: expected a finite ${what} >= 0, got ${vector[bad]}`)
}
