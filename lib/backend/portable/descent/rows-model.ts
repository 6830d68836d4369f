// biome-ignore-all lint/correctness/useYield: the methods of a model are generators, whether or not this one waits.
import type { DescentData, MatrixData } from '../../descent.js'
import { type Columns, columnsOf } from './columns.js'
import type { Flow, Watch } from './flow.js'
import type { Graph, Model, SparseBlock } from './model.js'

const entriesPerLook = 1 << 15

/** log(1 + exp(z)) */
const softplus = (z: number) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))

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
  private readonly columns: Columns
  private readonly squares: Float64Array
  private readonly margins: Float64Array
  private readonly losses: Float64Array
  private readonly slopes: Float64Array
  private readonly moved: Float64Array
  private readonly newLosses: Float64Array
  private readonly slopeChange: Float64Array
  private readonly scattered: Float64Array
  private readonly touched: Int32Array
  private readonly isTouched: Uint8Array
  private touchedCount = 0
  private links: Graph | undefined
  private readonly sum: Float64Array

  constructor(
    private readonly data: DescentData,
    private readonly x: Float64Array,
    readonly tracks: boolean,
    private readonly watch: Watch,
  ) {
    const { matrix, classes, loss, l2 } = data
    const { rows, columns } = matrix
    this.m = rows
    this.classes = classes
    this.n = columns * classes
    this.matrix = matrix
    this.quadratic = loss === 'least-squares'
    this.columns = columnsOf(matrix)
    this.squares = new Float64Array(columns)
    for (let j = 0; j < columns; j++) this.squares[j] = this.columnProduct(j, j)
    this.lipschitz = new Float64Array(this.n)
    for (let i = 0; i < this.n; i++) {
      this.lipschitz[i] = this.squares[Math.floor(i / classes)] * this.boundWeight(0, 0) + l2
    }
    this.gradient = new Float64Array(this.n)
    this.margins = new Float64Array(rows * classes)
    this.losses = new Float64Array(rows)
    this.slopes = new Float64Array(rows * classes)
    this.moved = new Float64Array(rows * classes)
    this.newLosses = new Float64Array(rows)
    this.slopeChange = new Float64Array(classes)
    this.scattered = new Float64Array(rows)
    this.touched = new Int32Array(rows)
    this.isTouched = new Uint8Array(rows)
    this.sum = new Float64Array(classes)
  }

  /** Bound of the second derivative of φ in its outputs c and d: 1, ¼, ½ (δ - 1/k) (Böhning). */
  private boundWeight(c: number, d: number): number {
    if (this.data.loss === 'least-squares') return 1
    if (this.data.loss === 'logistic') return 0.25
    return 0.5 * ((c === d ? 1 : 0) - 1 / this.classes)
  }

  /** The second derivative itself. */
  private weight(r: number, c: number, d: number): number {
    const { loss, target } = this.data
    if (loss === 'least-squares') return 1
    const s = this.slopes[r * this.classes + c]
    if (loss === 'logistic') {
      const p = Math.abs(s)
      return p * (1 - p)
    }
    const p = s + (target[r] === c ? 1 : 0)
    const q = this.slopes[r * this.classes + d] + (target[r] === d ? 1 : 0)
    return c === d ? p * (1 - p) : -p * q
  }

  /** φ_r and its slopes at these margins. */
  private evaluate(r: number, margins: Float64Array, slopes: Float64Array, at: number): number {
    const { loss, target } = this.data
    const k = this.classes
    if (loss === 'least-squares') {
      const residual = margins[r] - target[r]
      slopes[at] = residual
      return 0.5 * residual * residual
    }
    if (loss === 'logistic') {
      const z = -target[r] * margins[r]
      slopes[at] = -target[r] / (1 + Math.exp(-z))
      return softplus(z)
    }
    const from = r * k
    let largest = margins[from]
    for (let c = 1; c < k; c++) largest = Math.max(largest, margins[from + c])
    let sum = 0
    for (let c = 0; c < k; c++) {
      const e = Math.exp(margins[from + c] - largest)
      slopes[at + c] = e
      sum += e
    }
    const own = target[r]
    for (let c = 0; c < k; c++) slopes[at + c] = slopes[at + c] / sum - (c === own ? 1 : 0)
    return largest - margins[from + own] + Math.log(sum)
  }

  private columnProduct(i: number, j: number): number {
    const { dense, indptr, indices, data } = this.columns
    let sum = 0
    if (dense !== null) {
      for (let r = 0, a = i * this.m, b = j * this.m; r < this.m; r++) sum += dense[a + r] * dense[b + r]
      return sum
    }
    if (i === j) {
      for (let k = indptr[i]; k < indptr[i + 1]; k++) sum += data[k] * data[k]
      return sum
    }
    for (let k = indptr[j]; k < indptr[j + 1]; k++) sum += data[k] * this.scattered[indices[k]]
    return sum
  }

  *refresh(): Flow<number> {
    const { m, classes, x, margins, matrix, data } = this
    const { dense, indptr, indices, columns } = matrix
    let value = 0
    let work = 0
    for (let r = 0; r < m; r++) {
      for (let c = 0; c < classes; c++) {
        let sum = 0
        if (dense !== null) {
          for (let j = 0; j < columns; j++) sum += dense[r * columns + j] * x[j * classes + c]
        } else {
          for (let k = indptr![r]; k < indptr![r + 1]; k++) sum += matrix.data![k] * x[indices![k] * classes + c]
        }
        margins[r * classes + c] = sum
      }
      this.losses[r] = this.evaluate(r, margins, this.slopes, r * classes)
      value += this.losses[r]
      work += classes * (dense !== null ? columns : indptr![r + 1] - indptr![r])
      if (work < entriesPerLook) continue
      work = 0
      if (this.watch.due()) yield
    }
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

  /** out = Aᵀ w */
  private *transposed(w: Float64Array, out: Float64Array): Flow<void> {
    let work = 0
    for (let i = 0; i < this.n; i++) {
      out[i] = this.columnDot(i, w)
      work += this.columnLength(Math.floor(i / this.classes))
      if (work < entriesPerLook) continue
      work = 0
      if (this.watch.due()) yield
    }
  }

  private columnLength(j: number): number {
    const { dense, indptr } = this.columns
    return dense !== null ? this.m : indptr[j + 1] - indptr[j]
  }

  private columnDot(i: number, w: Float64Array): number {
    const { dense, indptr, indices, data } = this.columns
    const k = this.classes
    const j = k === 1 ? i : Math.floor(i / k)
    const c = i - j * k
    let sum = 0
    if (dense !== null) {
      for (let r = 0, a = j * this.m; r < this.m; r++) sum += dense[a + r] * w[r * k + c]
    } else {
      for (let e = indptr[j]; e < indptr[j + 1]; e++) sum += data[e] * w[indices[e] * k + c]
    }
    return sum
  }

  *gradientScale(): Flow<number> {
    const margins = new Float64Array(this.m * this.classes)
    const slopes = new Float64Array(this.m * this.classes)
    const out = new Float64Array(this.n)
    for (let r = 0; r < this.m; r++) this.evaluate(r, margins, slopes, r * this.classes)
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

  private *block(block: Int32Array, size: number, current: boolean, out: Float64Array): Flow<void> {
    const { columns, classes, scattered } = this
    for (let a = 0; a < size; a++) {
      const j = Math.floor(block[a] / classes)
      const c = block[a] - j * classes
      this.scatter(j)
      for (let b = 0; b <= a; b++) {
        const other = Math.floor(block[b] / classes)
        const d = block[b] - other * classes
        let sum = 0
        if (!current) {
          sum = (other === j ? this.squares[j] : this.columnProduct(j, other)) * this.boundWeight(c, d)
        } else if (columns.dense !== null) {
          const at = other * this.m
          for (let r = 0; r < this.m; r++) sum += columns.data[at + r] * scattered[r] * this.weight(r, c, d)
        } else {
          for (let k = columns.indptr[other]; k < columns.indptr[other + 1]; k++) {
            const r = columns.indices[k]
            if (scattered[r] !== 0) sum += columns.data[k] * scattered[r] * this.weight(r, c, d)
          }
        }
        if (a === b) sum += this.data.l2
        out[a * size + b] = sum
        out[b * size + a] = sum
      }
      this.unscatter(j)
      if (this.watch.due()) yield
    }
  }

  private scatter(j: number): void {
    const { dense, indptr, indices, data } = this.columns
    if (dense !== null) {
      this.scattered.set(dense.subarray(j * this.m, (j + 1) * this.m))
    } else {
      for (let k = indptr[j]; k < indptr[j + 1]; k++) this.scattered[indices[k]] = data[k]
    }
  }

  private unscatter(j: number): void {
    const { dense, indptr, indices } = this.columns
    if (dense !== null) return
    for (let k = indptr[j]; k < indptr[j + 1]; k++) this.scattered[indices[k]] = 0
  }

  *sparseBlock(block: Int32Array, size: number, place: Int32Array, current: boolean, out: SparseBlock): Flow<void> {
    const { columns, classes, matrix } = this
    const isCurrent = current && !this.quadratic
    const sums = new Float64Array(size)
    const seen = new Uint8Array(size)
    const list: number[] = []
    let count = 0
    for (let a = 0; a < size; a++) {
      const j = Math.floor(block[a] / classes)
      const c = block[a] - j * classes
      list.length = 0
      const add = (r: number, value: number, feature: number, entry: number) => {
        for (let d = 0; d < classes; d++) {
          const b = place[feature * classes + d]
          if (b < 0) continue
          if (seen[b] === 0) {
            seen[b] = 1
            list.push(b)
            sums[b] = 0
          }
          sums[b] += value * entry * (isCurrent ? this.weight(r, c, d) : this.boundWeight(c, d))
        }
      }
      if (columns.dense !== null) {
        for (let r = 0; r < this.m; r++) {
          const value = columns.data[j * this.m + r]
          if (value === 0) continue
          for (let f = 0; f < matrix.columns; f++) add(r, value, f, matrix.dense![r * matrix.columns + f])
        }
      } else {
        for (let k = columns.indptr[j]; k < columns.indptr[j + 1]; k++) {
          const r = columns.indices[k]
          const value = columns.data[k]
          for (let e = matrix.indptr![r]; e < matrix.indptr![r + 1]; e++) {
            add(r, value, matrix.indices![e], matrix.data![e])
          }
        }
      }
      list.sort((p, q) => p - q)
      out.diagonal[a] = this.data.l2
      for (const b of list) {
        seen[b] = 0
        if (b === a) {
          out.diagonal[a] += sums[b]
        } else {
          out.indices[count] = b
          out.values[count++] = sums[b]
        }
      }
      out.indptr[a + 1] = count
      if (this.watch.due()) yield
    }
  }

  *product(v: Float64Array, current: boolean, out: Float64Array): Flow<void> {
    const { m, classes, matrix, moved, sum } = this
    const { dense, indptr, indices, columns } = matrix
    for (let r = 0; r < m; r++) {
      for (let c = 0; c < classes; c++) {
        sum[c] = 0
        if (dense !== null) {
          for (let j = 0; j < columns; j++) sum[c] += dense[r * columns + j] * v[j * classes + c]
        } else {
          for (let k = indptr![r]; k < indptr![r + 1]; k++) sum[c] += matrix.data![k] * v[indices![k] * classes + c]
        }
      }
      for (let c = 0; c < classes; c++) {
        let weighted = 0
        for (let d = 0; d < classes; d++) {
          weighted += (current ? this.weight(r, c, d) : this.boundWeight(c, d)) * sum[d]
        }
        moved[r * classes + c] = weighted
      }
    }
    yield* this.transposed(moved, out)
    moved.fill(0)
    if (this.data.l2 > 0) for (let i = 0; i < this.n; i++) out[i] += this.data.l2 * v[i]
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

  *trial(block: Int32Array, size: number, d: Float64Array): Flow<number> {
    const { columns, classes, moved, margins, x, data } = this
    this.untouch()
    let change = 0
    for (let a = 0; a < size; a++) {
      if (d[a] === 0) continue
      const j = Math.floor(block[a] / classes)
      const c = block[a] - j * classes
      if (columns.dense !== null) {
        for (let r = 0, at = j * this.m; r < this.m; r++) {
          this.touch(r)
          moved[r * classes + c] += d[a] * columns.data[at + r]
        }
      } else {
        for (let k = columns.indptr[j]; k < columns.indptr[j + 1]; k++) {
          const r = columns.indices[k]
          this.touch(r)
          moved[r * classes + c] += d[a] * columns.data[k]
        }
      }
      change += data.l2 * d[a] * (x[block[a]] + 0.5 * d[a])
    }
    for (let t = 0; t < this.touchedCount; t++) {
      const r = this.touched[t]
      if (this.quadratic) {
        // Without cancellation: (s + δ)²/2 - s²/2.
        change += moved[r] * (this.slopes[r] + 0.5 * moved[r])
        continue
      }
      for (let c = 0; c < classes; c++) moved[r * classes + c] += margins[r * classes + c]
      this.newLosses[r] = this.evaluate(r, moved, this.slopeChange, 0)
      change += this.newLosses[r] - this.losses[r]
      for (let c = 0; c < classes; c++) moved[r * classes + c] -= margins[r * classes + c]
    }
    if (this.watch.due()) yield
    return change
  }

  *accept(block: Int32Array, size: number, d: Float64Array): Flow<void> {
    const { classes, moved, margins, slopes, slopeChange, gradient, matrix, data } = this
    for (let t = 0; t < this.touchedCount; t++) {
      const r = this.touched[t]
      const from = r * classes
      if (this.quadratic) {
        margins[r] += moved[r]
        slopeChange[0] = moved[r]
        slopes[r] += moved[r]
      } else {
        for (let c = 0; c < classes; c++) {
          margins[from + c] += moved[from + c]
          slopeChange[c] = -slopes[from + c]
        }
        this.losses[r] = this.evaluate(r, margins, slopes, from)
        for (let c = 0; c < classes; c++) slopeChange[c] += slopes[from + c]
      }
      if (!this.tracks) continue
      for (let c = 0; c < classes; c++) {
        const change = slopeChange[c]
        if (change === 0) continue
        if (matrix.dense !== null) {
          const at = r * matrix.columns
          for (let j = 0; j < matrix.columns; j++) gradient[j * classes + c] += change * matrix.dense[at + j]
        } else {
          for (let k = matrix.indptr![r]; k < matrix.indptr![r + 1]; k++) {
            gradient[matrix.indices![k] * classes + c] += change * matrix.data![k]
          }
        }
      }
      if ((t & 63) === 0 && this.watch.due()) yield
    }
    if (this.tracks && data.l2 > 0) for (let a = 0; a < size; a++) gradient[block[a]] += data.l2 * d[a]
    this.untouch()
  }

  *rowSums(): Flow<Float64Array> {
    const { columns, matrix, classes, m } = this
    const features = matrix.columns
    const out = new Float64Array(this.n)
    const sums = new Float64Array(features)
    let across = 0
    for (let c = 0; c < classes; c++) across += Math.abs(this.boundWeight(0, c))
    for (let j = 0; j < features; j++) {
      sums.fill(0)
      if (columns.dense !== null) {
        for (let r = 0; r < m; r++) {
          const value = columns.data[j * m + r]
          if (value === 0) continue
          for (let f = 0, at = r * features; f < features; f++) sums[f] += value * matrix.dense![at + f]
        }
      } else {
        for (let k = columns.indptr[j]; k < columns.indptr[j + 1]; k++) {
          const r = columns.indices[k]
          for (let e = matrix.indptr![r]; e < matrix.indptr![r + 1]; e++) {
            sums[matrix.indices![e]] += columns.data[k] * matrix.data![e]
          }
        }
      }
      let sum = 0
      for (let f = 0; f < features; f++) sum += Math.abs(sums[f])
      for (let c = 0; c < classes; c++) out[j * classes + c] = across * sum + this.data.l2
      if (this.watch.due()) yield
    }
    return out
  }

  *graph(): Flow<Graph> {
    if (this.links !== undefined) return this.links
    const { columns, matrix, classes, m } = this
    const features = matrix.columns
    const indptr = new Int32Array(this.n + 1)
    const seen = new Int32Array(features).fill(-1)
    const list: number[] = []
    const found: number[] = []
    for (let j = 0; j < features; j++) {
      list.length = 0
      const meet = (f: number) => {
        if (seen[f] === j) return
        seen[f] = j
        list.push(f)
      }
      if (columns.dense !== null) {
        for (let r = 0; r < m; r++) {
          if (columns.data[j * m + r] === 0) continue
          for (let f = 0; f < features; f++) if (matrix.dense![r * features + f] !== 0) meet(f)
        }
      } else {
        for (let k = columns.indptr[j]; k < columns.indptr[j + 1]; k++) {
          const r = columns.indices[k]
          for (let e = matrix.indptr![r]; e < matrix.indptr![r + 1]; e++) meet(matrix.indices![e])
        }
      }
      list.sort((p, q) => p - q)
      for (let c = 0; c < classes; c++) {
        for (const f of list) {
          for (let d = 0; d < classes; d++) if (f !== j || d !== c) found.push(f * classes + d)
        }
        indptr[j * classes + c + 1] = found.length
      }
      if (this.watch.due()) yield
    }
    this.links = { indptr, indices: Int32Array.from(found) }
    return this.links
  }
}
