import { type SketchSolveJob, sketchField } from '../../constrained.js'
import type { Step } from '../linear/step.js'
import { dot } from '../linear/vectors.js'
import type { Watch } from '../work.js'
import { Draws, even } from './draws.js'
import { ended } from './ended.js'
import { Gram } from './gram.js'
import { RowBlocks } from './row-blocks.js'
import { System } from './system.js'

/** Operations between two looks at the clock, and sketches between two exact residuals. */
const workLength = 2 ** 15
const exactInterval = 1000

/** z <- z - AᵀS (Sᵀ A Aᵀ S)† Sᵀ (A z - b), sketch by sketch: native/constrained/sketch-solve.cc, step by step. */
export function* sketchSolve(job: SketchSolveJob, monitor: Watch): Step<void> {
  const solver = new Solver(job)
  const { report, maxSketches } = job
  let state: number = ended.iterationLimit
  let work = 0
  let size = solver.exactResidual()
  for (;;) {
    if (solver.isDone(size)) {
      if (solver.isExact) {
        state = ended.converged
        break
      }
      size = solver.exactResidual()
      continue
    }
    if (solver.sketches >= maxSketches) {
      if (!solver.isExact) size = solver.exactResidual()
      if (solver.isDone(size)) state = ended.converged
      break
    }
    const before = solver.flops
    size = yield* solver.advance(size, monitor)
    work += solver.flops - before
    if (work < workLength) continue
    work = 0
    monitor.progress(solver.sketches, size)
    if (monitor.expired()) {
      size = solver.exactResidual()
      state = ended.timeLimit
      break
    }
    if (monitor.due()) yield
  }
  report[sketchField.ended] = state
  report[sketchField.sketches] = solver.sketches
  report[sketchField.residual] = size
  report[sketchField.rows] = solver.rows
  report[sketchField.flops] = solver.flops
}

class Solver {
  sketches = 0
  rows = 0
  flops = 0
  isExact = true
  private readonly a: System
  private readonly r: Float64Array
  /** Rows drawn one by one: r is not kept, each row gives its own entry. */
  private readonly lazy: boolean
  private readonly draws: Draws
  private readonly sums: Float64Array | null = null
  private readonly norms: Float64Array
  private readonly blocks: RowBlocks | null
  private readonly gram: Gram
  /** AᵀS: columns × blockSize. */
  private readonly w: Float64Array
  private readonly c: Float64Array
  private readonly y: Float64Array
  private readonly step: Float64Array
  private readonly change: Float64Array
  private readonly chosen: Int32Array
  private readonly places: Int32Array
  private readonly found: Int32Array
  private sinceExact = 0
  /** Sketches from one look at the residual to the next. */
  private readonly epoch: number

  constructor(private readonly job: SketchSolveJob) {
    this.a = new System(job.matrix)
    const { rows, columns } = this.a
    const { sketch } = job
    const block = job.blockSize
    this.lazy = sketch === 'kaczmarz' || sketch === 'rows' || sketch === 'blocks'
    this.blocks = job.blocks === null ? null : new RowBlocks(this.a, job.blocks)
    const words = {
      kaczmarz: 1,
      gaussian: even(rows),
      'gaussian-block': even(rows * block),
      'count-sketch': even(rows),
      rows: even(block),
      blocks: 1,
    }[sketch]
    this.draws = new Draws(job.key, words, sketch.startsWith('gaussian') ? 'fillNormal' : 'fillUniform')
    const epochs = { kaczmarz: rows, rows: Math.ceil(rows / block), blocks: this.blocks?.count ?? 1 }
    this.epoch = sketch in epochs ? epochs[sketch as keyof typeof epochs] : 1
    this.norms = new Float64Array(this.lazy && this.blocks === null ? rows : 0)
    for (let i = 0; i < this.norms.length; i++) this.norms[i] = this.a.squaredNorm(i)
    if (this.lazy && this.blocks === null && job.byNorm) {
      this.sums = new Float64Array(rows)
      let sum = 0
      for (let i = 0; i < rows; i++) {
        sum += this.norms[i]
        this.sums[i] = sum
      }
    }
    const wide = sketch === 'gaussian-block' || sketch === 'count-sketch'
    const isBlock = wide || sketch === 'rows'
    this.r = new Float64Array(rows)
    this.gram = new Gram(isBlock ? block : 0)
    this.w = new Float64Array(wide ? columns * block : sketch === 'gaussian' ? columns : 0)
    this.c = new Float64Array(isBlock ? block : 0)
    this.y = new Float64Array(isBlock ? block : 0)
    this.step = new Float64Array(isBlock ? columns : 0)
    this.change = new Float64Array(this.lazy ? 0 : rows)
    this.found = new Int32Array(sketch === 'count-sketch' ? block : 0)
    this.chosen = new Int32Array(sketch === 'rows' ? block : 0)
    this.places = Int32Array.from({ length: sketch === 'rows' ? rows : 0 }, (_, i) => i)
  }

  isDone(size: number): boolean {
    const { threshold, rounding, coarse, descent, descentBound, z } = this.job
    if (size <= threshold || size <= rounding * Math.sqrt(dot(z, z))) return true
    return descent !== null && size <= coarse && dot(descent, z) <= descentBound
  }

  exactResidual(): number {
    const { a, r, job } = this
    a.residual(job.z, job.b, r)
    this.rows += a.rows
    this.flops += 2 * a.entries + a.rows
    this.isExact = true
    this.sinceExact = 0
    return Math.sqrt(dot(r, r))
  }

  /** The sketches until the residual is looked at again; returns its norm. */
  *advance(size: number, monitor: Watch): Step<number> {
    if (this.lazy) {
      const count = Math.min(this.epoch, this.job.maxSketches - this.sketches)
      for (let k = 0; k < count; k++) {
        if (this.blocks !== null) yield* this.givenBlock(this.blocks, monitor)
        else if (this.job.sketch === 'kaczmarz') this.kaczmarz()
        else this.rowBlock()
        this.sketches++
      }
      return this.exactResidual()
    }
    const { sketch } = this.job
    if (sketch === 'gaussian') this.gaussian()
    else if (sketch === 'gaussian-block') this.gaussianBlock()
    else this.countSketch()
    this.sketches++
    this.isExact = false
    if (++this.sinceExact === exactInterval) return this.exactResidual()
    const { r } = this
    const now = Math.sqrt(dot(r, r))
    this.flops += 2 * r.length
    return Number.isNaN(now) ? size : now
  }

  private seek(): number {
    return this.draws.seek(this.job.drawn + this.sketches)
  }

  private drawRow(u: number): number {
    const { sums, a } = this
    if (sums === null) return Math.floor(u * a.rows)
    const target = u * sums[a.rows - 1]
    let low = 0
    let high = a.rows - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle] > target) high = middle
      else low = middle + 1
    }
    return low
  }

  private kaczmarz(): void {
    const { a, norms, job } = this
    const place = this.seek()
    const i = this.drawRow(this.draws.values[place])
    this.rows++
    if (norms[i] === 0) return
    a.add(i, (job.b[i] - a.dot(i, job.z)) / norms[i], job.z)
    this.flops += 4 * (a.end(i) - a.begin(i)) + 2
  }

  private *givenBlock(blocks: RowBlocks, monitor: Watch): Step<void> {
    const p = Math.floor(this.draws.values[this.seek()] * blocks.count)
    this.flops += yield* blocks.project(p, this.job.b, this.job.z, monitor)
    this.rows += blocks.rowsOf(p).length
  }

  private gaussian(): void {
    const { a, w, r, change, job } = this
    this.seek()
    const s = this.draws.values
    w.fill(0)
    let inner = 0
    for (let i = 0; i < a.rows; i++) {
      a.add(i, s[i], w)
      inner += s[i] * r[i]
    }
    const squares = dot(w, w)
    this.rows += 2 * a.rows
    this.flops += 4 * a.entries + 4 * a.rows + 4 * a.columns
    if (squares === 0) return
    const alpha = inner / squares
    a.multiply(w, change)
    for (let j = 0; j < w.length; j++) job.z[j] -= alpha * w[j]
    for (let i = 0; i < r.length; i++) r[i] -= alpha * change[i]
  }

  private gaussianBlock(): void {
    const { a, w, c, r } = this
    const { blockSize: size } = this.job
    this.seek()
    const s = this.draws.values
    w.fill(0)
    c.fill(0)
    for (let i = 0; i < a.rows; i++) {
      const from = i * size
      const begin = a.begin(i)
      const end = a.end(i)
      for (let k = begin; k < end; k++) {
        const at = (a.indices === null ? k - begin : a.indices[k]) * size
        const value = a.data[k]
        for (let t = 0; t < size; t++) w[at + t] += value * s[from + t]
      }
      for (let t = 0; t < size; t++) c[t] += s[from + t] * r[i]
    }
    const gram = this.gram.matrix
    gram.fill(0)
    for (let j = 0; j < a.columns; j++) {
      const at = j * size
      for (let p = 0; p < size; p++) {
        const value = w[at + p]
        for (let q = 0; q <= p; q++) gram[p * size + q] += value * w[at + q]
      }
    }
    this.flops += 2 * size * a.entries + a.columns * size * (size + 1) + 2 * size * a.rows
    this.project()
  }

  private countSketch(): void {
    const { a, w, c, r, found } = this
    const { blockSize: size } = this.job
    this.seek()
    const u = this.draws.values
    w.fill(0)
    c.fill(0)
    for (let i = 0; i < a.rows; i++) {
      const draw = Math.floor(u[i] * 2 * size)
      const column = draw >> 1
      const sign = (draw & 1) === 1 ? -1 : 1
      const begin = a.begin(i)
      const end = a.end(i)
      for (let k = begin; k < end; k++) {
        w[(a.indices === null ? k - begin : a.indices[k]) * size + column] += sign * a.data[k]
      }
      c[column] += sign * r[i]
    }
    // A row of AᵀS has few entries: products of those only.
    const gram = this.gram.matrix
    gram.fill(0)
    for (let j = 0; j < a.columns; j++) {
      const at = j * size
      let count = 0
      for (let t = 0; t < size; t++) if (w[at + t] !== 0) found[count++] = t
      for (let p = 0; p < count; p++) {
        const value = w[at + found[p]]
        const row = found[p] * size
        for (let q = 0; q <= p; q++) gram[row + found[q]] += value * w[at + found[q]]
      }
      this.flops += count * (count + 1)
    }
    this.flops += a.entries + a.rows
    this.project()
  }

  /** The step of a block from AᵀS, its Gram matrix and Sᵀr. */
  private project(): void {
    const { a, w, c, y, r, step, change, job } = this
    const size = job.blockSize
    this.flops += this.gram.solve(c, y)
    for (let j = 0; j < a.columns; j++) {
      let sum = 0
      for (let t = 0; t < size; t++) sum += w[j * size + t] * y[t]
      step[j] = sum
      job.z[j] -= sum
    }
    a.multiply(step, change)
    for (let i = 0; i < r.length; i++) r[i] -= change[i]
    this.rows += 2 * a.rows
    this.flops += 2 * a.entries + a.columns * (2 * size + 1) + a.rows
  }

  private rowBlock(): void {
    const { a, c, y, step, chosen, places, norms, job } = this
    const size = job.blockSize
    this.seek()
    const u = this.draws.values
    for (let t = 0; t < size; t++) {
      if (this.sums !== null) {
        chosen[t] = this.drawRow(u[t])
        continue
      }
      // Without replacement: the start of a shuffle, undone below so that sketch k always draws the same.
      const other = t + Math.floor(u[t] * (a.rows - t))
      chosen[t] = places[other]
      places[other] = places[t]
      places[t] = chosen[t]
    }
    const gram = this.gram.matrix
    for (let p = 0; p < size; p++) {
      const row = chosen[p]
      a.add(row, 1, step)
      for (let q = 0; q < p; q++) gram[p * size + q] = a.dot(chosen[q], step)
      gram[p * size + p] = norms[row]
      a.clear(row, step)
      c[p] = a.dot(row, job.z) - job.b[row]
      const length = a.end(row) - a.begin(row)
      this.flops += (4 + 2 * (size - 1)) * length
    }
    this.flops += this.gram.solve(c, y)
    for (let p = 0; p < size; p++) a.add(chosen[p], -y[p], job.z)
    if (this.sums === null) {
      for (let t = size - 1; t >= 0; t--) {
        const other = t + Math.floor(u[t] * (a.rows - t))
        const value = places[t]
        places[t] = places[other]
        places[other] = value
      }
    }
    this.rows += size
  }
}
