import type { BlockSolver } from './block-solver.js'
import type { Flow } from './flow.js'
import { armijo, BackTracking } from './line-search.js'
import type { State } from './state.js'
import type { Updates } from './updates.js'

/** A coordinate this near a bound that its gradient points at counts as active. */
const nearBound = 1e-10

/**
 * Two-metric projection (Bertsekas 1982, Gafni and Bertsekas 1984): a Newton step for the free coordinates, a diagonal
 * one for those at a bound that -∇ points out of, projected. Under an L1 term x stays in its orthant, or the one that
 * descent leads to from 0.
 */
export class TwoMetric {
  private readonly slopes: Float64Array
  private readonly low: Float64Array
  private readonly high: Float64Array
  private readonly direction: Float64Array
  private readonly free: Int32Array
  private readonly isFree: Uint8Array
  /** The free part as a block of its own. */
  private readonly part: { block: Int32Array; g: Float64Array; d: Float64Array }

  constructor(
    private readonly state: State,
    private readonly solver: BlockSolver,
    private readonly updates: Updates,
  ) {
    const size = state.rules.update === 'two-metric' ? state.capacity : 0
    const numbers = () => new Float64Array(size)
    this.slopes = numbers()
    this.low = numbers()
    this.high = numbers()
    this.direction = numbers()
    this.free = new Int32Array(size)
    this.isFree = new Uint8Array(size)
    this.part = { block: new Int32Array(size), g: numbers(), d: numbers() }
  }

  *propose(): Flow<number> {
    const { g, d, size, block, terms, x, model } = this.state
    const { slopes, low, high, free, isFree, direction, updates } = this
    let count = 0
    for (let a = 0; a < size; a++) {
      const i = block[a]
      low[a] = terms.lower[i]
      high[a] = terms.upper[i]
      const l1 = terms.l1[i]
      slopes[a] = g[a]
      let isActive = false
      if (l1 > 0) {
        const sign = x[i] !== 0 ? Math.sign(x[i]) : g[a] < -l1 ? 1 : g[a] > l1 ? -1 : 0
        if (sign === 0) isActive = true
        else if (sign > 0) low[a] = Math.max(0, low[a])
        else high[a] = Math.min(0, high[a])
        slopes[a] = sign === 0 ? 0 : g[a] + sign * l1
      }
      if (x[i] - low[a] <= nearBound && slopes[a] > 0) isActive = true
      if (high[a] - x[i] <= nearBound && slopes[a] < 0) isActive = true
      isFree[a] = isActive ? 0 : 1
      if (!isActive) free[count++] = a
    }
    for (let a = 0; a < size; a++) direction[a] = -slopes[a] / model.lipschitz[block[a]]
    if (count > 0) yield* this.solveFree(count)
    let slope = 0
    for (let c = 0; c < count; c++) slope += slopes[free[c]] * direction[free[c]]
    const search = new BackTracking(slope)
    for (;;) {
      let promised = search.step * slope
      for (let a = 0; a < size; a++) {
        const at = x[block[a]]
        d[a] = Math.min(high[a], Math.max(low[a], at + search.step * direction[a])) - at
        if (isFree[a] === 0) promised += slopes[a] * d[a]
      }
      const change = yield* updates.tryStep()
      if (change <= armijo * promised + updates.noise()) return change
      if (search.shorten(change)) continue
      // No step along the projected path helps: a proximal gradient step does.
      return yield* updates.approximate()
    }
  }

  /** direction_F = -H_FF⁻¹ slopes_F: the free part is the block for the time of the solve. */
  private *solveFree(count: number): Flow<void> {
    const { state, free, slopes, direction, part } = this
    const { block, size, g, d } = state
    for (let c = 0; c < count; c++) {
      part.block[c] = block[free[c]]
      part.g[c] = slopes[free[c]]
    }
    Object.assign(state, part, { size: count })
    yield* this.solver.solvePart(true)
    Object.assign(state, { block, size, g, d })
    for (let c = 0; c < count; c++) direction[free[c]] = part.d[c]
  }
}
