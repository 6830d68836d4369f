import { BestBlock } from './best-block.js'
import type { BlockSolver } from './block-solver.js'
import type { Flow } from './flow.js'
import { GreedyForest } from './greedy-forest.js'
import { takeLargest } from './largest.js'
import type { Graph } from './model.js'
import type { State } from './state.js'
import { Urn } from './stream.js'
import { Thresholding } from './thresholding.js'
import type { Updates } from './updates.js'

/** Steps whose D_i |d_i| is at most this part of the gradient at 0 are rounding errors, and score 0. */
const noStep = 1e-14

/** The selection rules. */
export class Selector {
  private readonly scores: Float64Array
  /** D_i of the score g_i² / (2 D_i). */
  private readonly weights: Float64Array
  private readonly order: Int32Array
  private at = 0
  /** No coordinate has a score. */
  isFlat = false
  private readonly urn: Urn | null
  private readonly forest: GreedyForest | null
  private readonly thresholding: Thresholding | null
  private readonly best: BestBlock

  constructor(
    private readonly state: State,
    solver: BlockSolver,
    updates: Updates,
    graph: Graph | null,
  ) {
    const { n, rules, blocks, norms, model } = state
    const { selection } = rules
    this.scores = new Float64Array(n)
    this.weights = new Float64Array(n)
    this.order = new Int32Array(n)
    this.best = new BestBlock(state, solver, updates)
    this.urn = selection === 'lipschitz' ? new Urn(blocks ? norms! : model.lipschitz) : null
    this.forest = selection.endsWith('-tree') ? new GreedyForest(state, graph!) : null
    this.thresholding = selection === 'iht' || (selection === 'gsn' && blocks === null) ? new Thresholding(state) : null
  }

  *prepare(): Flow<void> {
    yield* this.setWeights()
    this.restart()
    if (this.thresholding) yield* this.thresholding.prepare()
  }

  /** Blocks come from the pool as it is now, from its beginning. */
  restart(): void {
    const { blocks, count, pool, rules } = this.state
    if (blocks) for (let b = 0; b < count; b++) this.order[b] = b
    else this.order.set(pool)
    // A permutation begins with a shuffle.
    this.at = rules.selection === 'permutation' ? (blocks ? count : pool.length) : 0
  }

  private *setWeights(): Flow<void> {
    const { weights } = this
    const { rules, model, blocks, live, norms, out, capacity } = this.state
    const { selection } = rules
    if (selection === 'gsl' && norms !== null && blocks !== null) {
      for (const i of blocks.indices) weights[i] = norms[out.blockOf[i]]
    } else if (selection === 'gs' || selection === 'gs-tree') {
      let most = 0
      for (const i of live) most = Math.max(most, model.lipschitz[i])
      weights.fill(most)
    } else if (rules.rowSums && (selection === 'gsd' || selection === 'iht' || selection === 'gsn')) {
      weights.set(yield* model.rowSums())
    } else {
      const factor = selection === 'gsl' || selection === 'gsl-tree' ? 1 : capacity
      for (const i of live) weights[i] = factor * model.lipschitz[i]
    }
  }

  /** Chooses the block. Greedy rules return the largest D_i |step|, an upper bound of the residual. */
  *select(): Flow<number> {
    const { state, order } = this
    const { rules, blocks, stream, pool } = state
    const count = blocks ? state.count : pool.length
    switch (rules.selection) {
      case 'random':
        if (blocks) {
          state.take(stream.below(count))
        } else {
          stream.shuffle(order, Math.min(rules.blockSize, count), count)
          this.takeNext(0)
        }
        return Number.POSITIVE_INFINITY
      case 'cyclic':
        if (blocks) {
          state.take(this.at)
          this.at = (this.at + 1) % count
        } else {
          state.size = Math.min(rules.blockSize, count)
          for (let a = 0; a < state.size; a++) state.block[a] = pool[(this.at + a) % count]
          this.at = (this.at + state.size) % count
          state.sortBlock()
        }
        return Number.POSITIVE_INFINITY
      case 'permutation':
        if (this.at >= count) {
          stream.shuffle(order, count, count)
          this.at = 0
        }
        if (blocks) {
          state.take(order[this.at++])
        } else {
          this.takeNext(this.at)
          this.at += state.size
        }
        return Number.POSITIVE_INFINITY
      case 'lipschitz':
        this.drawByLipschitz()
        return Number.POSITIVE_INFINITY
      case 'random-tree':
        stream.shuffle(order, count, count)
        this.forest!.grow(order)
        return Number.POSITIVE_INFINITY
      default:
        return yield* this.selectGreedily()
    }
  }

  /** The next coordinates of the order. */
  private takeNext(from: number): void {
    const { state, order } = this
    state.size = Math.min(state.rules.blockSize, state.pool.length - from)
    for (let a = 0; a < state.size; a++) state.block[a] = order[from + a]
    state.sortBlock()
  }

  private drawByLipschitz(): void {
    const { state } = this
    const { stream, block } = state
    const urn = this.urn!
    if (state.blocks) {
      state.take(urn.draw(stream.uniform()))
      urn.putBack(state.number)
      return
    }
    state.size = 0
    while (state.size < state.capacity) {
      const i = urn.draw(stream.uniform())
      if (i < 0) break
      block[state.size++] = i
    }
    for (let a = 0; a < state.size; a++) urn.putBack(block[a])
    state.sortBlock()
  }

  private *selectGreedily(): Flow<number> {
    const { state, scores, weights, order } = this
    const { rules, blocks, live, terms, x, model } = state
    const { gradient } = model
    const least = noStep * state.scale
    let bound = 0
    for (let k = 0; k < live.length; k++) {
      const i = live[k]
      const d = terms.step(i, x[i], gradient[i], weights[i])
      const size = weights[i] * Math.abs(d)
      if (!(size <= bound)) bound = size
      if (size <= least) scores[i] = 0
      else scores[i] = terms.composite ? terms.decrease(i, x[i], gradient[i], weights[i]) : 0.5 * size * Math.abs(d)
    }
    this.isFlat = bound <= least
    if (rules.selection === 'mi') {
      yield* this.best.byTrial()
    } else if (rules.selection === 'gsq' || (rules.selection === 'gsn' && blocks)) {
      yield* this.best.byModel()
    } else if (this.forest) {
      order.set(live)
      order.subarray(0, live.length).sort((i, j) => scores[j] - scores[i] || i - j)
      this.forest.grow(order)
    } else if (blocks) {
      this.takeBestFixed()
    } else {
      takeLargest(state, scores)
      if (this.thresholding) yield* this.thresholding.choose(weights, scores)
    }
    return bound
  }

  /** The fixed block with the largest sum of scores. */
  private takeBestFixed(): void {
    const { state, scores } = this
    const { start, indices } = state.blocks!
    let best = 0
    let most = -1
    for (let b = 0; b < state.count; b++) {
      let sum = 0
      for (let k = start[b]; k < start[b + 1]; k++) sum += scores[indices[k]]
      if (sum <= most) continue
      most = sum
      best = b
    }
    state.take(best)
  }
}
