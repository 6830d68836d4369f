import type { CompletionSketch, CompletionSolver, InnerMethod } from '../../../completion.js'
import type { Clock, Work } from '../../work.js'
import { coordinateSweeps, dot, minimumNorm, nonNegativeQuadratic, triangularize } from './dense.js'
import type { Lines } from './observations.js'
import { sketchRows as applySketch } from './row-sketch.js'

/** Below this pivot the normal equations have lost too many digits. */
const leastPivot = 1e-9
const deficient = 1e-12
const block = 64
const numberBits = 20 // of the half step's number in a sketch's; the repeat is above
const growth = 10 // of the gradient's norm: diverged
const refined = 1e-8 // below this tolerance the gradient is computed afresh at the end

/**
 * The regressions of one half step, a line each:
 * min over x of sum_e w_e (b_e - a_e · x)² + sum_c ridge_c x_c² (+ xᵀ base x)
 */
export interface HalfStep {
  lines: Lines
  /** The rows a, `rank` numbers each. */
  features: Float64Array
  /** Bias of each a, taken off the targets. */
  offset: Float64Array | null
  mean: number
  /** > 0: implicit feedback, weights 1 + confidence value and targets 1. */
  confidence: number
  rank: number
  ridge: Float64Array
  base: Float64Array | null
  /** Mean squares of the features, for the diagonal preconditioner. */
  scale: Float64Array
  nonNegative: boolean
  /** Unknowns before this one may be negative all the same. */
  free: number
  solver: CompletionSolver
  inner: InnerMethod
  sketch: CompletionSketch
  sketchRows: number
  repeats: number
  /** Of the preconditioned gradient over the norm of the targets. */
  tolerance: number
  mostSteps: number
  key: Uint32Array
  /** Of the half step, for the random sketches. */
  number: number
}

export interface Counts {
  steps: number
  diverged: number
  deficient: number
}

/** Solves the lines of half steps, of up to `longest` entries. */
export class Regression {
  readonly counts: Counts = { steps: 0, diverged: 0, deficient: 0 }
  private readonly target: Float64Array
  private readonly weights: Float64Array
  private readonly gram: Float64Array
  private readonly rows: Float64Array
  private readonly sketch: Float64Array
  private readonly s: Float64Array
  private readonly z: Float64Array
  private readonly p: Float64Array
  private readonly y: Float64Array
  private readonly diagonal: Float64Array
  private from = 0
  private count = 0
  private targetNorm = 0
  private weight = 0

  constructor(
    private step: HalfStep,
    longest: number,
    private readonly watch: Clock,
  ) {
    const { rank, sketchRows } = step
    const pitch = rank + 1
    this.target = new Float64Array(longest)
    this.weights = new Float64Array(longest)
    this.gram = new Float64Array(rank * pitch)
    this.rows = new Float64Array((Math.max(block, rank) + rank) * pitch)
    this.sketch = new Float64Array((sketchRows + rank) * pitch)
    this.s = new Float64Array(rank)
    this.z = new Float64Array(rank)
    this.p = new Float64Array(rank)
    this.y = new Float64Array(rank)
    this.diagonal = new Float64Array(rank)
  }

  /** Targets and weights of a line. */
  private load(step: HalfStep, line: number): void {
    this.step = step
    const { lines, confidence, mean, offset } = step
    this.from = lines.start[line]
    this.count = lines.start[line + 1] - this.from
    this.weight = 0
    let squares = 0
    for (let e = 0; e < this.count; e++) {
      const k = this.from + e
      let target: number
      let weight = 1
      if (confidence > 0) {
        // c (1 - x)² and 1 x² of the base make (c - 1)(c / (c - 1) - x)² + x² and a constant.
        weight = confidence * lines.values[k]
        target = (1 + weight) / weight
      } else {
        target = lines.values[k] - mean
        if (offset !== null) target -= offset[lines.index[k]]
        if (lines.weights !== null) weight = lines.weights[k]
      }
      this.target[e] = target
      this.weights[e] = weight
      this.weight += weight
      squares += weight * target * target
    }
    this.targetNorm = Math.sqrt(squares)
  }

  /** sum w t² with t = b - a·x (b = 0 without `targets`); out += sum w t a. */
  private pass(x: Float64Array, at: number, targets: boolean, out: Float64Array | null): number {
    const { rank, features, lines } = this.step
    let total = 0
    for (let e = 0; e < this.count; e++) {
      const row = lines.index[this.from + e] * rank
      let t = targets ? this.target[e] : 0
      for (let c = 0; c < rank; c++) t -= features[row + c] * x[at + c]
      const weighted = this.weights[e] * t
      total += weighted * t
      if (out === null) continue
      for (let c = 0; c < rank; c++) out[c] += weighted * features[row + c]
    }
    return total
  }

  /** sum w (b - a·x)² of a line, x from x[at] on. */
  restOf(step: HalfStep, line: number, x: Float64Array, at: number): number {
    this.load(step, line)
    return this.pass(x, at, true, null)
  }

  /** x from x[at] on holds the start and receives the solution. Returns the rest sum w (b - a·x)² if asked for. */
  *solve(step: HalfStep, line: number, x: Float64Array, at: number, rest: boolean): Work<number> {
    this.load(step, line)
    const { rank, base, nonNegative, solver, ridge } = step
    const own = x.subarray(at, at + rank)
    if (this.count === 0 && base === null) {
      own.fill(0)
      return 0
    }
    if (nonNegative) this.nonNegative(own)
    else if (solver === 'exact') yield* this.exact(own)
    else if (this.count < rank && ridge[0] === 0) yield* this.direct(own)
    else if (solver === 'inexact') yield* this.conjugate(own, false)
    else yield* this.sketched(line, own)
    return rest ? this.pass(x, at, true, null) : 0
  }

  private addGram(): void {
    const { rank, features, lines } = this.step
    const pitch = rank + 1
    const { gram } = this
    gram.fill(0)
    for (let e = 0; e < this.count; e++) {
      const row = lines.index[this.from + e] * rank
      const weight = this.weights[e]
      const target = this.target[e]
      for (let i = 0; i < rank; i++) {
        const factor = weight * features[row + i]
        for (let j = i; j < rank; j++) gram[i * pitch + j] += factor * features[row + j]
        gram[i * pitch + rank] += factor * target
      }
    }
  }

  /** (G + diag(ridge)) x = h by Cholesky's method; false where a pivot falls below `least` of its diagonal entry. */
  private solveGram(least: number, x: Float64Array): boolean {
    const { rank, ridge } = this.step
    const pitch = rank + 1
    const g = this.gram
    for (let j = 0; j < rank; j++) {
      g[j * pitch + j] += ridge[j]
      this.diagonal[j] = g[j * pitch + j]
    }
    for (let j = 0; j < rank; j++) {
      const row = j * pitch
      if (!(g[row + j] > least * this.diagonal[j])) return false
      const inverse = 1 / Math.sqrt(g[row + j])
      for (let c = j; c < pitch; c++) g[row + c] *= inverse
      for (let i = j + 1; i < rank; i++) {
        const factor = g[row + i]
        for (let c = i; c < pitch; c++) g[i * pitch + c] -= factor * g[row + c]
      }
    }
    for (let j = rank - 1; j >= 0; j--) {
      let sum = g[j * pitch + rank]
      for (let c = j + 1; c < rank; c++) sum -= g[j * pitch + c] * x[c]
      x[j] = sum / g[j * pitch + j]
    }
    return true
  }

  private *exact(x: Float64Array): Work<void> {
    const free = this.step.ridge[0] === 0
    if (free && this.count < this.step.rank) return yield* this.direct(x)
    this.addGram()
    this.counts.steps++
    if (!this.solveGram(free ? leastPivot : 0, x)) yield* this.direct(x)
  }

  private nonNegative(x: Float64Array): void {
    const { rank, ridge, base, solver, free, tolerance, mostSteps } = this.step
    this.addGram()
    const pitch = rank + 1
    const g = new Float64Array(rank * rank)
    const h = new Float64Array(rank)
    for (let i = 0; i < rank; i++) {
      h[i] = this.gram[i * pitch + rank]
      for (let j = i; j < rank; j++) {
        const entry = this.gram[i * pitch + j] + (base === null ? 0 : base[i * rank + j])
        g[i * rank + j] = entry
        g[j * rank + i] = entry
      }
      g[i * rank + i] += ridge[i]
    }
    if (solver === 'exact') {
      nonNegativeQuadratic(g, h, rank, free, x)
      this.counts.steps++
    } else {
      this.counts.steps += coordinateSweeps(g, h, rank, free, tolerance, mostSteps, x)
    }
  }

  /**
   * Householder's method on blocks of rows: as accurate as the problem allows, and where it leaves x open the solution of
   * least norm.
   */
  private *direct(x: Float64Array): Work<void> {
    const { rank, features, lines, ridge } = this.step
    const pitch = rank + 1
    const a = this.rows
    const most = Math.max(block, rank) + rank
    let filled = 0
    this.counts.steps++
    const reduce = () => {
      triangularize(a, filled, pitch, rank)
      filled = Math.min(filled, rank)
    }
    for (let e = 0; e < this.count; e++) {
      if (filled === most) {
        reduce()
        if (this.watch.due()) yield
      }
      const root = Math.sqrt(this.weights[e])
      const row = lines.index[this.from + e] * rank
      const to = filled++ * pitch
      for (let c = 0; c < rank; c++) a[to + c] = root * features[row + c]
      a[to + rank] = root * this.target[e]
    }
    for (let c = 0; c < rank && ridge[0] > 0; c++) {
      if (filled === most) reduce()
      const to = filled++ * pitch
      a.fill(0, to, to + pitch)
      a[to + c] = Math.sqrt(ridge[c])
    }
    reduce()
    for (let i = 0; i < filled; i++) this.s[i] = a[i * pitch + rank]
    if (minimumNorm(a, filled, pitch, rank, this.s, x) < rank) this.counts.deficient++
  }

  /** R of the QR factorization of S A, with the ridge beneath it. False if it is deficient. */
  private *drawSketch(line: number, repeat: number): Work<boolean> {
    const { rank, features, lines, ridge, sketch, sketchRows, key, number } = this.step
    const pitch = rank + 1
    const out = this.sketch
    out.fill(0)
    yield* applySketch(
      { features, rank, index: lines.index, from: this.from, weights: this.weights, count: this.count },
      { kind: sketch, rows: sketchRows, key, line, number: (number | (repeat << numberBits)) >>> 0 },
      out,
      this.watch,
    )
    for (let c = 0; c < rank; c++) out[(sketchRows + c) * pitch + c] = Math.sqrt(ridge[c])
    triangularize(out, sketchRows + rank, pitch, rank)
    let largest = 0
    let least = Number.POSITIVE_INFINITY
    for (let c = 0; c < rank; c++) {
      const size = Math.abs(out[c * pitch + c])
      largest = Math.max(largest, size)
      least = Math.min(least, size)
    }
    return least > deficient * largest
  }

  private *sketched(line: number, x: Float64Array): Work<void> {
    const { rank, sketchRows, repeats, inner } = this.step
    if (this.count <= sketchRows) return yield* this.direct(x)
    const solutions: Float64Array[] = []
    for (let repeat = 0; repeat < repeats; repeat++) {
      const solution = x.slice()
      if (!(yield* this.drawSketch(line, repeat))) return yield* this.direct(x)
      if (inner === 'cg') yield* this.conjugate(solution, true)
      else yield* this.descend(solution)
      solutions.push(solution)
    }
    // Coordinate by coordinate the median.
    const middle = Math.floor(repeats / 2)
    for (let c = 0; c < rank; c++) {
      const sorted = solutions.map((solution) => solution[c]).sort((a, b) => a - b)
      x[c] = repeats % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
  }

  /** s = Aᵀ W (b - A x) - ridge x */
  private gradient(x: Float64Array): void {
    const { rank, ridge } = this.step
    this.s.fill(0)
    this.pass(x, 0, true, this.s)
    for (let c = 0; c < rank; c++) this.s[c] -= ridge[c] * x[c]
  }

  /** z = M^-1 s; returns s·z. */
  private precondition(sketched: boolean): number {
    const { rank } = this.step
    const { s, z, sketch: r } = this
    const pitch = rank + 1
    if (!sketched) {
      for (let c = 0; c < rank; c++) z[c] = this.diagonal[c] * s[c]
      return dot(s, z, 0, 0, rank)
    }
    z.set(s)
    for (let j = 0; j < rank; j++) {
      z[j] /= r[j * pitch + j]
      for (let c = j + 1; c < rank; c++) z[c] -= r[j * pitch + c] * z[j]
    }
    const squares = dot(z, z, 0, 0, rank)
    for (let j = rank - 1; j >= 0; j--) {
      let sum = z[j]
      for (let c = j + 1; c < rank; c++) sum -= r[j * pitch + c] * z[c]
      z[j] = sum / r[j * pitch + j]
    }
    return squares
  }

  private reached(norm: number): boolean {
    return norm <= this.step.tolerance * this.targetNorm
  }

  /** x <- x + R^-1 R^-T Aᵀ (b - A x), plain or with a heavy ball. */
  private *descend(x: Float64Array): Work<void> {
    const { rank, sketchRows, inner, mostSteps } = this.step
    const ratio = rank / sketchRows
    const ball = inner === 'heavy-ball'
    const length = ball ? (1 - ratio) * (1 - ratio) : 1
    const momentum = ball ? ratio : 0
    const start = x.slice()
    let first = 0
    this.p.fill(0)
    for (let count = 0; ; count++) {
      this.gradient(x)
      const norm = Math.sqrt(this.precondition(true))
      if (count === 0) first = norm
      if ((count > 0 && this.reached(norm)) || norm === 0) return
      const last = count >= mostSteps
      if (!(norm <= (last ? 1 : growth) * first)) {
        this.counts.diverged++
        x.set(start)
        return yield* this.conjugate(x, true)
      }
      if (last) return
      if (this.watch.due()) yield
      this.counts.steps++
      for (let c = 0; c < rank; c++) {
        this.p[c] = length * this.z[c] + momentum * this.p[c]
        x[c] += this.p[c]
      }
    }
  }

  /** Conjugate gradients on the normal equations, preconditioned by R of the sketch or by the diagonal. */
  private *conjugate(x: Float64Array, sketched: boolean): Work<void> {
    const { rank, ridge, scale, tolerance, mostSteps } = this.step
    const { s, z, p, y, diagonal } = this
    if (!sketched) {
      for (let c = 0; c < rank; c++) {
        const own = ridge[c] + this.weight * scale[c]
        diagonal[c] = own > 0 ? 1 / own : 0
      }
    }
    const rounds = sketched && tolerance <= refined ? 2 : 1
    let count = 0
    for (let round = 0; round < rounds; round++) {
      this.gradient(x)
      let squares = this.precondition(sketched)
      p.set(z)
      while (count < mostSteps) {
        if (squares === 0 || (count > 0 && this.reached(Math.sqrt(squares)))) break
        y.fill(0)
        let curvature = this.pass(p, 0, false, y) // y = -Aᵀ W A p
        for (let c = 0; c < rank; c++) curvature += ridge[c] * p[c] * p[c]
        if (!(curvature > 0)) break
        count++
        if (this.watch.due()) yield
        const alpha = squares / curvature
        for (let c = 0; c < rank; c++) {
          x[c] += alpha * p[c]
          s[c] += alpha * (y[c] - ridge[c] * p[c])
        }
        const next = this.precondition(sketched)
        const beta = next / squares
        squares = next
        for (let c = 0; c < rank; c++) p[c] = z[c] + beta * p[c]
      }
    }
    this.counts.steps += count
  }
}
