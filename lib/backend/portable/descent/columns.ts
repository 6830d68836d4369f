import type { MatrixData } from '../../descent.js'

/** A matrix by its columns: compressed, or dense with each column contiguous. */
export class Columns {
  private readonly isDense: boolean
  private readonly start: Int32Array
  private readonly where: Int32Array
  private readonly values: Float64Array

  constructor({ rows, columns, dense, indptr, indices, data }: MatrixData) {
    this.isDense = dense !== null
    this.start = new Int32Array(columns + 1)
    if (dense !== null) {
      this.where = new Int32Array(0)
      this.values = new Float64Array(rows * columns)
      for (let r = 0; r < rows; r++) {
        for (let j = 0; j < columns; j++) this.values[j * rows + r] = dense[r * columns + j]
      }
      for (let j = 0; j < columns; j++) this.start[j + 1] = (j + 1) * rows
      return
    }
    const nonzeros = indptr![rows]
    const { start } = this
    for (let k = 0; k < nonzeros; k++) start[indices![k] + 1]++
    for (let j = 0; j < columns; j++) start[j + 1] += start[j]
    const at = start.slice(0, columns)
    this.where = new Int32Array(nonzeros)
    this.values = new Float64Array(nonzeros)
    for (let r = 0; r < rows; r++) {
      for (let k = indptr![r]; k < indptr![r + 1]; k++) {
        const place = at[indices![k]]++
        this.where[place] = r
        this.values[place] = data![k]
      }
    }
  }

  length(j: number): number {
    return this.start[j + 1] - this.start[j]
  }

  /** Σ_r A_rj w[r · stride + offset] */
  dot(j: number, w: Float64Array, stride = 1, offset = 0): number {
    const { isDense, start, where, values } = this
    let sum = 0
    if (isDense) {
      for (let e = start[j], at = offset; e < start[j + 1]; e++, at += stride) sum += values[e] * w[at]
    } else {
      for (let e = start[j]; e < start[j + 1]; e++) sum += values[e] * w[where[e] * stride + offset]
    }
    return sum
  }

  /** out[r · stride + offset] += factor A_rj */
  add(j: number, factor: number, out: Float64Array, stride = 1, offset = 0): void {
    const { isDense, start, where, values } = this
    if (isDense) {
      for (let e = start[j], at = offset; e < start[j + 1]; e++, at += stride) out[at] += factor * values[e]
    } else {
      for (let e = start[j]; e < start[j + 1]; e++) out[where[e] * stride + offset] += factor * values[e]
    }
  }

  /** f(r, A_rj) over the entries of column j; not those that are 0 where it is dense. */
  each(j: number, f: (r: number, value: number) => void): void {
    const { isDense, start, where, values } = this
    for (let e = start[j]; e < start[j + 1]; e++) {
      if (!isDense) f(where[e], values[e])
      else if (values[e] !== 0) f(e - start[j], values[e])
    }
  }
}
