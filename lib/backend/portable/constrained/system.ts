import type { SystemMatrix } from '../../constrained.js'

/** Rows of a dense or sparse matrix: native/constrained/system.h, operation by operation. */
export class System {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
  readonly indices: Int32Array | null
  private readonly indptr: Int32Array | null

  constructor({ rows, columns, data, indptr, indices }: SystemMatrix) {
    this.rows = rows
    this.columns = columns
    this.data = data
    this.indptr = indptr
    this.indices = indices
  }

  get entries(): number {
    return this.indptr === null ? this.rows * this.columns : this.indptr[this.rows]
  }

  begin(i: number): number {
    return this.indptr === null ? i * this.columns : this.indptr[i]
  }

  end(i: number): number {
    return this.indptr === null ? (i + 1) * this.columns : this.indptr[i + 1]
  }

  dot(i: number, x: Float64Array): number {
    const { data, indices } = this
    const begin = this.begin(i)
    const end = this.end(i)
    if (indices === null) {
      // Four sums, as the native kernel has them.
      let [s0, s1, s2, s3] = [0, 0, 0, 0]
      let k = begin
      let j = 0
      for (; k + 4 <= end; k += 4, j += 4) {
        s0 += data[k] * x[j]
        s1 += data[k + 1] * x[j + 1]
        s2 += data[k + 2] * x[j + 2]
        s3 += data[k + 3] * x[j + 3]
      }
      for (; k < end; k++, j++) s0 += data[k] * x[j]
      return s0 + s1 + (s2 + s3)
    }
    let sum = 0
    for (let k = begin; k < end; k++) sum += data[k] * x[indices[k]]
    return sum
  }

  /** x += factor times row i */
  add(i: number, factor: number, x: Float64Array): void {
    const { data, indices } = this
    const begin = this.begin(i)
    const end = this.end(i)
    if (indices === null) {
      for (let k = begin, j = 0; k < end; k++, j++) x[j] += factor * data[k]
    } else {
      for (let k = begin; k < end; k++) x[indices[k]] += factor * data[k]
    }
  }

  /** Sets the entries of row i to zero in x. */
  clear(i: number, x: Float64Array): void {
    const { indices } = this
    if (indices === null) x.fill(0)
    else for (let k = this.begin(i); k < this.end(i); k++) x[indices[k]] = 0
  }

  squaredNorm(i: number): number {
    const { data } = this
    let sum = 0
    for (let k = this.begin(i); k < this.end(i); k++) sum += data[k] * data[k]
    return sum
  }

  multiply(x: Float64Array, out: Float64Array): void {
    for (let i = 0; i < this.rows; i++) out[i] = this.dot(i, x)
  }

  /** out = A z - b */
  residual(z: Float64Array, b: Float64Array, out: Float64Array): void {
    for (let i = 0; i < this.rows; i++) out[i] = this.dot(i, z) - b[i]
  }
}
