import { uniformFromWord } from '../backend/portable/random/kernels.js'
import { philox } from '../backend/portable/random/philox.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, oneOf, whole } from '../core/options.js'
import { type ChebyshevState, features, learnCost, newChebyshev, weigh } from './relaxation/chebyshev.js'
import { begin, learn, newTsallis, type TsallisState } from './relaxation/tsallis.js'

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

/** One solve to be: plain data, which `tell` takes back with the cost. */
export interface RelaxationTrial {
  omega: number
  /** Place of omega among the parameters. */
  action: number
  /** With which it was chosen. */
  probability: number
  /** As used: within the range. */
  context?: number
  /** The expected cost, by `'chebyshev'`. */
  predicted?: number
}

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

const methods = ['tsallis-inf', 'tsallis-inf-contextual', 'chebyshev'] as const
const names: ReadonlySet<string> = new Set(['method', 'omegas', 'range', 'bins', 'features', 'cap', 'seed'])

/** Chooses relaxation parameters by ask and tell: see {@link relaxationTuner}. */
export class RelaxationTuner {
  readonly #state: RelaxationTunerState

  /** See `relaxationTuner` and `relaxationTuner.fromState` for the public ways to one. */
  constructor(state: RelaxationTunerState) {
    this.#state = state
  }

  /** Costs told. */
  get told(): number {
    return this.#state.told
  }
  /** Costs that reached the cap. */
  get capped(): number {
    return this.#state.capped
  }
  /** Contexts that were outside the range and were moved to its end. */
  get clamped(): number {
    return this.#state.clamped
  }

  /**
   * The parameter for the next solve. Contextual methods take the number that describes its system, such as the shift c of A +
   * c I. Several may be asked for before their costs are told.
   *
   * @throws {ExtremaError} `ERR_OPTION` (a context is missing or not wanted), `ERR_NOT_FINITE`
   */
  ask(context?: number): RelaxationTrial {
    const state = this.#state
    const used = this.#context(context)
    if (state.chebyshev !== null && state.range !== null && used !== undefined) {
      const { p, predicted } = weigh(state.chebyshev, features(used, state.range, state.features))
      const action = this.#draw(p)
      return { ...this.#trial(action, p), context: used, predicted: predicted[action] * state.chebyshev.scale + 1 }
    }
    const p = begin(state.tsallis[this.#bin(used)])
    const trial = this.#trial(this.#draw(p), p)
    return used === undefined ? trial : { ...trial, context: used }
  }

  /**
   * Learns that the solve of a trial took so many iterations, the cap if it did not converge.
   *
   * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_FINITE`; the tuner stays as it was.
   */
  tell(trial: RelaxationTrial, iterations: number): void {
    const state = this.#state
    this.#checkTrial(trial)
    if (typeof iterations !== 'number' || !Number.isFinite(iterations)) {
      throw new ExtremaError('ERR_NOT_FINITE', `iterations: expected a finite number >= 0, got ${describe(iterations)}`)
    }
    if (iterations < 0) throw new ExtremaError('ERR_OPTION', `iterations: expected a number >= 0, got ${iterations}`)
    // Less than one iteration cannot be told apart: the start was good enough.
    const cost = Math.max(1, Math.min(iterations, state.cap))
    state.told++
    if (iterations >= state.cap) state.capped++
    const { action, probability, context } = trial
    if (state.chebyshev === null || state.range === null) {
      learn(state.tsallis[this.#bin(context)], action, probability, cost)
      return
    }
    const phi = features(context as number, state.range, state.features)
    const width = state.range[1] - state.range[0]
    learnCost(state.chebyshev, { action, phi, predicted: (trial.predicted as number) - 1, cost, width })
  }

  /** Where the tuner stands, for `relaxationTuner.fromState`. */
  state(): RelaxationTunerState {
    return structuredClone(this.#state)
  }

  #trial(action: number, p: Float64Array): RelaxationTrial {
    return { omega: this.#state.omegas[action], action, probability: p[action] }
  }

  #draw(p: Float64Array): number {
    const level = uniformAt(this.#state.seed, this.#state.asked++)
    let sum = 0
    let last = 0
    for (let i = 0; i < p.length; i++) {
      if (p[i] === 0) continue
      last = i
      sum += p[i]
      if (level < sum) return i
    }
    return last
  }

  #context(context: number | undefined): number | undefined {
    const { method, range } = this.#state
    if (range === null) {
      if (context === undefined) return undefined
      throw new ExtremaError('ERR_OPTION', `context: expected none for '${method}', got ${describe(context)}`)
    }
    if (typeof context !== 'number') {
      throw new ExtremaError('ERR_OPTION', `context: expected a number for '${method}', got ${describe(context)}`)
    }
    if (!Number.isFinite(context)) {
      throw new ExtremaError('ERR_NOT_FINITE', `context: expected a finite number, got ${context}`)
    }
    const used = Math.min(range[1], Math.max(range[0], context))
    if (used !== context) this.#state.clamped++
    return used
  }

  #bin(context: number | undefined): number {
    const { range, tsallis } = this.#state
    if (range === null || context === undefined) return 0
    const place = Math.floor(((context - range[0]) / (range[1] - range[0])) * tsallis.length)
    return Math.min(tsallis.length - 1, place)
  }

  #checkTrial(trial: RelaxationTrial): void {
    const { omegas, range, chebyshev } = this.#state
    const right =
      typeof trial === 'object' &&
      trial !== null &&
      omegas[trial.action] !== undefined &&
      omegas[trial.action] === trial.omega &&
      trial.probability > 0 &&
      trial.probability <= 1 + 1e-9 &&
      (range === null || ((trial.context as number) >= range[0] && (trial.context as number) <= range[1])) &&
      (chebyshev === null || Number.isFinite(trial.predicted))
    if (!right) throw new ExtremaError('ERR_OPTION', `trial: expected what ask() gave, got ${describe(trial)}`)
  }
}

/** Number `index` of the seed's stream, in [0, 1). */
function uniformAt(seed: number, index: number): number {
  const high = (x: number) => Math.floor(x / 2 ** 32)
  const block = new Int32Array(4)
  philox(seed >>> 0, high(seed), index >>> 0, high(index), 0, 0, block)
  return uniformFromWord(block[1], block[0])
}

function checkOmegas(given: readonly number[] | undefined): number[] {
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

function checkRange(
  method: RelaxationMethod,
  range: readonly [number, number] | undefined | null,
): [number, number] | null {
  if (method === 'tsallis-inf') {
    if (range === undefined || range === null) return null
    throw new ExtremaError('ERR_OPTION', `range: expected none for 'tsallis-inf', got ${describe(range)}`)
  }
  const right = Array.isArray(range) && range.length === 2 && range.every(Number.isFinite) && range[0] < range[1]
  if (!right) {
    const came = Array.isArray(range) ? `[${range}]` : describe(range)
    throw new ExtremaError('ERR_OPTION', `range: expected [least, greatest] of the contexts, got ${came}`)
  }
  return [range[0], range[1]]
}

/**
 * Chooses the relaxation parameter omega of SOR, or of SSOR-preconditioned conjugate gradients, over a sequence of related
 * systems, from iteration counts alone: `const trial = tuner.ask(context)`, solve with `trial.omega`, `tuner.tell(trial,
 * iterations)`.
 *
 * - `'tsallis-inf'`: in the long run nearly as few iterations as the best fixed omega.
 * - `'tsallis-inf-contextual'`: the same within each part of the range of a number that describes the system.
 * - `'chebyshev'`: a smooth function of that number is learned for each omega; nearly the best omega for each system.
 *
 * @throws {ExtremaError} `ERR_OPTION`
 *
 * Source: Khodak, Chow, Balcan, Talwalkar, Learning to Relax, ICLR 2024 (arXiv 2310.02246).
 */
export function relaxationTuner(options: RelaxationTunerOptions): RelaxationTuner {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { method, … }, got ${describe(options)}`)
  }
  checkNames('options', options, names)
  if (options.method === undefined) {
    throw new ExtremaError('ERR_OPTION', `method: expected one of '${methods.join("', '")}', got undefined`)
  }
  const method = oneOf('method', options.method, methods, 'tsallis-inf')
  const omegas = checkOmegas(options.omegas)
  const range = checkRange(method, options.range)
  const bins = whole('bins', options.bins, 6, 1, 10_000)
  const count = whole('features', options.features, 6, 1, 64)
  const learners = method === 'tsallis-inf' ? 1 : method === 'chebyshev' ? 0 : bins
  return new RelaxationTuner({
    type: 'relaxation-tuner',
    version: 1,
    method,
    omegas,
    range,
    features: count,
    cap: whole('cap', options.cap, 10_000, 1),
    told: 0,
    capped: 0,
    clamped: 0,
    seed: whole('seed', options.seed, 0, 0, Number.MAX_SAFE_INTEGER),
    asked: 0,
    tsallis: Array.from({ length: learners }, () => newTsallis(omegas.length)),
    chebyshev: method === 'chebyshev' ? newChebyshev(omegas.length, count) : null,
  })
}

/**
 * A tuner that goes on where the one that gave `state` stood.
 *
 * @throws {ExtremaError} `ERR_OPTION` if it is not such a state
 */
relaxationTuner.fromState = (state: RelaxationTunerState): RelaxationTuner => {
  if (state?.type !== 'relaxation-tuner' || state.version !== 1) {
    throw new ExtremaError('ERR_OPTION', `state: expected what state() gives, got ${describe(state)}`)
  }
  const method = oneOf('state.method', state.method, methods, 'tsallis-inf')
  const omegas = checkOmegas(state.omegas)
  const range = checkRange(method, state.range)
  whole('state.features', state.features, 6, 1, 64)
  whole('state.cap', state.cap, 10_000, 1)
  for (const name of ['seed', 'asked', 'told', 'capped', 'clamped'] as const) {
    whole(`state.${name}`, state[name], 0, 0, Number.MAX_SAFE_INTEGER)
  }
  const d = omegas.length
  const m = state.features
  const isRow = (row: unknown, length: number) =>
    Array.isArray(row) && row.length === length && row.every(Number.isFinite)
  const isTable = (rows: unknown, length: number) =>
    Array.isArray(rows) && rows.length === d && rows.every((row) => isRow(row, length))
  const { tsallis, chebyshev } = state
  const right =
    method === 'chebyshev'
      ? chebyshev !== null &&
        isRow([chebyshev.told, chebyshev.least, chebyshev.most, chebyshev.scale, chebyshev.error], 5) &&
        chebyshev.scale > 0 &&
        isTable(chebyshev.theta, m) &&
        isTable(chebyshev.gram, m * m) &&
        isTable(chebyshev.moment, m) &&
        isRow(chebyshev.squares, d)
      : Array.isArray(tsallis) &&
        tsallis.length > 0 &&
        tsallis.every((one) => isRow([one?.rounds, one?.told, one?.total], 3) && isRow(one.weighted, d))
  if (!right) {
    throw new ExtremaError('ERR_OPTION', `state: expected finite tables for ${d} parameters, got others`)
  }
  return new RelaxationTuner(structuredClone({ ...state, omegas, range }))
}
