import type { Flow } from './flow.js'
import { takeLargest } from './largest.js'
import type { State } from './state.js'
import { norm } from './vectors.js'

const rounds = 10
/** Of the power method: from anywhere, and from where it ended for a Hessian a step ago. */
const first = 30
const again = 10
const leastPart = 1e-6

/**
 * Iterative hard thresholding of the quadratic model, from the diagonal step of the block: a variable block for which the
 * model falls far.
 */
export class Thresholding {
  private readonly v: Float64Array
  private readonly product: Float64Array
  private readonly eigenvector: Float64Array
  private readonly diagonal: Float64Array
  private curvature = 1

  constructor(private readonly state: State) {
    this.v = new Float64Array(state.n)
    this.product = new Float64Array(state.n)
    this.eigenvector = new Float64Array(state.n)
    this.diagonal = new Float64Array(state.n)
  }

  *prepare(): Flow<void> {
    const { eigenvector, state } = this
    for (let i = 0; i < state.n; i++) eigenvector[i] = 1 + state.stream.uniform()
    yield* this.findNorm(false, first)
  }

  /** The block of the diagonal step by the current Hessian: D_i = τ H_ii, not too small a part of its bound. */
  private *startAnew(scores: Float64Array): Flow<void> {
    const { diagonal, state } = this
    const { live, model, capacity } = state
    const [one, out] = [new Int32Array(1), new Float64Array(1)]
    for (let k = 0; k < live.length; k++) {
      const i = live[k]
      one[0] = i
      yield* model.hessian(one, 1, out)
      diagonal[i] = capacity * Math.max(out[0], leastPart * model.lipschitz[i])
      scores[i] = model.gradient[i] ** 2 / diagonal[i]
    }
    takeLargest(state, scores)
  }

  /** ‖H‖ by the power method, a little enlarged: the steps are its inverse. */
  private *findNorm(current: boolean, steps: number): Flow<void> {
    const { eigenvector, product, state } = this
    const { n } = state
    let value = 0
    for (let k = 0; k < steps; k++) {
      const length = norm(eigenvector, n)
      for (let i = 0; i < n; i++) eigenvector[i] /= length
      yield* state.model.product(eigenvector, current, product)
      value = norm(product, n)
      if (value === 0) break
      eigenvector.set(product)
    }
    // A Hessian that vanished leaves the norm of the last one.
    if (value > 0) this.curvature = 1.05 * value
  }

  /** Replaces the block. D_i of its diagonal step are `weights`; `scores` are spoilt. */
  *choose(weights: Float64Array, scores: Float64Array): Flow<void> {
    const { v, product, state } = this
    const { live, model, block } = state
    const current = state.rules.selection === 'gsn' && !model.quadratic
    if (current) {
      yield* this.findNorm(true, again)
      yield* this.startAnew(scores)
    }
    const { curvature } = this
    const diagonal = current ? this.diagonal : weights
    v.fill(0)
    for (let a = 0; a < state.size; a++) v[block[a]] = -model.gradient[block[a]] / diagonal[block[a]]
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
