import { ExtremaError } from '../../../core/errors.js'
import { type DescentOutputs, type DescentRules, descentField } from '../../descent.js'
import { ended } from '../moe/ended.js'
import { BlockProgram } from './block-program.js'
import { backward, factorize, forward, normAbove } from './dense.js'
import type { Flow, Watch } from './flow.js'
import { ForestSolver, UnionFind } from './forest.js'
import { armijo, BackTracking } from './line-search.js'
import { type Graph, type Model, SparseBlock } from './model.js'
import { type Blocks, partition } from './partition.js'
import { Stream, Urn } from './stream.js'
import type { Terms } from './terms.js'

const refreshEvery = 1000
/** Steps whose D_i |d_i| is at most this part of the gradient at 0 are rounding errors, and score 0. */
const noStep = 1e-14
/** Cached factors of fixed blocks take at most so many numbers. */
const mostCached = 2 ** 25
const thresholdRounds = 10
/** A coordinate this near a bound that its gradient points at counts as active (Bertsekas' two-metric projection). */
const nearBound = 1e-10

const greedy = new Set(['gs', 'gsl', 'gsd', 'gsq', 'iht', 'gsn', 'mi', 'gs-tree', 'gsl-tree'])
export const needsGradient = (rules: DescentRules) => greedy.has(rules.selection)

/** Block coordinate descent: choose a block, step, keep the rest up to date. */
export class Descent {
  private readonly n: number
  private readonly x: Float64Array
  private live!: Int32Array
  private blocks!: Blocks | null
  private capacity!: number
  private block!: Int32Array
  private size = 0
  private number = -1
  private g!: Float64Array
  private d!: Float64Array
  private h!: Float64Array
  private readonly place: Int32Array
  private readonly scores: Float64Array
  private readonly order: Int32Array
  private weights!: Float64Array
  private norms: Float64Array | null = null
  private memory!: Float64Array
  private cache: (Float64Array | undefined)[] = []
  private usesForest = false
  private graph: Graph | null = null
  private sparse!: SparseBlock
  private forest!: ForestSolver
  private program: BlockProgram | null = null
  private readonly stream: Stream
  private urn: Urn | null = null
  private at = 0
  private wide: { v: Float64Array; product: Float64Array } | null = null
  private curvature = 0
  private sets: UnionFind | null = null
  private readonly roots: Uint8Array
  private work!: Work
  private iteration = 0
  private value = 0
  private scale = 1
  /** No coordinate has a score. */
  private isFlat = false

  constructor(
    private readonly model: Model,
    private readonly terms: Terms,
    private readonly rules: DescentRules,
    private readonly out: DescentOutputs,
    private readonly watch: Watch,
  ) {
    this.n = model.n
    this.x = out.x
    this.place = new Int32Array(model.n).fill(-1)
    this.scores = new Float64Array(model.n)
    this.order = new Int32Array(model.n)
    this.roots = new Uint8Array(model.n)
    this.stream = new Stream(rules.seed)
  }

  *run(): Flow<void> {
    const { model, terms, x, rules, out, watch, n } = this
    const { lipschitz } = model
    let count = 0
    const live = new Int32Array(n)
    for (let i = 0; i < n; i++) {
      if (lipschitz[i] > 0) live[count++] = i
      // Nothing depends on the coordinate but its own terms.
      else if (terms.l1[i] > 0) x[i] = 0
      x[i] = terms.clip(i, x[i])
    }
    this.live = live.slice(0, count)
    let value = (yield* model.refresh()) + terms.value(x)
    const scale = (yield* model.gradientScale()) || 1
    this.scale = scale
    let residual = this.residual() / scale
    let status: number = residual <= rules.tolerance ? ended.converged : ended.iterationLimit
    let identified = 0
    let touched = 0
    let still = 0
    let largest = 0
    let sinceCheck = 0
    if (status !== ended.converged && rules.maxIterations > 0) yield* this.prepare()
    const isGreedy = needsGradient(rules)
    const epoch = this.blocks ? this.blocks.start.length - 1 : Math.ceil(count / Math.max(1, rules.blockSize))
    const period = rules.selection === 'random-tree' ? 2 : Math.max(1, epoch)
    let logged = 0
    while (status === ended.iterationLimit && this.iteration < rules.maxIterations) {
      watch.progress(this.iteration, residual)
      if (watch.expired()) {
        status = ended.timeLimit
        break
      }
      if (watch.due()) yield
      this.value = value
      // Greedy rules see the gradient before every step, the others look when the steps of an epoch have become short.
      const bound = yield* this.select()
      if (isGreedy) residual = bound / scale
      if (residual <= rules.tolerance || this.isFlat) {
        value = (yield* model.refresh()) + terms.value(x)
        residual = this.residual() / scale
        sinceCheck = 0
        if (this.isFlat) yield* this.select()
        if (residual <= rules.tolerance || this.isFlat) {
          status = residual <= rules.tolerance ? ended.converged : ended.stalled
          break
        }
      }
      this.iteration++
      yield* model.blockGradient(this.block, this.size, this.g)
      const change = yield* this.propose()
      if (!(change <= 1e-6 * Math.max(Math.abs(value), Number.MIN_VALUE) + 1e-12 * scale)) {
        throw new ExtremaError(
          'ERR_NOT_POSITIVE',
          `${model.name}: expected an objective that falls, got a rise by ${change} at iteration ${this.iteration}`,
        )
      }
      let moved = 0
      for (let a = 0; a < this.size; a++) {
        const i = this.block[a]
        out.visits[i]++
        if (this.d[a] === 0) continue
        const was = terms.isActive(i, x[i])
        x[i] += this.d[a]
        if (terms.composite && was !== terms.isActive(i, x[i])) identified = this.iteration
        moved = Math.max(moved, Math.abs(this.d[a]) * lipschitz[i])
      }
      yield* model.accept(this.block, this.size, this.d)
      touched += this.size
      value += change
      if (out.values !== null) out.values[this.iteration - 1] = value
      if (out.sizes !== null) out.sizes[this.iteration - 1] = this.size
      if (out.selected !== null) {
        if (this.blocks) out.selected[this.iteration - 1] = this.number
        else for (let a = 0; a < this.size; a++) out.selected[logged++] = this.block[a]
      }
      still = moved > 0 ? 0 : still + 1
      largest = Math.max(largest, moved)
      sinceCheck++
      const due = isGreedy
        ? sinceCheck >= refreshEvery || still >= 2
        : sinceCheck % period === 0 &&
          (largest <= 4 * rules.tolerance * scale || sinceCheck >= 10 * period || still >= period)
      if (!isGreedy && sinceCheck % period === 0) largest = 0
      if (!due) continue
      value = (yield* model.refresh()) + terms.value(x)
      if (out.values !== null) out.values[this.iteration - 1] = value
      residual = this.residual() / scale
      sinceCheck = 0
      if (!Number.isFinite(value) || !Number.isFinite(residual)) {
        throw new ExtremaError(
          'ERR_NOT_FINITE',
          `${model.name}: expected numbers within the range of float64, got an overflow at iteration ${this.iteration}`,
        )
      }
      if (residual <= rules.tolerance) status = ended.converged
      else if (isGreedy ? still >= 2 : still >= 3 * period) status = ended.stalled
    }
    if (status !== ended.converged) {
      value = (yield* model.refresh()) + terms.value(x)
      residual = this.residual() / scale
      if (residual <= rules.tolerance) status = ended.converged
    }
    let complementarity = Number.POSITIVE_INFINITY
    for (const i of this.live) {
      if (terms.isActive(i, x[i]))
        complementarity = Math.min(complementarity, terms.distance(i, x[i], model.gradient[i]))
    }
    const { report } = out
    report[descentField.ended] = status
    report[descentField.iterations] = this.iteration
    report[descentField.residual] = residual
    report[descentField.value] = value
    report[descentField.identified] = identified
    report[descentField.complementarity] = complementarity
    report[descentField.epochs] = count === 0 ? 0 : touched / count
    report[descentField.blocks] = this.blocks ? this.blocks.start.length - 1 : 0
    report[descentField.scale] = scale
  }

  /** The largest L_i |step of the proximal gradient with L_i|: |∇_i f| where there are no other terms. */
  private residual(): number {
    const { terms, x, model, live } = this
    let most = 0
    for (let k = 0; k < live.length; k++) {
      const i = live[k]
      const r = model.lipschitz[i] * Math.abs(terms.step(i, x[i], model.gradient[i], model.lipschitz[i]))
      // NaN must not pass for small.
      if (!(r <= most)) most = r
    }
    return most
  }

  private *prepare(): Flow<void> {
    const { model, rules, live, n, out } = this
    this.blocks = yield* partition(rules, model, live)
    const { blocks } = this
    const isTree = rules.selection.endsWith('-tree')
    if (blocks) {
      this.capacity = 0
      for (let b = 0; b + 1 < blocks.start.length; b++) {
        this.capacity = Math.max(this.capacity, blocks.start[b + 1] - blocks.start[b])
        for (let k = blocks.start[b]; k < blocks.start[b + 1]; k++) out.blockOf[blocks.indices[k]] = b
      }
    } else {
      this.capacity = isTree ? live.length : Math.min(rules.blockSize, live.length)
    }
    const { capacity } = this
    this.block = new Int32Array(capacity)
    this.g = new Float64Array(capacity)
    this.d = new Float64Array(capacity)
    this.work = workOf(capacity)
    this.usesForest =
      isTree ||
      rules.update === 'message-passing' ||
      ['red-black', 'colouring', 'combs', 'forests'].includes(rules.partition)
    if (this.usesForest) {
      this.graph = yield* model.graph()
      this.sparse = new SparseBlock(capacity, this.graph.indices.length)
      this.forest = new ForestSolver(capacity)
    }
    this.h = new Float64Array(this.usesForest ? 0 : capacity * capacity)
    if (this.terms.composite && !this.usesForest) this.program = new BlockProgram(capacity, this.terms)
    if (isTree) this.sets = new UnionFind(n)
    this.memory = new Float64Array(blocks ? blocks.start.length : 1)
    const needsNorms =
      blocks !== null &&
      (rules.update === 'gradient' || ['gsl', 'lipschitz'].includes(rules.selection)) &&
      rules.update !== 'lipschitz-approximation'
    if (blocks && (needsNorms || rules.selection === 'gsl' || rules.selection === 'lipschitz')) {
      this.norms = new Float64Array(blocks.start.length - 1)
      for (let b = 0; b < this.norms.length; b++) {
        this.take(b)
        this.norms[b] = yield* this.blockNorm()
        if (this.watch.due()) yield
      }
    }
    this.weights = new Float64Array(n)
    yield* this.setWeights()
    const { order } = this
    for (let k = 0; k < live.length; k++) order[k] = live[k]
    if (rules.selection === 'lipschitz') {
      this.urn = new Urn(this.norms ?? this.model.lipschitz)
    }
    if (rules.selection === 'permutation') this.at = blocks ? blocks.start.length - 1 : live.length
    if (blocks && rules.selection === 'permutation') for (let b = 0; b + 1 < blocks.start.length; b++) order[b] = b
    if (rules.selection === 'iht' || (rules.selection === 'gsn' && !blocks)) {
      this.wide = { v: new Float64Array(n), product: new Float64Array(n) }
      this.curvature = yield* this.hessianNorm()
    }
  }

  /** D_i of the score g_i² / (2 D_i). */
  private *setWeights(): Flow<void> {
    const { weights, rules, model, blocks, live } = this
    const { selection } = rules
    if (selection === 'gsl' && this.norms !== null && blocks !== null) {
      for (let k = 0; k < blocks.indices.length; k++) {
        const i = blocks.indices[k]
        weights[i] = this.norms[this.out.blockOf[i]]
      }
    } else if (selection === 'gs' || selection === 'gs-tree') {
      let most = 0
      for (const i of live) most = Math.max(most, model.lipschitz[i])
      weights.fill(most)
    } else if (rules.rowSums && (selection === 'gsd' || selection === 'iht' || selection === 'gsn')) {
      weights.set(yield* model.rowSums())
    } else {
      const factor = selection === 'gsl' || selection === 'gsl-tree' ? 1 : this.capacity
      for (const i of live) weights[i] = factor * model.lipschitz[i]
    }
  }

  /** Takes fixed block b. */
  private take(b: number): void {
    const { start, indices } = this.blocks!
    this.number = b
    this.size = start[b + 1] - start[b]
    for (let a = 0; a < this.size; a++) this.block[a] = indices[start[b] + a]
  }

  /** Chooses the block. Greedy rules return the largest D_i |step|, an upper bound of the residual. */
  private *select(): Flow<number> {
    const { rules, blocks, stream, live, order } = this
    const count = blocks ? blocks.start.length - 1 : live.length
    switch (rules.selection) {
      case 'random':
        if (blocks) this.take(stream.below(count))
        else this.takeNext(0, true)
        return Number.POSITIVE_INFINITY
      case 'cyclic':
        if (blocks) {
          this.take(this.at)
          this.at = (this.at + 1) % count
        } else {
          this.size = Math.min(rules.blockSize, count)
          for (let a = 0; a < this.size; a++) this.block[a] = live[(this.at + a) % count]
          this.at = (this.at + this.size) % count
          sortBlock(this.block, this.size)
        }
        return Number.POSITIVE_INFINITY
      case 'permutation':
        if (this.at >= count) {
          stream.shuffle(order, count, count)
          this.at = 0
        }
        if (blocks) this.take(order[this.at++])
        else {
          this.takeNext(this.at, false)
          this.at += this.size
        }
        return Number.POSITIVE_INFINITY
      case 'lipschitz': {
        const urn = this.urn!
        if (blocks) {
          this.take(urn.draw(stream.uniform()))
          urn.putBack(this.number)
          return Number.POSITIVE_INFINITY
        }
        this.size = 0
        while (this.size < this.capacity) {
          const i = urn.draw(stream.uniform())
          if (i < 0) break
          this.block[this.size++] = i
        }
        for (let a = 0; a < this.size; a++) urn.putBack(this.block[a])
        sortBlock(this.block, this.size)
        return Number.POSITIVE_INFINITY
      }
      case 'random-tree':
        stream.shuffle(order, count, count)
        this.growTree()
        return Number.POSITIVE_INFINITY
      default:
        return yield* this.selectGreedily()
    }
  }

  /** The next coordinates of the order, or so many of it at random. */
  private takeNext(from: number, random: boolean): void {
    const { order, live, block } = this
    if (random) this.stream.shuffle(order, Math.min(this.rules.blockSize, live.length), live.length)
    this.size = Math.min(this.rules.blockSize, live.length - from)
    for (let a = 0; a < this.size; a++) block[a] = order[from + a]
    sortBlock(block, this.size)
  }

  private *selectGreedily(): Flow<number> {
    const { rules, blocks, live, scores, weights, terms, x, model, order } = this
    const { gradient } = model
    const least = noStep * this.scale
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
      yield* this.selectByTrial()
    } else if (rules.selection === 'gsq' || (rules.selection === 'gsn' && blocks)) {
      yield* this.selectByModel()
    } else if (rules.selection.endsWith('-tree')) {
      for (let k = 0; k < live.length; k++) order[k] = live[k]
      order.subarray(0, live.length).sort((i, j) => scores[j] - scores[i] || i - j)
      this.growTree()
    } else if (blocks) {
      let best = -1
      let most = -1
      for (let b = 0; b + 1 < blocks.start.length; b++) {
        let sum = 0
        for (let k = blocks.start[b]; k < blocks.start[b + 1]; k++) sum += scores[blocks.indices[k]]
        if (sum <= most) continue
        most = sum
        best = b
      }
      this.take(Math.max(0, best))
    } else {
      this.takeLargest(scores)
      if (rules.selection === 'iht' || rules.selection === 'gsn') yield* this.threshold()
    }
    return bound
  }

  /** The block of the largest scores; of equal ones the lower index. A heap with the least of those kept on top. */
  private takeLargest(scores: Float64Array): void {
    const { live, block, capacity } = this
    const isWorse = (i: number, j: number) => scores[i] < scores[j] || (scores[i] === scores[j] && i > j)
    let size = 0
    const sift = (from: number) => {
      let at = from
      for (;;) {
        let least = at
        for (let child = 2 * at + 1; child <= 2 * at + 2 && child < size; child++) {
          if (isWorse(block[child], block[least])) least = child
        }
        if (least === at) return
        const other = block[at]
        block[at] = block[least]
        block[least] = other
        at = least
      }
    }
    for (let k = 0; k < live.length; k++) {
      const i = live[k]
      if (size < capacity) {
        block[size++] = i
        if (size === capacity) for (let at = (size >> 1) - 1; at >= 0; at--) sift(at)
      } else if (isWorse(block[0], i)) {
        block[0] = i
        sift(0)
      }
    }
    this.size = size
    this.number = -1
    sortBlock(block, size)
  }

  /** A maximal forest, greedily in the order: a node joins unless two of its neighbours are in one tree. */
  private growTree(): void {
    const { order, live, block, place, graph, roots } = this
    const sets = this.sets!
    const { indptr, indices } = graph!
    sets.clear()
    this.size = 0
    for (let k = 0; k < live.length; k++) {
      const i = order[k]
      let closes = false
      let end = indptr[i]
      for (; end < indptr[i + 1] && !closes; end++) {
        if (place[indices[end]] < 0) continue
        const root = sets.find(indices[end])
        closes = roots[root] === 1
        roots[root] = 1
      }
      for (let e = indptr[i]; e < end; e++) if (place[indices[e]] >= 0) roots[sets.find(indices[e])] = 0
      if (closes) continue
      for (let e = indptr[i]; e < end; e++) if (place[indices[e]] >= 0) sets.unite(i, sets.find(indices[e]))
      place[i] = this.size
      block[this.size++] = i
    }
    for (let a = 0; a < this.size; a++) place[block[a]] = -1
  }

  /** The block with the largest decrease of the quadratic model, by its exact minimum. */
  private *selectByModel(): Flow<void> {
    const { blocks } = this
    const current = this.rules.selection === 'gsn'
    let best = 0
    let most = -1
    for (let b = 0; b + 1 < blocks!.start.length; b++) {
      this.take(b)
      yield* this.model.blockGradient(this.block, this.size, this.g)
      const decrease = yield* this.modelDecrease(current)
      if (decrease <= most) continue
      most = decrease
      best = b
    }
    this.take(best)
  }

  private *modelDecrease(current: boolean): Flow<number> {
    const { g, d, size, h, rules } = this
    if (rules.cubic > 0 && current) return yield* this.cubicDecrease()
    if (this.program !== null) {
      yield* current ? this.model.hessian(this.block, size, h) : this.model.bound(this.block, size, h)
      this.program.solve(this.block, size, this.x, g, h, d)
      let sum = 0
      for (let a = 0; a < size; a++) {
        let row = 0
        for (let b = 0; b < size; b++) row += h[a * size + b] * d[b]
        sum -= d[a] * (g[a] + 0.5 * row) + this.terms.change(this.block[a], this.x[this.block[a]], d[a])
      }
      return sum
    }
    yield* this.solveBlock(current)
    let sum = 0
    for (let a = 0; a < size; a++) sum -= 0.5 * g[a] * d[a]
    return sum
  }

  /** -min of g·d + ½ dᵀH d + cubic/6 |d|³ : the root r = |d(r)| with (H + cubic r / 2 I) d = -g. */
  private *cubicDecrease(): Flow<number> {
    const { g, d, size, rules } = this
    const h = new Float64Array(size * size)
    const shifted = new Float64Array(size * size)
    yield* this.model.hessian(this.block, size, h)
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

  /** The block whose own update lowers the objective most: all of the partition, or all there are. */
  private *selectByTrial(): Flow<void> {
    const { blocks, live, capacity } = this
    const best = new Int32Array(capacity)
    let bestSize = 0
    let least = Number.POSITIVE_INFINITY
    let bestNumber = -1
    const places = new Int32Array(capacity)
    for (let a = 0; a < capacity; a++) places[a] = a
    for (let b = 0; ; b++) {
      if (blocks) {
        if (b + 1 >= blocks.start.length) break
        this.take(b)
      } else {
        this.size = capacity
        for (let a = 0; a < capacity; a++) this.block[a] = live[places[a]]
      }
      yield* this.model.blockGradient(this.block, this.size, this.g)
      const change = yield* this.propose()
      if (change < least) {
        least = change
        bestSize = this.size
        bestNumber = b
        best.set(this.block)
      }
      if (this.watch.due()) yield
      if (blocks) continue
      // The next set of places in lexicographic order.
      let a = capacity - 1
      while (a >= 0 && places[a] === live.length - capacity + a) a--
      if (a < 0) break
      places[a]++
      for (let q = a + 1; q < capacity; q++) places[q] = places[q - 1] + 1
    }
    this.size = bestSize
    this.number = bestNumber
    this.block.set(best)
  }

  /** Iterative hard thresholding of the quadratic model, from the diagonal step of the block. */
  private *threshold(): Flow<void> {
    const { v, product } = this.wide!
    const { live, scores, model, weights, block } = this
    const current = this.rules.selection === 'gsn' && !model.quadratic
    v.fill(0)
    for (let a = 0; a < this.size; a++) v[block[a]] = -model.gradient[block[a]] / weights[block[a]]
    for (let round = 0; round < thresholdRounds; round++) {
      yield* model.product(v, current, product)
      for (let k = 0; k < live.length; k++) {
        const i = live[k]
        v[i] -= (model.gradient[i] + product[i]) / this.curvature
        scores[i] = Math.abs(v[i])
      }
      const before = block.slice(0, this.size)
      this.takeLargest(scores)
      for (let a = 0; a < this.size; a++) this.place[block[a]] = a
      for (let k = 0; k < live.length; k++) if (this.place[live[k]] < 0) v[live[k]] = 0
      let same = true
      for (let a = 0; a < this.size; a++) {
        this.place[block[a]] = -1
        if (block[a] !== before[a]) same = false
      }
      if (same && round > 0) break
    }
  }

  /** ‖H‖ by the power method, a little enlarged. */
  private *hessianNorm(): Flow<number> {
    const { v, product } = this.wide!
    for (let i = 0; i < this.n; i++) v[i] = 1 + this.stream.uniform()
    let value = 0
    for (let k = 0; k < 30; k++) {
      const length = norm(v, this.n)
      for (let i = 0; i < this.n; i++) v[i] /= length
      yield* this.model.product(v, false, product)
      value = norm(product, this.n)
      v.set(product)
      if (value === 0) break
    }
    return 1.05 * value
  }

  private *blockNorm(): Flow<number> {
    const { size, block, model } = this
    if (size === 1) return model.lipschitz[block[0]]
    if (this.usesForest) {
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
    yield* model.bound(block, size, this.h)
    return normAbove(this.h, size)
  }

  private *loadSparse(current: boolean): Flow<void> {
    const { block, size, place } = this
    for (let a = 0; a < size; a++) place[block[a]] = a
    yield* this.model.sparseBlock(block, size, place, current, this.sparse)
    for (let a = 0; a < size; a++) place[block[a]] = -1
    if (!this.forest.prepare(this.sparse, size)) {
      throw new ExtremaError(
        'ERR_SHAPE',
        `partition: expected blocks whose graphs are forests, got a cycle through coordinate ${block[this.forest.fault]}`,
      )
    }
  }

  /** d = -H_b⁻¹ g. */
  private *solveBlock(current: boolean): Flow<void> {
    const { g, d, size, model } = this
    for (let a = 0; a < size; a++) d[a] = -g[a]
    if (this.usesForest) {
      yield* this.loadSparse(current)
      if (!this.forest.solve(this.sparse, size, d, d, model.semidefinite)) this.refuse(this.forest.fault)
      return
    }
    const factor = yield* this.factorOf(current)
    forward(factor, 0, size, d)
    backward(factor, 0, size, d)
  }

  private *factorOf(current: boolean): Flow<Float64Array> {
    const { model, size, block, blocks, cache } = this
    const isConstant = !current || model.quadratic
    const isCached = blocks !== null && isConstant && blocks.indices.length * this.capacity <= mostCached
    if (isCached && cache[this.number] !== undefined) return cache[this.number]!
    yield* isConstant ? model.bound(block, size, this.h) : model.hessian(block, size, this.h)
    const fault = factorize(this.h, size, model.semidefinite)
    if (fault >= 0) this.refuse(fault)
    if (isCached) cache[this.number] = this.h.slice(0, size * size)
    return this.h
  }

  private refuse(place: number): never {
    throw new ExtremaError(
      'ERR_NOT_POSITIVE',
      `${this.model.name}: expected a positive definite block around coordinate ${this.block[place]}, got one that is not`,
    )
  }

  private *tryStep(): Flow<number> {
    const { block, size, d, terms, x, model } = this
    let change = yield* model.trial(block, size, d)
    if (terms.composite) for (let a = 0; a < size; a++) change += terms.change(block[a], x[block[a]], d[a])
    return change
  }

  /** Writes the step of the block to d; returns what it changes the objective by. */
  private *propose(): Flow<number> {
    const { g, d, size, block, terms, x, rules } = this
    switch (rules.update) {
      case 'gradient': {
        const bound = this.norms && this.number >= 0 ? this.norms[this.number] : yield* this.blockNorm()
        for (let a = 0; a < size; a++) d[a] = terms.step(block[a], x[block[a]], g[a], bound)
        return yield* this.tryStep()
      }
      case 'lipschitz-approximation':
        return yield* this.approximate()
      case 'two-metric':
        return yield* this.twoMetric()
      case 'newton':
        return yield* this.newton()
      case 'message-passing':
        if (!this.model.quadratic) return yield* this.newton()
    }
    if (terms.composite) {
      yield* this.model.bound(block, size, this.h)
      this.program!.solve(block, size, x, g, this.h, d)
    } else {
      yield* this.solveBlock(false)
    }
    return yield* this.tryStep()
  }

  /** From the last bound, doubled until f(x + d) <= f + g·d + ½ L |d|². */
  private *approximate(): Flow<number> {
    const { g, d, size, block, terms, x, memory, model } = this
    const at = this.blocks ? this.number : 0
    for (let a = 0; a < size; a++) memory[at] = Math.max(memory[at], model.lipschitz[block[a]])
    for (;;) {
      for (let a = 0; a < size; a++) d[a] = terms.step(block[a], x[block[a]], g[a], memory[at])
      const change = yield* model.trial(block, size, d)
      let promised = 0
      let rest = 0
      for (let a = 0; a < size; a++) {
        promised += d[a] * (g[a] + 0.5 * memory[at] * d[a])
        rest += terms.change(block[a], x[block[a]], d[a])
      }
      if (change <= promised + 1e-12 * Math.abs(promised) + this.noise()) return change + rest
      memory[at] *= 2
      if (!Number.isFinite(memory[at])) this.refuse(0)
    }
  }

  /** What rounding may make of a change of the objective. */
  private noise(): number {
    return this.model.quadratic ? 0 : 1e-14 * Math.max(1, Math.abs(this.value))
  }

  /** Newton's step with back-tracking; with other terms the minimum of its model in place of the step. */
  private *newton(): Flow<number> {
    const { g, d, size, block, terms, x, model } = this
    if (this.program !== null) {
      yield* model.hessian(block, size, this.h)
      this.program.solve(block, size, x, g, this.h, d)
    } else {
      yield* this.solveBlock(true)
    }
    let slope = 0
    for (let a = 0; a < size; a++) slope += g[a] * d[a] + terms.change(block[a], x[block[a]], d[a])
    if (slope === 0) return yield* this.tryStep()
    const { direction } = this.work
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

  /**
   * Two-metric projection (Bertsekas 1982, Gafni and Bertsekas 1984): a Newton step for the free coordinates, a diagonal
   * one for those at a bound that -∇ points out of, projected. Under an L1 term x stays in its orthant, or the one that
   * descent leads to from 0.
   */
  private *twoMetric(): Flow<number> {
    const { g, d, size, block, terms, x, model } = this
    const { slopes, low, high, free, isFree, direction } = this.work
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
      if (!isActive) free[count++] = a
    }
    for (let a = 0; a < size; a++) direction[a] = -slopes[a] / model.lipschitz[block[a]]
    if (count > 0) yield* this.solveFree(free, count, slopes, direction)
    let slope = 0
    for (let c = 0; c < count; c++) slope += slopes[free[c]] * direction[free[c]]
    isFree.fill(0)
    for (let c = 0; c < count; c++) isFree[free[c]] = 1
    const search = new BackTracking(slope)
    for (;;) {
      let promised = search.step * slope
      for (let a = 0; a < size; a++) {
        const at = x[block[a]]
        d[a] = Math.min(high[a], Math.max(low[a], at + search.step * direction[a])) - at
        if (isFree[a] === 0) promised += slopes[a] * d[a]
      }
      const change = yield* this.tryStep()
      if (change <= armijo * promised + this.noise()) return change
      if (search.shorten(change)) continue
      // No step along the projected path helps: a proximal gradient step does.
      return yield* this.approximate()
    }
  }

  /** direction_F = -H_FF⁻¹ slopes_F: the free part is a block of its own for the time of the solve. */
  private *solveFree(free: Int32Array, count: number, slopes: Float64Array, direction: Float64Array): Flow<void> {
    const { block, size, g, d, blocks, work } = this
    for (let c = 0; c < count; c++) {
      work.block[c] = block[free[c]]
      work.g[c] = slopes[free[c]]
    }
    this.block = work.block
    this.g = work.g
    this.d = work.d
    this.size = count
    // Factors of whole blocks are not those of their parts.
    this.blocks = null
    yield* this.solveBlock(true)
    for (let c = 0; c < count; c++) direction[free[c]] = work.d[c]
    this.block = block
    this.g = g
    this.d = d
    this.size = size
    this.blocks = blocks
  }
}

/** Memory of one step. */
interface Work {
  slopes: Float64Array
  low: Float64Array
  high: Float64Array
  direction: Float64Array
  free: Int32Array
  isFree: Uint8Array
  block: Int32Array
  g: Float64Array
  d: Float64Array
}

function workOf(size: number): Work {
  const numbers = () => new Float64Array(size)
  return {
    slopes: numbers(),
    low: numbers(),
    high: numbers(),
    direction: numbers(),
    free: new Int32Array(size),
    isFree: new Uint8Array(size),
    block: new Int32Array(size),
    g: numbers(),
    d: numbers(),
  }
}

function norm(v: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += v[i] * v[i]
  return Math.sqrt(sum)
}

function sortBlock(block: Int32Array, size: number): void {
  block.subarray(0, size).sort()
}
