import type { BlockSolver } from './block-solver.js'
import type { Flow } from './flow.js'
import { armijo, BackTracking } from './line-search.js'
import type { State } from './state.js'
import { TwoMetric } from './two-metric.js'

/** The update rules. */
export class Updates {
  private readonly twoMetric: TwoMetric
  /** The last bound of L of each fixed block, or of all. */
  private readonly memory: Float64Array
  private readonly direction: Float64Array

  constructor(
    private readonly state: State,
    private readonly solver: BlockSolver,
  ) {
    this.twoMetric = new TwoMetric(state, solver, this)
    this.memory = new Float64Array(state.blocks ? state.count : 1)
    this.direction = new Float64Array(state.capacity)
  }

  /** Writes the step of the block to d; returns what it changes the objective by. */
  *propose(): Flow<number> {
    const { g, d, size, block, terms, x, rules, norms, number, model } = this.state
    switch (rules.update) {
      case 'gradient': {
        const bound = norms && number >= 0 ? norms[number] : yield* this.solver.norm()
        for (let a = 0; a < size; a++) d[a] = terms.step(block[a], x[block[a]], g[a], bound)
        return yield* this.tryStep()
      }
      case 'lipschitz-approximation':
        return yield* this.approximate()
      case 'two-metric':
        return yield* this.twoMetric.propose()
      case 'newton':
        return yield* this.newton()
      case 'message-passing':
        if (!model.quadratic) return yield* this.newton()
    }
    yield* this.solver.minimize(false)
    return yield* this.tryStep()
  }

  /** What the step d changes the objective by. */
  *tryStep(): Flow<number> {
    const { block, size, g, d, terms, x, model } = this.state
    let change = yield* model.trial(block, size, g, d)
    if (terms.composite) for (let a = 0; a < size; a++) change += terms.change(block[a], x[block[a]], d[a])
    return change
  }

  /** A proximal gradient step, from the last bound of L, doubled until f(x + d) <= f + g·d + ½ L |d|². */
  *approximate(): Flow<number> {
    const { memory } = this
    const { g, d, size, block, terms, x, model, blocks, number } = this.state
    const at = blocks ? number : 0
    for (let a = 0; a < size; a++) memory[at] = Math.max(memory[at], model.lipschitz[block[a]])
    for (;;) {
      let promised = 0
      let rest = 0
      for (let a = 0; a < size; a++) {
        d[a] = terms.step(block[a], x[block[a]], g[a], memory[at])
        promised += d[a] * (g[a] + 0.5 * memory[at] * d[a])
        rest += terms.change(block[a], x[block[a]], d[a])
      }
      const change = yield* model.trial(block, size, g, d)
      if (change <= promised + 1e-12 * Math.abs(promised) + this.noise()) return change + rest
      memory[at] *= 2
      if (!Number.isFinite(memory[at])) this.solver.refuse(0)
    }
  }

  /** What rounding may make of a change of the objective. */
  noise(): number {
    const { model, value } = this.state
    return model.quadratic ? 0 : 1e-14 * Math.max(1, Math.abs(value))
  }

  /** Newton's step with back-tracking; with other terms the minimum of its model in place of the step. */
  private *newton(): Flow<number> {
    const { direction } = this
    const { g, d, size, block, terms, x } = this.state
    yield* this.solver.minimize(true)
    let slope = 0
    for (let a = 0; a < size; a++) slope += g[a] * d[a] + terms.change(block[a], x[block[a]], d[a])
    if (slope === 0) return yield* this.tryStep()
    direction.set(d)
    const search = new BackTracking(slope)
    for (;;) {
      const change = yield* this.tryStep()
      if (change <= armijo * search.step * slope + this.noise()) return change
      const goesOn = search.shorten(change)
      for (let a = 0; a < size; a++) d[a] = goesOn ? search.step * direction[a] : 0
      if (!goesOn) return yield* this.tryStep()
    }
  }
}
