import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe } from '../../core/options.js'

/** A number between two bounds. */
export interface Real {
  readonly type: 'real'
  readonly low: number
  readonly high: number
  /** Search evenly in the logarithm. */
  readonly log?: boolean
}

/** A whole number between two bounds, both included. */
export interface Integer {
  readonly type: 'integer'
  readonly low: number
  readonly high: number
  readonly log?: boolean
  /** Only low, low + step, …, high. */
  readonly step?: number
}

/** A value that parameters of choice may take. */
export type Choice = string | number | boolean | null

/** One of several things without an order. */
export interface Categorical<T extends Choice = Choice> {
  readonly type: 'categorical'
  readonly values: readonly T[]
}

/** One of several things in the order given. */
export interface Ordinal<T extends Choice = Choice> {
  readonly type: 'ordinal'
  readonly values: readonly T[]
}

/** A value that stays what it is, and is handed to the objective with the others. */
export interface Fixed<T extends Choice = Choice> {
  readonly type: 'fixed'
  readonly value: T
}

/** One of several branches, each with parameters of its own. */
export interface Conditional<B extends Readonly<Record<string, ParameterMap>>> {
  readonly type: 'conditional'
  readonly branches: B
}

// Interfaces may name themselves where type aliases may not.
interface AnyConditional {
  readonly type: 'conditional'
  readonly branches: { readonly [branch: string]: ParameterMap }
}

export type Parameter = Real | Integer | Categorical | Ordinal | Fixed | AnyConditional

/** What can be varied, by name. */
export interface ParameterMap {
  readonly [name: string]: Parameter
}

/** The type of a parameter's value. */
export type ValueOf<P> = P extends Real | Integer
  ? number
  : P extends { readonly type: 'categorical' | 'ordinal'; readonly values: readonly (infer T)[] }
    ? T
    : P extends { readonly type: 'fixed'; readonly value: infer T }
      ? T
      : P extends { readonly type: 'conditional'; readonly branches: infer B }
        ? { [K in keyof B]: Flat<{ choice: K } & ParamsOf<B[K]>> }[keyof B]
        : never

/** The type of a point of the space: the value of each parameter under its name. */
export type ParamsOf<S> = { -readonly [K in keyof S]: ValueOf<S[K]> }

type Flat<T> = { [K in keyof T]: T[K] }

/**
 * A number in [low, high].
 *
 * @param options `log`: search evenly in the logarithm, for quantities like learning rates whose size is unknown; low > 0
 */
export function real(low: number, high: number, options: { log?: boolean } = {}): Real {
  return { type: 'real', low, high, ...options }
}

/**
 * A whole number in [low, high].
 *
 * @param options `log` as for `real`; `step`: only low, low + step, …, which must meet high
 */
export function integer(low: number, high: number, options: { log?: boolean; step?: number } = {}): Integer {
  return { type: 'integer', low, high, ...options }
}

/** One of `values`, which have no order: `categorical(['sgd', 'adam'])`. */
export function categorical<const T extends Choice>(values: readonly T[]): Categorical<T> {
  return { type: 'categorical', values }
}

/** One of `values`, in their order: `ordinal([16, 32, 64])`. Neighbours are taken to be alike. */
export function ordinal<const T extends Choice>(values: readonly T[]): Ordinal<T> {
  return { type: 'ordinal', values }
}

/** Always `value`. */
export function fixed<const T extends Choice>(value: T): Fixed<T> {
  return { type: 'fixed', value }
}

/**
 * One of several branches and the parameters that only it has. The value is the branch's name under `choice`, beside
 * those parameters: `conditional({ sgd: { momentum: real(0, 1) }, adam: {} })` gives `{ choice: 'sgd', momentum: 0.4 }`
 * or `{ choice: 'adam' }`.
 */
export function conditional<const B extends Readonly<Record<string, ParameterMap>>>(branches: B): Conditional<B> {
  return { type: 'conditional', branches }
}

const fields = {
  real: ['type', 'low', 'high', 'log'],
  integer: ['type', 'low', 'high', 'log', 'step'],
  categorical: ['type', 'values'],
  ordinal: ['type', 'values'],
  fixed: ['type', 'value'],
  conditional: ['type', 'branches'],
} as const

/** Refuses parameters that are wrong in themselves; `name` is that of the whole in messages. */
export function checkParameters(name: string, given: unknown): ParameterMap {
  if (!isRecord(given))
    throw new ExtremaError('ERR_OPTION', `${name}: expected parameters by name, got ${describe(given)}`)
  for (const key of Object.keys(given)) {
    const place = `${name}.${key}`
    if (!/^[A-Za-z_$][\w$-]*$/.test(key) || key === '__proto__') {
      refuse(name, 'names of letters, digits, _, $ and -, the first no digit', key)
    }
    checkParameter(place, given[key])
  }
  return given as ParameterMap
}

function checkParameter(place: string, given: unknown): void {
  const types = Object.keys(fields)
  if (!isRecord(given) || typeof given.type !== 'string' || !types.includes(given.type)) {
    const came = isRecord(given) ? given.type : given
    refuse(place, `a parameter, of type '${types.join("', '")}'`, came)
  }
  const parameter = given as unknown as Parameter
  checkNames(place, given, new Set(fields[parameter.type]))
  if (parameter.type === 'real') checkReal(place, parameter)
  else if (parameter.type === 'integer') checkInteger(place, parameter)
  else if (parameter.type === 'fixed') checkChoice(`${place}.value`, parameter.value)
  else if (parameter.type === 'conditional') checkBranches(place, parameter.branches)
  else checkValues(place, parameter.values)
}

function checkReal(place: string, { low, high, log }: Real): void {
  checkBounds(place, low, high, Number.isFinite)
  checkLog(place, low, log)
  if (!Number.isFinite(high - low)) refuse(place, 'bounds whose difference is finite', high - low)
}

function checkInteger(place: string, { low, high, log, step }: Integer): void {
  checkBounds(place, low, high, Number.isSafeInteger)
  checkLog(place, low, log)
  if (high - low >= 2 ** 53) refuse(place, 'bounds less than 2^53 apart', high - low)
  if (step === undefined) return
  if (log) refuse(`${place}.step`, 'none beside log', step)
  if (!Number.isSafeInteger(step) || step < 1) refuse(`${place}.step`, 'a whole number >= 1', step)
  if ((high - low) % step !== 0) refuse(`${place}.step`, `a divisor of high - low = ${high - low}`, step)
}

function checkBounds(place: string, low: unknown, high: unknown, right: (value: unknown) => boolean): void {
  const kind = right === Number.isFinite ? 'finite number' : 'whole number'
  if (!right(low)) refuse(`${place}.low`, `a ${kind}`, low)
  if (!right(high)) refuse(`${place}.high`, `a ${kind}`, high)
  if ((low as number) >= (high as number)) refuse(place, 'low < high', `${low} and ${high}`, false)
}

function checkLog(place: string, low: number, log: unknown): void {
  if (log !== undefined && typeof log !== 'boolean') refuse(`${place}.log`, 'true or false', log)
  if (log && low <= 0) refuse(`${place}.low`, 'a number > 0, for it is searched in the logarithm', low)
}

function checkValues(place: string, values: unknown): void {
  if (!Array.isArray(values) || values.length === 0)
    refuse(`${place}.values`, 'at least one value', describeList(values), false)
  const seen = new Set<Choice>()
  for (const [i, value] of (values as unknown[]).entries()) {
    checkChoice(`${place}.values[${i}]`, value)
    if (seen.has(value as Choice))
      refuse(`${place}.values[${i}]`, 'different values', `${describe(value)} twice`, false)
    seen.add(value as Choice)
  }
}

function checkChoice(place: string, value: unknown): void {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return
  if (typeof value === 'number' && Number.isFinite(value)) return
  refuse(place, 'text, a finite number, true, false or null', value)
}

function checkBranches(place: string, branches: unknown): void {
  if (!isRecord(branches) || Object.keys(branches).length === 0)
    refuse(`${place}.branches`, 'at least one branch', branches)
  for (const [branch, parameters] of Object.entries(branches as Record<string, unknown>)) {
    checkParameters(`${place}.${branch}`, parameters)
    if (Object.hasOwn(parameters as object, 'choice')) {
      refuse(`${place}.${branch}`, "another name than 'choice', which names the branch", 'choice')
    }
  }
}

const describeList = (value: unknown) => (Array.isArray(value) ? 'none' : describe(value))

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function refuse(place: string, expected: string, came: unknown, quote = true): never {
  throw new ExtremaError('ERR_OPTION', `${place}: expected ${expected}, got ${quote ? describe(came) : came}`)
}
