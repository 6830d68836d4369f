import type { BlockSolver } from './block-solver.js'
import { backward, factorize, forward } from './dense.js'
import type { Flow } from './flow.js'
import type { State } from './state.js'
import type { Updates } from './updates.js'
import { norm } from './vectors.js'

/** The block that lowers a model or the objective most, by trying them all. */
export class BestBlock {
  constructor(
    private readonly state: State,
    private readonly solver: BlockSolver,
    private readonly updates: Updates,
  ) {}

  /** The fixed block with the largest decrease of the quadratic model, by its exact minimum. */
  *byModel(): Flow<void> {
    const { state } = this
    const current = state.rules.selection === 'gsn'
    let best = 0
    let most = -1
    for (let b = 0; b < state.count; b++) {
      state.take(b)
      yield* state.model.blockGradient(state.block, state.size, state.g)
      const decrease = yield* this.modelDecrease(current)
      if (decrease <= most) continue
      most = decrease
      best = b
    }
    state.take(best)
  }

  private *modelDecrease(current: boolean): Flow<number> {
    const { g, d, size, rules, terms, block, x } = this.state
    if (rules.cubic > 0 && current) return yield* this.cubicDecrease()
    yield* this.solver.minimize(current)
    let sum = 0
    if (!this.solver.hasProgram) {
      for (let a = 0; a < size; a++) sum -= 0.5 * g[a] * d[a]
      return sum
    }
    const { hessian: h } = this.solver
    for (let a = 0; a < size; a++) {
      let row = 0
      for (let b = 0; b < size; b++) row += h[a * size + b] * d[b]
      sum -= d[a] * (g[a] + 0.5 * row) + terms.change(block[a], x[block[a]], d[a])
    }
    return sum
  }

  /** -min of g·d + ½ dᵀH d + cubic/6 |d|³ : the root r = |d(r)| with (H + cubic r / 2 I) d = -g. */
  private *cubicDecrease(): Flow<number> {
    const { g, d, size, rules, model, block } = this.state
    const h = new Float64Array(size * size)
    const shifted = new Float64Array(size * size)
    yield* model.hessian(block, size, h)
    let low = 0
    let high = Math.sqrt((2 * norm(g, size)) / rules.cubic)
    let length = 0
    for (let k = 0; k < 100 && high - low > 1e-14 * high; k++) {
      const r = 0.5 * (low + high)
      shifted.set(h)
      for (let a = 0; a < size; a++) shifted[a * size + a] += 0.5 * rules.cubic * r
      if (factorize(shifted, size, true) >= 0) {
        low = r
        continue
      }
      for (let a = 0; a < size; a++) d[a] = -g[a]
      forward(shifted, 0, size, d)
      backward(shifted, 0, size, d)
      length = norm(d, size)
      if (length > r) low = r
      else high = r
    }
    let sum = (rules.cubic / 6) * length ** 3
    for (let a = 0; a < size; a++) {
      let row = 0
      for (let b = 0; b < size; b++) row += h[a * size + b] * d[b]
      sum += d[a] * (g[a] + 0.5 * row)
    }
    return -sum
  }

  /** The block whose own update lowers the objective most: of the partition, or of all there are. */
  *byTrial(): Flow<void> {
    const { state } = this
    const { blocks, live, capacity } = state
    const best = new Int32Array(capacity)
    let bestSize = 0
    let least = Number.POSITIVE_INFINITY
    let bestNumber = -1
    const places = Int32Array.from({ length: capacity }, (_, a) => a)
    for (let b = 0; ; b++) {
      if (blocks) {
        if (b >= state.count) break
        state.take(b)
      } else {
        state.size = capacity
        for (let a = 0; a < capacity; a++) state.block[a] = live[places[a]]
      }
      yield* state.model.blockGradient(state.block, state.size, state.g)
      const change = yield* this.updates.propose()
      if (change < least) {
        least = change
        bestSize = state.size
        bestNumber = b
        best.set(state.block)
      }
      if (state.watch.due()) yield
      if (blocks) continue
      // The next set of places in lexicographic order.
      let a = capacity - 1
      while (a >= 0 && places[a] === live.length - capacity + a) a--
      if (a < 0) break
      places[a]++
      for (let q = a + 1; q < capacity; q++) places[q] = places[q - 1] + 1
    }
    state.size = bestSize
    state.number = blocks ? bestNumber : -1
    state.block.set(best)
  }
}
