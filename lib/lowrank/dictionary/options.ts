import { type BackendName, backend as currentBackend } from '../../backend/index.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, flag, oneOf, whole } from '../../core/options.js'
import { type CheckedSchedule, checkSchedule, presets, type Schedule } from './schedule.js'
import type { InitialDictionary } from './start.js'

export interface OnlineDictionaryOptions {
  /** N: numbers of a sample, and atoms of the dictionary. */
  atoms: number
  /** p: what is made large is the sum of |z|^p over the coefficients z. Default 3. */
  power?: 3 | 4
  /** Samples of one step; what is given at once is cut into such batches. Default: all of it is one step. */
  batchSize?: number
  /** Default `'paper'`: rho_t = t^(-1/2), gamma_t = t^(-3/4). `'fast'`: 4 (t + 1)^(-1/2), 2 (t + 1)^(-3/4). */
  schedule?: 'paper' | 'fast'
  /** Weight of a step's gradient in the average: a constant in (0, 1] to track what drifts, or a schedule. */
  rho?: number | Schedule
  /** Step towards the vertex, likewise. */
  gamma?: number | Schedule
  /** Default `'random'`: Haar-distributed by `seed`. A matrix needs spectral norm at most 1. */
  initial?: InitialDictionary
  /** For a dictionary that is complete but not orthogonal: samples are multiplied by C^(-1/2), C their running covariance. */
  whiten?: boolean
  /** Samples with NaN or infinities are errors, or left out and counted. Default `'error'`. */
  invalid?: 'error' | 'skip'
  /** Of the products with samples; the state is float64. Default `'float64'`. */
  precision?: 'float64' | 'float32'
  /** Default 0. */
  seed?: number
  /** Most threads of a call. Default: all cores, or `EXTREMA_THREADS`. */
  threads?: number
  backend?: BackendName
}

/** What of the options stays; without the start. */
export interface Settings {
  n: number
  power: 3 | 4
  /** 0: all that is given at once. */
  batchSize: number
  rho: CheckedSchedule
  gamma: CheckedSchedule
  whiten: boolean
  invalid: 'error' | 'skip'
  float32: boolean
  threads: number
  backend: BackendName | undefined
}

export const mostAtoms = 8192

const names: ReadonlySet<string> = new Set([
  ...['atoms', 'power', 'batchSize', 'schedule', 'rho', 'gamma', 'initial', 'whiten', 'invalid', 'precision', 'seed'],
  ...['threads', 'backend'],
])

export function checkPower(value: unknown): 3 | 4 {
  if (value === undefined) return 3
  if (value === 3 || value === 4) return value
  throw new ExtremaError('ERR_OPTION', `power: expected 3 or 4, got ${describe(value)}`)
}

export function checkAtoms(value: unknown): number {
  if (value === undefined) throw new ExtremaError('ERR_OPTION', 'atoms: expected a whole number >= 1, got undefined')
  return whole('atoms', value, 1, 1, mostAtoms)
}

export function checkRun(options: { threads?: number; backend?: BackendName }): Pick<Settings, 'threads' | 'backend'> {
  const { threads, backend } = options
  const backends: readonly BackendName[] = ['native', 'portable']
  return {
    threads: threads === undefined ? currentBackend().threads : whole('threads', threads, 1, 1, 64),
    backend: backend === undefined ? undefined : oneOf('backend', backend, backends, 'native'),
  }
}

export function checkOptions(options: OnlineDictionaryOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { atoms, … }, got ${describe(options)}`)
  }
  checkNames('options', options, names)
  const preset = presets[oneOf('schedule', options.schedule, ['paper', 'fast'], 'paper')]
  return {
    n: checkAtoms(options.atoms),
    power: checkPower(options.power),
    batchSize: options.batchSize === undefined ? 0 : whole('batchSize', options.batchSize, 1, 1),
    rho: checkSchedule('rho', options.rho, preset.rho),
    gamma: checkSchedule('gamma', options.gamma, preset.gamma),
    whiten: flag('whiten', options.whiten, false),
    invalid: oneOf('invalid', options.invalid, ['error', 'skip'], 'error'),
    float32: oneOf('precision', options.precision, ['float64', 'float32'], 'float64') === 'float32',
    ...checkRun(options),
  }
}
