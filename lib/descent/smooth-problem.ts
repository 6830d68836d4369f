import type { Flow } from '../backend/portable/descent/flow.js'
import { toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'
import { awaited } from './oracle.js'

type Maybe<T> = T | Promise<T>

/**
 * A smooth function by functions of your own: `value` and `gradient`, or both at once by `valueAndGradient`. Each may return a promise. x is
 * only lent: copy it to keep it.
 */
export type SmoothProblem = SeparateOracles | JointOracle

export interface SeparateOracles {
  /** Where to begin; its length is n. */
  x0: VectorLike
  /** f(x). NaN and Infinity say that x is outside f's domain. */
  value(x: Float64Array): Maybe<number>
  /** ∇f(x) */
  gradient(x: Float64Array): Maybe<VectorLike>
}

export interface JointOracle {
  x0: VectorLike
  valueAndGradient(x: Float64Array): Maybe<{ value: number; gradient: VectorLike }>
}

const names: ReadonlySet<string> = new Set(['x0', 'value', 'gradient', 'valueAndGradient'])

/** Refuses what is no problem; gives a copy of its start. */
export function checkSmoothProblem(problem: SmoothProblem): Float64Array {
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { x0, value, gradient }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, names)
  const joint = 'valueAndGradient' in problem
  for (const name of joint ? ['valueAndGradient'] : ['value', 'gradient']) {
    const oracle = (problem as unknown as Record<string, unknown>)[name]
    if (typeof oracle === 'function') continue
    throw new ExtremaError('ERR_OPTION', `${name}: expected a function, got ${describe(oracle)}`)
  }
  if (joint && ('value' in problem || 'gradient' in problem)) {
    const came = 'value' in problem ? 'value' : 'gradient'
    throw new ExtremaError('ERR_OPTION', `problem: expected valueAndGradient alone, got ${came} too`)
  }
  const x0 = Float64Array.from(toFloat64('x0', problem.x0))
  if (x0.length === 0) throw new ExtremaError('ERR_SHAPE', 'x0: expected at least one number, got none')
  for (let i = 0; i < x0.length; i++) {
    if (Number.isFinite(x0[i])) continue
    throw new ExtremaError('ERR_NOT_FINITE', `x0[${i}]: expected a finite number, got ${x0[i]}`)
  }
  return x0
}

/** Calls an oracle; what it throws, or its promise rejects with, becomes the cause of an `ERR_ORACLE`. */
export function* ask(name: string, call: () => unknown): Flow<unknown> {
  try {
    return yield* awaited(call())
  } catch (cause) {
    if (cause instanceof ExtremaError) throw cause
    throw new ExtremaError('ERR_ORACLE', `${name}: expected a result, got an exception (${String(cause)})`, { cause })
  }
}

export function checkValue(value: unknown): number {
  if (typeof value === 'number' && value !== Number.NEGATIVE_INFINITY) return value
  throw new ExtremaError('ERR_ORACLE', `value: expected a number above -Infinity, got ${describe(value)}`)
}

export function fillGradient(given: unknown, out: Float64Array): void {
  if (typeof given !== 'object' || given === null || (given as VectorLike).length !== out.length) {
    const came = (given as VectorLike | null | undefined)?.length ?? describe(given)
    throw new ExtremaError('ERR_ORACLE', `gradient: expected ${out.length} numbers, got ${came}`)
  }
  for (let i = 0; i < out.length; i++) {
    const entry: unknown = (given as VectorLike)[i]
    if (typeof entry !== 'number') {
      throw new ExtremaError('ERR_ORACLE', `gradient[${i}]: expected a number, got ${describe(entry)}`)
    }
    out[i] = entry
  }
}

/**
 * f(x), and ∇f(x) into `gradient`. A point outside f's domain, where one of their numbers is not finite, has the value Infinity.
 */
export function* evaluateSmooth(problem: SmoothProblem, x: Float64Array, gradient: Float64Array): Flow<number> {
  let value: number
  if ('valueAndGradient' in problem) {
    const both = yield* ask('valueAndGradient', () => problem.valueAndGradient(x))
    if (typeof both !== 'object' || both === null) {
      throw new ExtremaError('ERR_ORACLE', `valueAndGradient: expected { value, gradient }, got ${describe(both)}`)
    }
    value = checkValue((both as { value: unknown }).value)
    fillGradient((both as { gradient: unknown }).gradient, gradient)
  } else {
    value = checkValue(yield* ask('value', () => problem.value(x)))
    // Outside its domain a gradient may fail.
    if (!Number.isFinite(value)) return Number.POSITIVE_INFINITY
    fillGradient(yield* ask('gradient', () => problem.gradient(x)), gradient)
  }
  for (let i = 0; i < gradient.length; i++) if (!Number.isFinite(gradient[i])) return Number.POSITIVE_INFINITY
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value
}
