import { ExtremaError } from '../../core/errors.js'
import { describe, oneOf, whole } from '../../core/options.js'
import type { ChebyshevState } from './chebyshev.js'
import { checkOmegas, checkRange, methods, mostFeatures, type RelaxationMethod } from './options.js'
import type { TsallisState } from './tsallis.js'

/** Where a tuner stands, as plain JSON: one that goes on from it makes the same choices, bit for bit. */
export interface RelaxationTunerState {
  type: 'relaxation-tuner'
  version: 1
  method: RelaxationMethod
  omegas: number[]
  range: [number, number] | null
  features: number
  cap: number
  /** Costs told, at the cap, and contexts outside the range. */
  told: number
  capped: number
  clamped: number
  /** Each choice draws one number: that of the seed at the number of choices before. */
  seed: number
  asked: number
  /** One for each bin. */
  tsallis: TsallisState[]
  chebyshev: ChebyshevState | null
}

const isRow = (row: unknown, length: number): row is number[] =>
  Array.isArray(row) && row.length === length && row.every(Number.isFinite)

const isTable = (rows: unknown, count: number, length: number) =>
  Array.isArray(rows) && rows.length === count && rows.every((row) => isRow(row, length))

const isTsallis = (one: TsallisState | undefined, d: number) =>
  isRow([one?.rounds, one?.told, one?.total, one?.level], 4) && isRow(one?.weighted, d)

const isChebyshev = (one: ChebyshevState | null | undefined, d: number, m: number) =>
  isRow([one?.told, one?.least, one?.most, one?.scale, one?.error], 5) &&
  (one as ChebyshevState).scale > 0 &&
  isTable(one?.theta, d, m) &&
  isTable(one?.gram, d, m * m) &&
  isTable(one?.moment, d, m) &&
  isRow(one?.squares, d)

/** A copy of a state that may come from anywhere, checked. */
export function checkedState(state: RelaxationTunerState): RelaxationTunerState {
  if (state?.type !== 'relaxation-tuner' || state.version !== 1) {
    throw new ExtremaError('ERR_OPTION', `state: expected what state() gives, got ${describe(state)}`)
  }
  const method = oneOf('state.method', state.method, methods, 'tsallis-inf')
  const omegas = checkOmegas(state.omegas)
  const range = checkRange(method, state.range)
  whole('state.features', state.features, 6, 1, mostFeatures)
  whole('state.cap', state.cap, 10_000, 1)
  for (const name of ['seed', 'asked', 'told', 'capped', 'clamped'] as const) {
    whole(`state.${name}`, state[name], 0, 0, Number.MAX_SAFE_INTEGER)
  }
  const d = omegas.length
  const { tsallis, chebyshev, features } = state
  const isRight =
    method === 'chebyshev'
      ? isChebyshev(chebyshev, d, features)
      : Array.isArray(tsallis) && tsallis.length > 0 && tsallis.every((one) => isTsallis(one, d))
  if (!isRight) {
    throw new ExtremaError('ERR_OPTION', `state: expected finite tables for ${d} parameters, got others`)
  }
  return structuredClone({ ...state, omegas, range })
}
