// biome-ignore-all lint/correctness/useYield: the methods of a model are generators, whether or not this one waits.
import type { DescentData, MatrixData } from '../../descent.js'
import { Columns } from './columns.js'
import type { Flow, Watch } from './flow.js'
import type { Graph, Model, SparseBlock } from './model.js'
import { Pairs } from './pairs.js'
import { RowLoss } from './row-loss.js'

const entriesPerLook = 1 << 15

/**
 * f(x) = Σ_r φ_r(a_rᵀ x) + ½ l2 |x|²: least squares, logistic, and softmax with k numbers a_rᵀ X in place of one. Kept are
 * these margins, φ_r and the slopes φ'_r; a step of a block touches the rows that its columns do.
 */
export class RowsModel implements Model {
  readonly n: number
  readonly quadratic: boolean
  readonly name = 'A'
  readonly semidefinite = true
  readonly lipschitz: Float64Array
  readonly gradient: Float64Array
  private readonly m: number
  private readonly classes: number
  private readonly matrix: MatrixData
  private readonly loss: RowLoss
  private readonly columns: Columns
  private readonly pairs: Pairs
  private readonly squares: Float64Array
  private readonly margins: Float64Array
  private readonly losses: Float64Array
  private readonly slopes: Float64Array
  private readonly moved: Float64Array
  private readonly slopeChange: Float64Array
  private readonly scattered: Float64Array
  private readonly touched: Int32Array
  private readonly isTouched: Uint8Array
  private touchedCount = 0
  private readonly sum: Float64Array

  constructor(
    private readonly data: DescentData,
    private readonly x: Float64Array,
    readonly tracks: boolean,
    private readonly watch: Watch,
  ) {
    const { matrix, classes, l2 } = data
    const { rows, columns } = matrix
    this.m = rows
    this.classes = classes
    this.n = columns * classes
    this.matrix = matrix
    this.quadratic = data.loss === 'least-squares'
    this.loss = new RowLoss(data)
    this.columns = new Columns(matrix)
    this.pairs = new Pairs(data, this.columns, this.loss, watch)
    this.squares = new Float64Array(columns)
    for (let j = 0; j < columns; j++) {
      this.columns.each(j, (_r, value) => {
        this.squares[j] += value * value
      })
    }
    this.lipschitz = new Float64Array(this.n)
    for (let i = 0; i < this.n; i++) {
      this.lipschitz[i] = this.squares[Math.floor(i / classes)] * this.loss.bound(0, 0) + l2
    }
    this.gradient = new Float64Array(this.n)
    this.margins = new Float64Array(rows * classes)
    this.losses = new Float64Array(rows)
    this.slopes = new Float64Array(rows * classes)
    this.moved = new Float64Array(rows * classes)
    this.slopeChange = new Float64Array(classes)
    this.scattered = new Float64Array(rows)
    this.touched = new Int32Array(rows)
    this.isTouched = new Uint8Array(rows)
    this.sum = new Float64Array(classes)
  }

  *refresh(): Flow<number> {
    const { x, data, losses } = this
    yield* this.findMargins()
    let value = losses.reduce((sum, loss) => sum + loss, 0)
    yield* this.transposed(this.slopes, this.gradient)
    if (data.l2 > 0) {
      let squares = 0
      for (let i = 0; i < this.n; i++) {
        this.gradient[i] += data.l2 * x[i]
        squares += x[i] * x[i]
      }
      value += 0.5 * data.l2 * squares
    }
    return value
  }

  /** Margins, losses and slopes at x. By columns where most of x is 0. */
  private *findMargins(): Flow<void> {
    const { m, n, classes, x, margins, columns } = this
    let nonzeros = 0
    for (let i = 0; i < n; i++) if (x[i] !== 0) nonzeros++
    const byColumns = 4 * nonzeros < n
    let work = 0
    if (byColumns) {
      margins.fill(0)
      for (let i = 0; i < n; i++) {
        if (x[i] === 0) continue
        const j = Math.floor(i / classes)
        columns.add(j, x[i], margins, classes, i - j * classes)
        work += columns.length(j)
        if (work < entriesPerLook) continue
        work = 0
        if (this.watch.due()) yield
      }
    }
    for (let r = 0; r < m; r++) {
      if (!byColumns) {
        this.rowProduct(r, x, margins, r * classes)
        work += classes * this.rowLength(r)
      }
      this.losses[r] = this.loss.evaluate(r, margins, this.slopes, r * classes)
      if (work < entriesPerLook) continue
      work = 0
      if (this.watch.due()) yield
    }
  }

  private rowLength(r: number): number {
    const { dense, indptr, columns } = this.matrix
    return dense !== null ? columns : indptr![r + 1] - indptr![r]
  }

  /** out_c = a_rᵀ v_c, from `at` on. */
  private rowProduct(r: number, v: Float64Array, out: Float64Array, at: number): void {
    const { classes } = this
    const { dense, indptr, indices, data, columns } = this.matrix
    for (let c = 0; c < classes; c++) {
      let sum = 0
      if (dense !== null) {
        for (let j = 0; j < columns; j++) sum += dense[r * columns + j] * v[j * classes + c]
      } else {
        for (let k = indptr![r]; k < indptr![r + 1]; k++) sum += data![k] * v[indices![k] * classes + c]
      }
      out[at + c] = sum
    }
  }

  private columnDot(i: number, w: Float64Array): number {
    const { classes } = this
    if (classes === 1) return this.columns.dot(i, w)
    const j = Math.floor(i / classes)
    return this.columns.dot(j, w, classes, i - j * classes)
  }

  /** out = Aᵀ w */
  private *transposed(w: Float64Array, out: Float64Array): Flow<void> {
    let work = 0
    for (let i = 0; i < this.n; i++) {
      out[i] = this.columnDot(i, w)
      work += this.columns.length(Math.floor(i / this.classes))
      if (work < entriesPerLook) continue
      work = 0
      if (this.watch.due()) yield
    }
  }

  *gradientScale(): Flow<number> {
    const margins = new Float64Array(this.m * this.classes)
    const slopes = new Float64Array(this.m * this.classes)
    const out = new Float64Array(this.n)
    for (let r = 0; r < this.m; r++) this.loss.evaluate(r, margins, slopes, r * this.classes)
    yield* this.transposed(slopes, out)
    return out.reduce((most, g) => Math.max(most, Math.abs(g)), 0)
  }

  *blockGradient(block: Int32Array, size: number, out: Float64Array): Flow<void> {
    for (let a = 0; a < size; a++) {
      const i = block[a]
      out[a] = this.tracks ? this.gradient[i] : this.columnDot(i, this.slopes) + this.data.l2 * this.x[i]
    }
  }

  bound(block: Int32Array, size: number, out: Float64Array): Flow<void> {
    return this.block(block, size, false, out)
  }

  hessian(block: Int32Array, size: number, out: Float64Array): Flow<void> {
    return this.block(block, size, !this.quadratic, out)
  }

  private *block(block: Int32Array, size: number, weighted: boolean, out: Float64Array): Flow<void> {
    const { columns, classes, scattered: own, loss, slopes } = this
    // Of one margin the weights go into the column, of several there is one for each pair.
    const folds = weighted && classes === 1
    for (let a = 0; a < size; a++) {
      const j = Math.floor(block[a] / classes)
      const c = block[a] - j * classes
      columns.each(j, (r, value) => {
        own[r] = folds ? value * loss.second(r, slopes, 0, 0) : value
      })
      for (let b = 0; b <= a; b++) {
        const other = Math.floor(block[b] / classes)
        const d = block[b] - other * classes
        let sum = 0
        if (weighted && !folds) {
          columns.each(other, (r, value) => {
            if (own[r] !== 0) sum += value * own[r] * loss.second(r, slopes, c, d)
          })
        } else {
          sum = !weighted && other === j ? this.squares[j] : columns.dot(other, own)
          if (!weighted) sum *= loss.bound(c, d)
        }
        if (a === b) sum += this.data.l2
        out[a * size + b] = sum
        out[b * size + a] = sum
      }
      columns.each(j, (r) => {
        own[r] = 0
      })
      if (this.watch.due()) yield
    }
  }

  sparseBlock(block: Int32Array, size: number, place: Int32Array, current: boolean, out: SparseBlock): Flow<void> {
    return this.pairs.block(block, size, place, current && !this.quadratic ? this.slopes : null, out)
  }

  *product(v: Float64Array, current: boolean, out: Float64Array): Flow<void> {
    const { m, classes, moved, sum, loss, slopes } = this
    for (let r = 0; r < m; r++) {
      this.rowProduct(r, v, sum, 0)
      for (let c = 0; c < classes; c++) {
        let weighted = 0
        for (let d = 0; d < classes; d++) {
          weighted += (current ? loss.second(r, slopes, c, d) : loss.bound(c, d)) * sum[d]
        }
        moved[r * classes + c] = weighted
      }
    }
    yield* this.transposed(moved, out)
    moved.fill(0)
    if (this.data.l2 > 0) for (let i = 0; i < this.n; i++) out[i] += this.data.l2 * v[i]
  }

  /** One coordinate of a sum of squares whose gradient nobody follows: the slopes alone move. */
  private isSingle(size: number): boolean {
    return this.quadratic && !this.tracks && size === 1
  }

  private touch(r: number): void {
    if (this.isTouched[r] === 1) return
    this.isTouched[r] = 1
    this.touched[this.touchedCount++] = r
  }

  private untouch(): void {
    const { touched, moved, isTouched, classes } = this
    for (let t = 0; t < this.touchedCount; t++) {
      isTouched[touched[t]] = 0
      for (let c = 0; c < classes; c++) moved[touched[t] * classes + c] = 0
    }
    this.touchedCount = 0
  }

  *trial(block: Int32Array, size: number, g: Float64Array, d: Float64Array): Flow<number> {
    const { columns, classes, moved, margins, x, data, loss, lipschitz } = this
    this.untouch()
    if (this.isSingle(size)) return d[0] * (g[0] + 0.5 * d[0] * lipschitz[block[0]])
    let change = 0
    for (let a = 0; a < size; a++) {
      if (d[a] === 0) continue
      const i = block[a]
      const j = Math.floor(i / classes)
      columns.each(j, (r) => this.touch(r))
      columns.add(j, d[a], moved, classes, i - j * classes)
      change += this.quadratic ? d[a] * (g[a] + 0.5 * data.l2 * d[a]) : data.l2 * d[a] * (x[i] + 0.5 * d[a])
    }
    for (let t = 0; t < this.touchedCount; t++) {
      const r = this.touched[t]
      if (this.quadratic) {
        change += 0.5 * moved[r] * moved[r]
        continue
      }
      const from = r * classes
      for (let c = 0; c < classes; c++) moved[from + c] += margins[from + c]
      change += loss.evaluate(r, moved, this.slopeChange, 0) - this.losses[r]
      for (let c = 0; c < classes; c++) moved[from + c] -= margins[from + c]
    }
    if (this.watch.due()) yield
    return change
  }

  *accept(block: Int32Array, size: number, d: Float64Array): Flow<void> {
    const { gradient, data, columns } = this
    if (this.isSingle(size)) {
      columns.add(block[0], d[0], this.slopes)
      return
    }
    for (let t = 0; t < this.touchedCount; t++) {
      this.moveRow(this.touched[t])
      if (this.tracks) this.addRow(this.touched[t])
      if ((t & 63) === 0 && this.watch.due()) yield
    }
    if (this.tracks && data.l2 > 0) for (let a = 0; a < size; a++) gradient[block[a]] += data.l2 * d[a]
    this.untouch()
  }

  /** Takes the move of row r; what its slopes change by is left in `slopeChange`. */
  private moveRow(r: number): void {
    const { classes, moved, margins, slopes, slopeChange } = this
    const from = r * classes
    if (this.quadratic) {
      margins[r] += moved[r]
      slopes[r] += moved[r]
      slopeChange[0] = moved[r]
      return
    }
    for (let c = 0; c < classes; c++) {
      margins[from + c] += moved[from + c]
      slopeChange[c] = -slopes[from + c]
    }
    this.losses[r] = this.loss.evaluate(r, margins, slopes, from)
    for (let c = 0; c < classes; c++) slopeChange[c] += slopes[from + c]
  }

  /** gradient += a_r slopeChangeᵀ */
  private addRow(r: number): void {
    const { classes, slopeChange, gradient } = this
    const { dense, indptr, indices, data, columns } = this.matrix
    for (let c = 0; c < classes; c++) {
      const change = slopeChange[c]
      if (change === 0) continue
      if (dense !== null) {
        const at = r * columns
        for (let j = 0; j < columns; j++) gradient[j * classes + c] += change * dense[at + j]
      } else {
        for (let k = indptr![r]; k < indptr![r + 1]; k++) gradient[indices![k] * classes + c] += change * data![k]
      }
    }
  }

  rowSums(): Flow<Float64Array> {
    return this.pairs.rowSums()
  }

  graph(): Flow<Graph> {
    return this.pairs.graph()
  }
}
