import type { Flow } from './flow.js'
import { takeLargest } from './largest.js'
import type { State } from './state.js'
import { norm } from './vectors.js'

const rounds = 10

/**
 * Iterative hard thresholding of the quadratic model, from the diagonal step of the block: a variable block for which the
 * model falls far.
 */
export class Thresholding {
  private readonly v: Float64Array
  private readonly product: Float64Array
  private curvature = 0

  constructor(private readonly state: State) {
    this.v = new Float64Array(state.n)
    this.product = new Float64Array(state.n)
  }

  /** ‖H‖ by the power method, a little enlarged. */
  *prepare(): Flow<void> {
    const { v, product, state } = this
    const { n } = state
    for (let i = 0; i < n; i++) v[i] = 1 + state.stream.uniform()
    let value = 0
    for (let k = 0; k < 30; k++) {
      const length = norm(v, n)
      for (let i = 0; i < n; i++) v[i] /= length
      yield* state.model.product(v, false, product)
      value = norm(product, n)
      v.set(product)
      if (value === 0) break
    }
    this.curvature = 1.05 * value
  }

  /** Replaces the block. D_i of its diagonal step are `weights`; `scores` are spoilt. */
  *choose(weights: Float64Array, scores: Float64Array): Flow<void> {
    const { v, product, state, curvature } = this
    const { live, model, block } = state
    const current = state.rules.selection === 'gsn' && !model.quadratic
    v.fill(0)
    for (let a = 0; a < state.size; a++) v[block[a]] = -model.gradient[block[a]] / weights[block[a]]
    for (let round = 0; round < rounds; round++) {
      yield* model.product(v, current, product)
      for (let k = 0; k < live.length; k++) {
        const i = live[k]
        v[i] -= (model.gradient[i] + product[i]) / curvature
        scores[i] = Math.abs(v[i])
      }
      const before = block.slice(0, state.size)
      takeLargest(state, scores)
      state.enter()
      for (let k = 0; k < live.length; k++) if (state.place[live[k]] < 0) v[live[k]] = 0
      state.leave()
      if (round > 0 && before.every((i, a) => i === block[a])) break
    }
  }
}
