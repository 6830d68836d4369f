import { ExtremaError } from '../../../core/errors.js'
import { type MatrixData, type SketchData, type SketchFactorJob, sketchFactorField } from '../../linear-dense.js'
import type { Watch, Work } from '../work.js'
import { addScaled, dot, scanMatrix, transposed } from './matrix.js'
import { factorColumns, formQ, reflectVectors } from './qr.js'
import { applySketch, drawRows } from './sketch.js'
import { triangularSolve } from './triangular.js'
import { addRow } from './view.js'

/** Diagonal entries of R below this part of the largest count as zero. */
const deficient = 1e-12

/** N with A N near to orthonormal columns and range(N) = range(Aᵀ): the twin of native/linear/least-squares.h. */
export class SketchFactor {
  rank = 0
  triangular = true
  /** Largest over smallest diagonal entry of R: at most the condition number. */
  spread = 1
  /** R, n × n, or N, n × rank. */
  factor: Float64Array = new Float64Array(0)
  private reflectors: Float64Array = new Float64Array(0)
  private tau: Float64Array = new Float64Array(0)
  private rows = 0

  constructor(
    private readonly sketch: SketchData,
    private readonly a: MatrixData,
    private readonly monitor: Pick<Watch, 'due'>,
  ) {}

  *build(): Work<void> {
    const { sketch, a, monitor } = this
    const n = a.columns
    this.rows = sketch.rows === 0 ? a.rows : sketch.rows
    const m = this.rows
    const k = Math.min(m, n)
    const sketched = new Float64Array(m * n)
    if (sketch.rows === 0) {
      for (let i = 0; i < m; i++) addRow(a, i, 1, sketched, i * n)
    } else {
      if (sketch.kind === 'row-norms') yield* drawRows(sketch, a, monitor)
      yield* applySketch(sketch, a, sketched, monitor)
    }
    if (!allFinite(sketched)) yield* refuse(a, monitor)
    this.tau = new Float64Array(k)
    const permutation = new Int32Array(n)
    let columns: Float64Array = transposed(sketched, m, n)
    yield* factorColumns(columns, m, n, this.tau, permutation, false, monitor)
    this.count(columns, m, n)
    this.triangular = this.rank === n
    if (!this.triangular) {
      columns = transposed(sketched, m, n)
      yield* factorColumns(columns, m, n, this.tau, permutation, true, monitor)
      this.count(columns, m, n)
    }
    this.reflectors = columns
    const { rank } = this
    this.factor = new Float64Array(n * n)
    if (this.triangular) {
      for (let i = 0; i < n; i++) for (let j = i; j < n; j++) this.factor[i * n + j] = columns[j * m + i]
      return
    }
    if (rank === 0) return
    // S A P = Q [R1 R2], [R1 R2]ᵀ = Z T, N = P Z T⁻ᵀ: then S A N has orthonormal columns. Rows of `top` are columns of [R1 R2]ᵀ.
    const top = new Float64Array(rank * n)
    for (let i = 0; i < rank; i++) for (let j = i; j < n; j++) top[i * n + j] = columns[j * m + i]
    const tau = new Float64Array(rank)
    yield* factorColumns(top, n, rank, tau, new Int32Array(rank), false, monitor)
    const z = transposed(yield* formQ(top, tau, n, rank, monitor), n, rank)
    const triangle = new Float64Array(rank * rank)
    for (let i = 0; i < rank; i++) for (let j = i; j < rank; j++) triangle[i * rank + j] = top[j * n + i]
    const form = { lower: false, transpose: false, unit: false, threads: 1 }
    yield* triangularSolve({ n: rank, pitch: rank, a: triangle, ...form, columns: n, b: z }, monitor)
    for (let j = 0; j < n; j++) for (let i = 0; i < rank; i++) this.factor[permutation[j] * rank + i] = z[i * n + j]
  }

  private count(columns: Float64Array, m: number, n: number): void {
    const k = Math.min(m, n)
    const diagonal = (i: number) => Math.abs(columns[i * m + i])
    let largest = 0
    for (let i = 0; i < k; i++) largest = Math.max(largest, diagonal(i))
    this.rank = 0
    while (this.rank < k && diagonal(this.rank) > deficient * largest) this.rank++
    let least = largest
    for (let i = 0; i < this.rank; i++) least = Math.min(least, diagonal(i))
    this.spread = this.rank > 0 ? largest / least : 1
  }

  /** The leading entries of Qᵀ S b: N times them solves the sketched problem. */
  *project(b: Float64Array): Work<Float64Array> {
    const { sketch, monitor, rows } = this
    let sketched: Float64Array = b.slice()
    if (sketch.rows !== 0) {
      sketched = new Float64Array(rows)
      const column = { rows: b.length, columns: 1, dense: b, indptr: null, indices: null, values: null }
      yield* applySketch(sketch, column, sketched, monitor)
    }
    yield* reflectVectors(this.reflectors, this.tau, rows, this.tau.length, true, sketched, 1, monitor)
    return sketched.subarray(0, this.rank)
  }

  /** x = N y */
  *apply(y: Float64Array, x: Float64Array): Work<void> {
    const { rank, factor } = this
    if (this.triangular) {
      x.set(y)
      yield* this.solve(x, false)
      return
    }
    for (let i = 0; i < x.length; i++) x[i] = dot(factor, i * rank, y, 0, rank)
  }

  /** y = Nᵀ x */
  *applyTransposed(x: Float64Array, y: Float64Array): Work<void> {
    const { rank, factor } = this
    if (this.triangular) {
      y.set(x)
      yield* this.solve(y, true)
      return
    }
    y.fill(0)
    for (let i = 0; i < x.length; i++) addScaled(x[i], factor, i * rank, y, 0, rank)
  }

  private *solve(b: Float64Array, transpose: boolean): Work<void> {
    const n = this.a.columns
    const form = { lower: false, transpose, unit: false, threads: 1 }
    yield* triangularSolve({ n, pitch: n, a: this.factor, ...form, columns: 1, b }, this.monitor)
  }
}

export function allFinite(x: Float64Array): boolean {
  for (const value of x) if (!Number.isFinite(value)) return false
  return true
}

/** Names the entry that made a result infinite or NaN. */
export function* refuse(a: MatrixData, clock: Pick<Watch, 'due'>): Work<never> {
  if (a.dense !== null) yield* scanMatrix('matrix', a.dense, a.rows, a.columns, clock)
  throw new ExtremaError('ERR_NOT_FINITE', 'matrix: expected entries whose products stay finite, got an overflow')
}

export function* sketchFactor(job: SketchFactorJob, monitor: Watch): Work<void> {
  const found = new SketchFactor(job.sketch, job.matrix, monitor)
  yield* found.build()
  job.factor.set(found.factor)
  job.report[sketchFactorField.rank] = found.rank
  job.report[sketchFactorField.triangular] = found.triangular ? 1 : 0
}
