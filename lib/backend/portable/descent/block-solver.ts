import { ExtremaError } from '../../../core/errors.js'
import { BlockProgram } from './block-program.js'
import { backward, factorize, forward, normAbove } from './dense.js'
import type { Flow } from './flow.js'
import { ForestSolver } from './forest.js'
import { type Graph, SparseBlock } from './model.js'
import type { State } from './state.js'

/** Cached factors of fixed blocks take at most so many numbers. */
const mostCached = 2 ** 25

/**
 * Solves with the Hessian of the block at hand: dense factors, which fixed blocks keep, message passing on forests, and the
 * quadratic program where there are other terms.
 */
export class BlockSolver {
  /** The last Hessian of `minimize`. */
  readonly hessian: Float64Array
  private isPart = false
  private readonly cache: (Float64Array | undefined)[] = []
  private readonly sparse: SparseBlock | null
  private readonly forest: ForestSolver | null
  private readonly program: BlockProgram | null

  /** With the graph of the Hessian, if blocks are forests in it. */
  constructor(
    private readonly state: State,
    graph: Graph | null,
  ) {
    const { capacity, terms } = state
    this.sparse = graph && new SparseBlock(capacity, graph.indices.length)
    this.forest = graph && new ForestSolver(capacity)
    this.hessian = new Float64Array(graph ? 0 : capacity * capacity)
    this.program = terms.composite && !graph ? new BlockProgram(capacity, terms) : null
  }

  get hasProgram(): boolean {
    return this.program !== null
  }

  /** A norm of the bound H_b from above. */
  *norm(): Flow<number> {
    const { size, block, model } = this.state
    if (size === 1) return model.lipschitz[block[0]]
    if (this.sparse === null) {
      yield* model.bound(block, size, this.hessian)
      return normAbove(this.hessian, size)
    }
    yield* this.loadSparse(false)
    const { indptr, diagonal, values } = this.sparse
    let rows = 0
    for (let a = 0; a < size; a++) {
      let sum = diagonal[a]
      for (let k = indptr[a]; k < indptr[a + 1]; k++) sum += Math.abs(values[k])
      rows = Math.max(rows, sum)
    }
    return rows
  }

  /** d = -H_b⁻¹ g */
  *solve(current: boolean): Flow<void> {
    const { g, d, size, model, block } = this.state
    for (let a = 0; a < size; a++) d[a] = -g[a]
    if (this.sparse !== null) {
      yield* this.loadSparse(current)
      const forest = this.forest!
      const fault = forest.solve(this.sparse, size, d, d, model.semidefinite)
      if (fault === 'pivot') this.refuse(forest.fault)
      if (fault === 'cycle') {
        throw new ExtremaError(
          'ERR_SHAPE',
          `partition: expected blocks whose graphs are forests, got a cycle through coordinate ${block[forest.fault]}`,
        )
      }
      return
    }
    const factor = yield* this.factorOf(current)
    forward(factor, 0, size, d)
    backward(factor, 0, size, d)
  }

  /** The same for a part of a fixed block, whose factor is not kept. */
  *solvePart(current: boolean): Flow<void> {
    this.isPart = true
    yield* this.solve(current)
    this.isPart = false
  }

  /** d = the least of g·d + ½ dᵀH_b d and the other terms; H_b is left in `hessian`. */
  *minimize(current: boolean): Flow<void> {
    if (this.program === null) {
      yield* this.solve(current)
      return
    }
    const { model, block, size, x, g, d } = this.state
    yield* current ? model.hessian(block, size, this.hessian) : model.bound(block, size, this.hessian)
    this.program.solve(block, size, x, g, this.hessian, d)
  }

  refuse(place: number): never {
    const { model, block } = this.state
    throw new ExtremaError(
      'ERR_NOT_POSITIVE',
      `${model.name}: expected a positive definite block around coordinate ${block[place]}, got one that is not`,
    )
  }

  private *loadSparse(current: boolean): Flow<void> {
    const { state } = this
    state.enter()
    yield* state.model.sparseBlock(state.block, state.size, state.place, current, this.sparse!)
    state.leave()
  }

  private *factorOf(current: boolean): Flow<Float64Array> {
    const { hessian, cache } = this
    const { model, size, block, blocks, capacity, number } = this.state
    const isConstant = !current || model.quadratic
    const isCached = blocks !== null && !this.isPart && isConstant && blocks.indices.length * capacity <= mostCached
    const known = isCached ? cache[number] : undefined
    if (known !== undefined) return known
    yield* isConstant ? model.bound(block, size, hessian) : model.hessian(block, size, hessian)
    const fault = factorize(hessian, size, model.semidefinite)
    if (fault >= 0) this.refuse(fault)
    if (isCached) cache[number] = hessian.slice(0, size * size)
    return hessian
  }
}
