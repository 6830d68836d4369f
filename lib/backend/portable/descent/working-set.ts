import type { State } from './state.js'

const least = 100

/**
 * The coordinates that sweeps visit while the others rest where their terms hold them: those that are free, and as many
 * more, at least, of those that their proximal step would move furthest.
 */
export class WorkingSet {
  private readonly steps: Float64Array

  constructor(private readonly state: State) {
    this.steps = new Float64Array(state.n)
  }

  /** Makes it the pool. The gradient is to be up to date. */
  choose(): void {
    const { state, steps } = this
    const { live, terms, x, model } = state
    const pool: number[] = []
    const others: number[] = []
    for (let k = 0; k < live.length; k++) {
      const i = live[k]
      if (!terms.isActive(i, x[i])) {
        pool.push(i)
        continue
      }
      const l = model.lipschitz[i]
      steps[i] = l * Math.abs(terms.step(i, x[i], model.gradient[i], l))
      if (steps[i] > 0) others.push(i)
    }
    const room = Math.max(least, 2 * pool.length) - pool.length
    if (others.length > room) others.sort((i, j) => steps[j] - steps[i] || i - j)
    state.pool = Int32Array.from([...pool, ...others.slice(0, room)]).sort()
  }
}
