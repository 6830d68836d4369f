/** ½-Tsallis-INF over d actions (Zimmert, Seldin, JMLR 22, 2021), with costs rescaled by their running mean. */
export interface TsallisState {
  /** Rounds begun, and costs told. */
  rounds: number
  told: number
  /** Sum of the costs. */
  total: number
  /** K_i: importance-weighted sums of cost - 1. */
  weighted: number[]
  /** The u of the last round's probabilities, from which the next round's is searched. */
  level: number
}

export function newTsallis(actions: number): TsallisState {
  return { rounds: 0, told: 0, total: 0, weighted: new Array(actions).fill(0), level: 2 }
}

/** One bandit and its memory: a round allocates nothing. */
export class TsallisInf {
  /** Of the last round begun. */
  readonly probabilities: Float64Array

  constructor(readonly state: TsallisState) {
    this.probabilities = new Float64Array(state.weighted.length)
  }

  /** Begins a round: its probabilities. */
  begin(): Float64Array {
    const { state, probabilities: p } = this
    state.rounds++
    const mean = state.told > 0 ? state.total / state.told - 1 : 1
    const eta = 2 / Math.sqrt(state.rounds)
    const factor = mean > 0 ? eta / mean : eta
    const { weighted } = state
    let least = weighted[0]
    for (let i = 1; i < p.length; i++) if (weighted[i] < least) least = weighted[i]
    for (let i = 0; i < p.length; i++) p[i] = factor * (weighted[i] - least)
    state.level = normalise(p, state.level)
    return p
  }

  learn(action: number, probability: number, cost: number): void {
    const { state } = this
    state.told++
    state.total += cost
    state.weighted[action] += (cost - 1) / probability
  }
}

const mostSteps = 200

/**
 * p_i = 4 (eta (K_i - x))^-2 with the x that makes their sum 1, in the place of eta (K_i - min K), the least of which is 0.
 * With u = eta (min K - x) in [2, 2 √d] the sum falls and is convex: Newton's steps from the `start`, by bisection where they
 * leave the bracket. Returns u.
 */
export function normalise(p: Float64Array, start: number): number {
  const d = p.length
  let low = 2
  let high = 2 * Math.sqrt(d)
  let u = Math.min(high, Math.max(low, start))
  let sum = 0
  for (let step = 0; step < mostSteps; step++) {
    sum = 0
    let slope = 0
    for (let i = 0; i < d; i++) {
      const root = 2 / (p[i] + u)
      const square = root * root
      sum += square
      slope += square * root
    }
    if (Math.abs(sum - 1) <= 4e-16 * d) break
    if (sum > 1) low = u
    else high = u
    let next = u + (sum - 1) / slope
    if (next === u) break
    if (!(next >= low && next <= high)) next = (low + high) / 2
    if (next === u) break
    u = next
  }
  const over = 1 / sum
  for (let i = 0; i < d; i++) {
    const root = 2 / (p[i] + u)
    p[i] = root * root * over
  }
  return u
}
