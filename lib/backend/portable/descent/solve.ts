import { ExtremaError } from '../../../core/errors.js'
import { type DescentOutputs, type DescentRules, descentField } from '../../descent.js'
import { ended } from '../moe/ended.js'
import { BlockSolver } from './block-solver.js'
import type { Flow, Watch } from './flow.js'
import type { Model } from './model.js'
import { partition } from './partition.js'
import { Selector } from './selection.js'
import { State } from './state.js'
import type { Terms } from './terms.js'
import { Updates } from './updates.js'
import { WorkingSet } from './working-set.js'

const refreshEvery = 1000
/** The sweeps over a working set end when their steps are this part of the residual at its choice. */
const within = 0.05
const mostSweeps = 100

const greedy = new Set(['gs', 'gsl', 'gsd', 'gsq', 'iht', 'gsn', 'mi', 'gs-tree', 'gsl-tree'])
export const needsGradient = (rules: DescentRules) => greedy.has(rules.selection)

/** Block coordinate descent: choose a block, step, keep the rest up to date. */
export class Descent {
  private readonly state: State
  private readonly isGreedy: boolean
  private selector!: Selector
  private updates!: Updates
  private working: WorkingSet | null = null
  private identified = 0
  private iteration = 0
  private touched = 0
  private logged = 0
  /** Iterations without a move, and those since all was computed anew. */
  private still = 0
  private sinceCheck = 0
  /** Iterations of a pass, and its longest step. */
  private period = 1
  private largest = 0

  constructor(
    model: Model,
    terms: Terms,
    private readonly rules: DescentRules,
    out: DescentOutputs,
    private readonly watch: Watch,
  ) {
    this.state = new State(model, terms, rules, out, watch)
    this.isGreedy = needsGradient(rules)
  }

  *run(): Flow<void> {
    const { state, rules, watch } = this
    const { out } = state
    this.findLive()
    yield* this.refresh()
    yield* this.findScale()
    let residual = this.residual()
    this.checkFinite(residual)
    let status: number = residual <= rules.tolerance ? ended.converged : ended.iterationLimit
    if (status !== ended.converged && rules.maxIterations > 0) yield* this.prepare()
    while (status === ended.iterationLimit && this.iteration < rules.maxIterations) {
      watch.progress(this.iteration, residual)
      if (watch.expired()) {
        status = ended.timeLimit
        break
      }
      if (watch.due()) yield
      // Greedy rules see the gradient before every step, the others look when the steps of an epoch have become short.
      const bound = yield* this.selector.select()
      if (this.isGreedy) residual = bound / state.scale
      if (residual <= rules.tolerance || this.selector.isFlat) {
        yield* this.refresh()
        residual = this.residual()
        this.sinceCheck = 0
        if (this.selector.isFlat) yield* this.selector.select()
        if (residual <= rules.tolerance || this.selector.isFlat) {
          status = residual <= rules.tolerance ? ended.converged : ended.stalled
          break
        }
      }
      this.iteration++
      yield* this.step()
      this.log()
      if (!this.isDue(residual)) continue
      yield* this.refresh()
      if (out.values !== null) out.values[this.iteration - 1] = state.value
      residual = this.residual()
      this.sinceCheck = 0
      this.checkFinite(residual)
      if (residual <= rules.tolerance) status = ended.converged
      else if (this.isGreedy ? this.still >= 2 : this.still >= 3 * this.period) status = ended.stalled
      else this.chooseWorkingSet()
    }
    if (status !== ended.converged) {
      yield* this.refresh()
      residual = this.residual()
      if (residual <= rules.tolerance) status = ended.converged
    }
    const { report } = out
    report[descentField.ended] = status
    report[descentField.iterations] = this.iteration
    report[descentField.residual] = residual
    report[descentField.value] = state.value
    report[descentField.identified] = this.identified
    report[descentField.complementarity] = this.complementarity()
    report[descentField.epochs] = state.live.length === 0 ? 0 : this.touched / state.live.length
    report[descentField.blocks] = state.count
    report[descentField.scale] = state.scale
  }

  private findLive(): void {
    const { n, x, terms, model } = this.state
    const live = new Int32Array(n)
    let count = 0
    for (let i = 0; i < n; i++) {
      if (model.lipschitz[i] > 0) live[count++] = i
      // Nothing depends on the coordinate but its own terms.
      else if (terms.l1[i] > 0) x[i] = 0
      x[i] = terms.clip(i, x[i])
    }
    this.state.live = live.slice(0, count)
    this.state.pool = this.state.live
  }

  private *refresh(): Flow<void> {
    const { state } = this
    state.value = (yield* state.model.refresh()) + state.terms.value(state.x)
  }

  /** Residuals are relative to the gradient at 0. */
  private *findScale(): Flow<void> {
    const { state } = this
    const { model, x } = state
    const most = x.every((value) => value === 0)
      ? model.gradient.reduce((largest, g) => Math.max(largest, Math.abs(g)), 0)
      : yield* model.gradientScale()
    if (most !== 0) state.scale = most
  }

  /** The largest L_i |step of the proximal gradient with L_i|: |∇_i f| where there are no other terms. */
  private residual(): number {
    const { terms, x, model, live, scale } = this.state
    let most = 0
    for (let k = 0; k < live.length; k++) {
      const i = live[k]
      const r = model.lipschitz[i] * Math.abs(terms.step(i, x[i], model.gradient[i], model.lipschitz[i]))
      // NaN must not pass for small.
      if (Number.isNaN(r)) return r
      most = Math.max(most, r)
    }
    return most / scale
  }

  private checkFinite(residual: number): void {
    const { value, model } = this.state
    if (Number.isFinite(value) && Number.isFinite(residual)) return
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      `${model.name}: expected numbers within the range of float64, got an overflow at iteration ${this.iteration}`,
    )
  }

  private *prepare(): Flow<void> {
    const { state, rules } = this
    const { model, live, out } = state
    const blocks = yield* partition(rules, model, live)
    state.blocks = blocks
    const isTree = rules.selection.endsWith('-tree')
    if (blocks) {
      for (let b = 0; b < state.count; b++) {
        state.capacity = Math.max(state.capacity, blocks.start[b + 1] - blocks.start[b])
        for (let k = blocks.start[b]; k < blocks.start[b + 1]; k++) out.blockOf[blocks.indices[k]] = b
      }
    } else {
      state.capacity = isTree ? live.length : Math.min(rules.blockSize, live.length)
    }
    state.block = new Int32Array(state.capacity)
    state.g = new Float64Array(state.capacity)
    state.d = new Float64Array(state.capacity)
    const usesForest =
      isTree ||
      rules.update === 'message-passing' ||
      ['red-black', 'colouring', 'combs', 'forests'].includes(rules.partition)
    const graph = usesForest ? yield* model.graph() : null
    const solver = new BlockSolver(state, graph)
    this.updates = new Updates(state, solver)
    if (blocks && (rules.update === 'gradient' || rules.selection === 'gsl' || rules.selection === 'lipschitz')) {
      state.norms = new Float64Array(state.count)
      for (let b = 0; b < state.norms.length; b++) {
        state.take(b)
        state.norms[b] = yield* solver.norm()
        if (this.watch.due()) yield
      }
    }
    this.selector = new Selector(state, solver, this.updates, graph)
    yield* this.selector.prepare()
    if (rules.workingSet) this.working = new WorkingSet(state)
    this.chooseWorkingSet()
  }

  private chooseWorkingSet(): void {
    const { state, rules } = this
    if (this.working) {
      this.working.choose()
      this.selector.restart()
      this.largest = 0
    }
    const epoch = state.blocks ? state.count : Math.ceil(state.pool.length / rules.blockSize)
    this.period = rules.selection === 'random-tree' ? 2 : Math.max(1, epoch)
  }

  /** Moves the block. */
  private *step(): Flow<void> {
    const { state, iteration } = this
    const { model, terms, x, out, scale } = state
    yield* model.blockGradient(state.block, state.size, state.g)
    const change = yield* this.updates.propose()
    if (!(change <= 1e-6 * Math.max(Math.abs(state.value), Number.MIN_VALUE) + 1e-12 * scale)) {
      throw new ExtremaError(
        'ERR_NOT_POSITIVE',
        `${model.name}: expected an objective that falls, got a rise by ${change} at iteration ${iteration}`,
      )
    }
    const { block, size, d } = state
    let moved = 0
    for (let a = 0; a < size; a++) {
      const i = block[a]
      out.visits[i]++
      if (d[a] === 0) continue
      const was = terms.isActive(i, x[i])
      x[i] += d[a]
      if (terms.composite && was !== terms.isActive(i, x[i])) this.identified = iteration
      moved = Math.max(moved, Math.abs(d[a]) * model.lipschitz[i])
    }
    yield* model.accept(block, size, d)
    state.value += change
    this.touched += size
    this.still = moved > 0 ? 0 : this.still + 1
    this.largest = Math.max(this.largest, moved)
    this.sinceCheck++
  }

  private log(): void {
    const { out, value, size, blocks, number, block } = this.state
    const at = this.iteration - 1
    if (out.values !== null) out.values[at] = value
    if (out.sizes !== null) out.sizes[at] = size
    if (out.selected === null) return
    if (blocks) out.selected[at] = number
    else for (let a = 0; a < size; a++) out.selected[this.logged++] = block[a]
  }

  /** Whether it is time to compute everything anew: to see how far the end is, and against rounding errors. */
  private isDue(residual: number): boolean {
    const { sinceCheck, still, period, largest, rules } = this
    const { scale } = this.state
    if (this.isGreedy) return sinceCheck >= refreshEvery || still >= 2
    if (sinceCheck % period !== 0) return false
    this.largest = 0
    if (still >= period) return true
    const limit = 4 * rules.tolerance * scale
    return this.working
      ? largest <= Math.max(limit / 8, within * residual * scale) || sinceCheck >= mostSweeps * period
      : largest <= limit || sinceCheck >= 10 * period
  }

  private complementarity(): number {
    const { live, terms, x, model } = this.state
    let least = Number.POSITIVE_INFINITY
    for (const i of live) {
      if (terms.isActive(i, x[i])) least = Math.min(least, terms.distance(i, x[i], model.gradient[i]))
    }
    return least
  }
}
