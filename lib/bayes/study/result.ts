import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe } from '../../core/options.js'
import type { Dimension } from '../space/dimensions.js'
import type { Outcome } from './events.js'

/** What a trial gave. Exactly one of `value`, `values`, `failed`, `pruned` and `cancelled`. */
export interface TrialResult {
  /** The objective. */
  value?: number
  /** The objectives, if there are several. */
  values?: readonly number[]
  /** Outcomes that must be <= 0: as many as the study has. */
  constraints?: readonly number[]
  /** The derivative of the single objective by numeric parameters, by name. */
  gradient?: Readonly<Record<string, number>>
  /** It could not be evaluated: true, or why. The point counts as tried. */
  failed?: boolean | string
  /** It was stopped because it promised little. */
  pruned?: boolean
  /** It was given up, and nothing was learnt of its point. */
  cancelled?: boolean
}

const names: ReadonlySet<string> = new Set([
  ...['value', 'values', 'constraints', 'gradient', 'failed', 'pruned', 'cancelled'],
])

/** A result after its checks. A number alone is the objective. */
export function checkResult(
  given: unknown,
  objectives: number,
  constraints: number,
  dimensions: readonly Dimension[],
): Outcome {
  const result = typeof given === 'number' ? { value: given } : given
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    throw new ExtremaError('ERR_OPTION', `result: expected a number or { value, … }, got ${describe(given)}`)
  }
  checkNames('result', result, names)
  const { value, values, failed, pruned, cancelled, ...rest } = result as TrialResult
  const ways = [
    value !== undefined || values !== undefined,
    failed !== undefined && failed !== false,
    pruned === true,
    cancelled === true,
  ].filter(Boolean).length
  if (ways !== 1 || (value !== undefined && values !== undefined)) {
    throw new ExtremaError(
      'ERR_OPTION',
      'result: expected one of value, values, failed, pruned and cancelled, got several or none',
    )
  }
  if (value !== undefined || values !== undefined) {
    if (values === undefined && objectives > 1) {
      throw new ExtremaError('ERR_SHAPE', `result: expected values of ${objectives} objectives, got a single value`)
    }
    const outcome: Outcome = {
      state: 'complete',
      values: numbers('values', values ?? [value], objectives, values === undefined ? 'value' : undefined),
    }
    if (constraints > 0 || rest.constraints !== undefined) {
      outcome.constraints = numbers('constraints', rest.constraints, constraints)
    }
    if (rest.gradient !== undefined) outcome.gradient = checkGradient(rest.gradient, objectives, dimensions)
    return outcome
  }
  if (failed !== undefined && failed !== false) {
    return typeof failed === 'string' ? { state: 'failed', error: failed } : { state: 'failed' }
  }
  return { state: pruned === true ? 'pruned' : 'cancelled' }
}

function numbers(name: string, given: unknown, count: number, single?: string): number[] {
  const length = typeof given === 'object' && given !== null ? (given as ArrayLike<number>).length : undefined
  if (length !== count) {
    throw new ExtremaError('ERR_SHAPE', `result.${name}: expected ${count} numbers, got ${length ?? describe(given)}`)
  }
  return Array.from(given as ArrayLike<number>, (x, i) => {
    const place = single ?? `${name}[${i}]`
    if (typeof x !== 'number') {
      throw new ExtremaError('ERR_OPTION', `result.${place}: expected a number, got ${describe(x)}`)
    }
    if (Number.isFinite(x)) return x + 0 // no negative zero, which JSON does not keep
    const hint = '; tell { failed: true } if it could not be evaluated'
    throw new ExtremaError('ERR_NOT_FINITE', `result.${place}: expected a finite number, got ${x}${hint}`)
  })
}

function checkGradient(given: unknown, objectives: number, dimensions: readonly Dimension[]): Record<string, number> {
  if (objectives > 1) {
    throw new ExtremaError('ERR_OPTION', `result.gradient: expected none with ${objectives} objectives, got one`)
  }
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_OPTION', `result.gradient: expected derivatives by name, got ${describe(given)}`)
  }
  const numeric = dimensions.filter(({ parameter }) => parameter.type === 'real' || parameter.type === 'integer')
  checkNames('result.gradient', given, new Set(numeric.map(({ name }) => name)))
  for (const [name, slope] of Object.entries(given)) {
    if (Number.isFinite(slope)) continue
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      `result.gradient.${name}: expected a finite number, got ${describe(slope)}`,
    )
  }
  return { ...given } as Record<string, number>
}
