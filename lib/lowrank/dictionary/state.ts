import { checkFinite } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, flag, nonNegative, oneOf, positive, whole } from '../../core/options.js'
import { checkPower, mostAtoms, type Settings } from './options.js'
import { type CheckedSchedule, checkSchedule } from './schedule.js'

/** Where a learner stands, as plain JSON: one that goes on from it takes the same steps bit for bit. */
export interface OnlineDictionaryState {
  type: 'online-dictionary'
  version: 1
  atoms: number
  power: 3 | 4
  /** 0: every update is one step. */
  batchSize: number
  rho: number | CheckedSchedule
  gamma: number | CheckedSchedule
  whiten: boolean
  invalid: 'error' | 'skip'
  precision: 'float64' | 'float32'
  /** Steps taken. */
  steps: number
  /** Samples seen. */
  samples: number
  /** Unit of the samples, a power of two; 0 before the first. */
  scale: number
  /** W and G: N × N, row-major. */
  relaxed: number[]
  averaged: number[]
  /** Sum of y yᵀ over `seen` samples, and its inverse root when it was `whitenedAt` of them. */
  covariance: number[] | null
  whitening: number[] | null
  seen: number
  whitenedAt: number
  /** Sums over recent coefficients: their number, squares and fourth powers, in units of `scale`. */
  moments: [number, number, number]
}

/** What changes. Matrices are replaced as a whole, never written to. */
export interface Progressed {
  steps: number
  samples: number
  scale: number
  relaxed: Float64Array
  averaged: Float64Array
  covariance: Float64Array | null
  whitening: Float64Array | null
  seen: number
  whitenedAt: number
  moments: [number, number, number]
}

export function toState(settings: Settings, now: Progressed): OnlineDictionaryState {
  const { n, power, batchSize, whiten, invalid, float32 } = settings
  const schedule = (given: CheckedSchedule) => (given.exponent === 0 ? given.scale : { ...given })
  return {
    type: 'online-dictionary',
    version: 1,
    atoms: n,
    power,
    batchSize,
    rho: schedule(settings.rho),
    gamma: schedule(settings.gamma),
    whiten,
    invalid,
    precision: float32 ? 'float32' : 'float64',
    ...now,
    relaxed: [...now.relaxed],
    averaged: [...now.averaged],
    covariance: now.covariance === null ? null : [...now.covariance],
    whitening: now.whitening === null ? null : [...now.whitening],
    moments: [...now.moments],
  }
}

const names: ReadonlySet<string> = new Set([
  ...['type', 'version', 'atoms', 'power', 'batchSize', 'rho', 'gamma', 'whiten', 'invalid', 'precision', 'steps'],
  ...['samples', 'scale', 'relaxed', 'averaged', 'covariance', 'whitening', 'seen', 'whitenedAt', 'moments'],
])

/** Checks a state that may come from anywhere. */
export function fromState(state: OnlineDictionaryState): {
  settings: Omit<Settings, 'threads' | 'backend'>
  now: Progressed
} {
  if (typeof state !== 'object' || state === null) {
    throw new ExtremaError('ERR_OPTION', `state: expected what state() gives, got ${describe(state)}`)
  }
  checkNames('state', state, names)
  if (state.type !== 'online-dictionary' || state.version !== 1) {
    const came = `${describe(state.type)}, version ${describe(state.version)}`
    throw new ExtremaError('ERR_OPTION', `state: expected type 'online-dictionary', version 1, got ${came}`)
  }
  const most = Number.MAX_SAFE_INTEGER
  const n = whole('state.atoms', state.atoms, 0, 1, mostAtoms)
  const unset = { scale: 1, exponent: 1, offset: 0 }
  const moments = numbers('state.moments', state.moments, 3)
  return {
    settings: {
      n,
      power: checkPower(state.power),
      batchSize: whole('state.batchSize', state.batchSize, 0, 0),
      rho: checkSchedule('state.rho', state.rho, unset),
      gamma: checkSchedule('state.gamma', state.gamma, unset),
      whiten: flag('state.whiten', state.whiten, false),
      invalid: oneOf('state.invalid', state.invalid, ['error', 'skip'], 'error'),
      float32: oneOf('state.precision', state.precision, ['float64', 'float32'], 'float64') === 'float32',
    },
    now: {
      steps: whole('state.steps', state.steps, 0, 0, most),
      samples: whole('state.samples', state.samples, 0, 0, most),
      scale: state.scale === 0 ? 0 : positive('state.scale', state.scale),
      relaxed: numbers('state.relaxed', state.relaxed, n * n),
      averaged: numbers('state.averaged', state.averaged, n * n),
      covariance: state.covariance === null ? null : numbers('state.covariance', state.covariance, n * n),
      whitening: state.whitening === null ? null : numbers('state.whitening', state.whitening, n * n),
      seen: nonNegative('state.seen', state.seen, 0),
      whitenedAt: nonNegative('state.whitenedAt', state.whitenedAt, 0),
      moments: [moments[0], moments[1], moments[2]],
    },
  }
}

function numbers(name: string, given: unknown, count: number): Float64Array {
  if (!Array.isArray(given) || given.length !== count || given.some((x) => typeof x !== 'number')) {
    const came = Array.isArray(given) ? `${given.length} of them` : describe(given)
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${count} numbers, got ${came}`)
  }
  return checkFinite(name, Float64Array.from(given))
}
