/** ½-Tsallis-INF over d actions (Zimmert, Seldin, JMLR 22, 2021), with costs rescaled by their running mean. */
export interface TsallisState {
  /** Rounds begun, and costs told. */
  rounds: number
  told: number
  /** Sum of the costs. */
  total: number
  /** K_i: importance-weighted sums of cost - 1. */
  weighted: number[]
}

export function newTsallis(actions: number): TsallisState {
  return { rounds: 0, told: 0, total: 0, weighted: new Array(actions).fill(0) }
}

/** The probabilities of the next round, which begins. */
export function begin(state: TsallisState): Float64Array {
  state.rounds++
  const mean = state.told > 0 ? state.total / state.told - 1 : 1
  const scale = mean > 0 ? mean : 1
  return probabilities(
    Float64Array.from(state.weighted, (sum) => sum / scale),
    2 / Math.sqrt(state.rounds),
  )
}

export function learn(state: TsallisState, action: number, probability: number, cost: number): void {
  state.told++
  state.total += cost
  state.weighted[action] += (cost - 1) / probability
}

/**
 * p_i = 4 (eta (losses_i - x))^-2 with the x that makes their sum 1: Newton's steps, kept within min - 2 √d / eta <= x <=
 * min - 2 / eta.
 */
export function probabilities(losses: Float64Array, eta: number): Float64Array {
  const least = Math.min(...losses)
  // Counted from the least loss, so that large sums cancel before and not after.
  let low = (-2 * Math.sqrt(losses.length)) / eta
  let high = -2 / eta
  let x = low
  const p = new Float64Array(losses.length)
  for (let step = 0; step < 200; step++) {
    let sum = 0
    let slope = 0
    for (let i = 0; i < p.length; i++) {
      const root = 2 / (eta * (losses[i] - least - x))
      p[i] = root * root
      sum += p[i]
      slope += p[i] * root
    }
    if (Math.abs(sum - 1) <= 4e-16 * p.length) break
    if (sum > 1) high = x
    else low = x
    const next = x - (sum - 1) / (eta * slope)
    if (next === x || high <= low) break
    x = next > low && next < high ? next : (low + high) / 2
  }
  const sum = p.reduce((total, value) => total + value, 0)
  return p.map((value) => value / sum)
}
