import type { DescentData, MatrixData } from '../../descent.js'
import type { Columns } from './columns.js'
import type { Flow, Watch } from './flow.js'
import type { Graph, SparseBlock } from './model.js'
import type { RowLoss } from './row-loss.js'

/** Which coordinates meet in rows of A, and what the Hessian of a sum over rows has there. */
export class Pairs {
  private readonly matrix: MatrixData
  private readonly classes: number
  private readonly n: number
  private links: Graph | undefined

  constructor(
    private readonly data: DescentData,
    private readonly columns: Columns,
    private readonly loss: RowLoss,
    private readonly watch: Watch,
  ) {
    this.matrix = data.matrix
    this.classes = data.classes
    this.n = data.matrix.columns * data.classes
  }

  /** f(r, A_rj, other feature, A_r,other) over the rows of feature j. */
  private each(j: number, f: (r: number, value: number, feature: number, entry: number) => void): void {
    const { dense, indptr, indices, data, columns } = this.matrix
    this.columns.each(j, (r, value) => {
      if (dense !== null) {
        for (let other = 0; other < columns; other++) f(r, value, other, dense[r * columns + other])
      } else {
        for (let e = indptr![r]; e < indptr![r + 1]; e++) f(r, value, indices![e], data![e])
      }
    })
  }

  *graph(): Flow<Graph> {
    if (this.links !== undefined) return this.links
    const { matrix, classes } = this
    const indptr = new Int32Array(this.n + 1)
    const seen = new Int32Array(matrix.columns).fill(-1)
    const list: number[] = []
    const found: number[] = []
    for (let j = 0; j < matrix.columns; j++) {
      list.length = 0
      this.each(j, (_r, _value, feature, entry) => {
        if (seen[feature] === j || (matrix.dense !== null && entry === 0)) return
        seen[feature] = j
        list.push(feature)
      })
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

  /** Σ_j |H_ij| of the bound. */
  *rowSums(): Flow<Float64Array> {
    const { matrix, classes, loss } = this
    const out = new Float64Array(this.n)
    const sums = new Float64Array(matrix.columns)
    let across = 0
    for (let c = 0; c < classes; c++) across += Math.abs(loss.bound(0, c))
    for (let j = 0; j < matrix.columns; j++) {
      sums.fill(0)
      this.each(j, (_r, value, feature, entry) => {
        sums[feature] += value * entry
      })
      const sum = sums.reduce((total, s) => total + Math.abs(s), 0)
      for (let c = 0; c < classes; c++) out[j * classes + c] = across * sum + this.data.l2
      if (this.watch.due()) yield
    }
    return out
  }

  /** Of the Hessian at these slopes, or of the bound where they are null. */
  *block(
    block: Int32Array,
    size: number,
    place: Int32Array,
    slopes: Float64Array | null,
    out: SparseBlock,
  ): Flow<void> {
    const { classes, loss } = this
    const sums = new Float64Array(size)
    const seen = new Uint8Array(size)
    const list: number[] = []
    let count = 0
    for (let a = 0; a < size; a++) {
      const j = Math.floor(block[a] / classes)
      const c = block[a] - j * classes
      list.length = 0
      this.each(j, (r, value, feature, entry) => {
        for (let d = 0; d < classes; d++) {
          const b = place[feature * classes + d]
          if (b < 0) continue
          if (seen[b] === 0) {
            seen[b] = 1
            list.push(b)
            sums[b] = 0
          }
          sums[b] += value * entry * (slopes !== null ? loss.second(r, slopes, c, d) : loss.bound(c, d))
        }
      })
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
}
