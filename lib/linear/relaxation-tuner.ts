import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, oneOf, whole } from '../core/options.js'
import { ChebyshevBandit, newChebyshev } from './relaxation/chebyshev.js'
import { actionAt, uniformAt } from './relaxation/draw.js'
import {
  checkOmegas,
  checkRange,
  methods,
  mostFeatures,
  optionNames,
  type RelaxationMethod,
  type RelaxationTunerOptions,
} from './relaxation/options.js'
import { checkedState, type RelaxationTunerState } from './relaxation/state.js'
import { newTsallis, TsallisInf } from './relaxation/tsallis.js'

export type { RelaxationMethod, RelaxationTunerOptions, RelaxationTunerState }

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

/** Chooses relaxation parameters by ask and tell: see {@link relaxationTuner}. */
export class RelaxationTuner {
  readonly #state: RelaxationTunerState
  readonly #bandits: TsallisInf[]
  readonly #chebyshev: ChebyshevBandit | undefined

  /** See `relaxationTuner` and `relaxationTuner.fromState` for the public ways to one. */
  constructor(state: RelaxationTunerState) {
    this.#state = state
    this.#bandits = state.tsallis.map((one) => new TsallisInf(one))
    if (state.chebyshev !== null && state.range !== null) {
      this.#chebyshev = new ChebyshevBandit(state.chebyshev, state.range)
    }
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
    const used = this.#context(context)
    const bandit = this.#chebyshev
    if (bandit === undefined || used === undefined) return this.#choose(this.#banditOf(used).begin(), used)
    const trial = this.#choose(bandit.weigh(used), used)
    trial.predicted = bandit.predicted[trial.action] * bandit.state.scale + 1
    return trial
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
    if (this.#chebyshev === undefined) this.#banditOf(context).learn(action, probability, cost)
    else this.#chebyshev.learn(action, context as number, trial.predicted as number, cost)
  }

  /** Where the tuner stands, for `relaxationTuner.fromState`. */
  state(): RelaxationTunerState {
    return structuredClone(this.#state)
  }

  #choose(probabilities: Float64Array, context: number | undefined): RelaxationTrial {
    const state = this.#state
    const action = actionAt(probabilities, uniformAt(state.seed, state.asked++))
    const omega = state.omegas[action]
    const probability = probabilities[action]
    return context === undefined ? { omega, action, probability } : { omega, action, probability, context }
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

  /** That of the context's part of the range. */
  #banditOf(context: number | undefined): TsallisInf {
    const { range } = this.#state
    const bandits = this.#bandits
    if (range === null || context === undefined) return bandits[0]
    const place = Math.floor(((context - range[0]) / (range[1] - range[0])) * bandits.length)
    return bandits[Math.min(bandits.length - 1, place)]
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
  checkNames('options', options, optionNames)
  if (options.method === undefined) {
    throw new ExtremaError('ERR_OPTION', `method: expected one of '${methods.join("', '")}', got undefined`)
  }
  const method = oneOf('method', options.method, methods, 'tsallis-inf')
  const omegas = checkOmegas(options.omegas)
  const range = checkRange(method, options.range)
  const bins = whole('bins', options.bins, 6, 1, 10_000)
  const count = whole('features', options.features, 6, 1, mostFeatures)
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
relaxationTuner.fromState = (state: RelaxationTunerState): RelaxationTuner => new RelaxationTuner(checkedState(state))
