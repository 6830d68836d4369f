import { ExtremaError } from '../../../core/errors.js'
import type { CsrData } from '../../linear-sparse.js'
import { type Step, segment, type Watch } from './step.js'

/** A = D + L + U by rows: where the diagonal of each row is, and its inverse. */
export class Split {
  readonly diagonal: Int32Array
  readonly inverse: Float64Array

  /** Refuses a row without a diagonal > 0, or other than 0 if negative ones may pass. */
  constructor(
    readonly matrix: CsrData,
    isPositive: boolean,
    private readonly monitor: Watch,
  ) {
    const { rows, indptr, indices, data } = matrix
    this.diagonal = new Int32Array(rows)
    this.inverse = new Float64Array(rows)
    for (let i = 0; i < rows; i++) {
      let low = indptr[i]
      for (let high = indptr[i + 1]; low < high; ) {
        const middle = (low + high) >> 1
        if (indices[middle] < i) low = middle + 1
        else high = middle
      }
      const value = low < indptr[i + 1] && indices[low] === i ? data[low] : 0
      if (isPositive ? !(value > 0) : value === 0) {
        const place = `matrix[${i}][${i}]: expected`
        if (isPositive) {
          throw new ExtremaError('ERR_NOT_POSITIVE', `${place} a positive diagonal, got ${value}`)
        }
        throw new ExtremaError('ERR_SINGULAR', `${place} a diagonal other than 0, got ${value}`)
      }
      this.diagonal[i] = low
      this.inverse[i] = 1 / value
    }
  }

  /** out_i = (r_i - factor sum_{j<i} a_ij out_j) inverse_i */
  *forward(r: Float64Array, factor: number, out: Float64Array): Step<void> {
    const { diagonal, inverse, monitor } = this
    const { rows, indptr, indices, data } = this.matrix
    for (let i = 0; i < rows; i++) {
      let sum = 0
      for (let k = indptr[i]; k < diagonal[i]; k++) sum += data[k] * out[indices[k]]
      out[i] = (r[i] - factor * sum) * inverse[i]
      if (i % segment === 0 && monitor.due()) yield
    }
  }

  /** out_i = r_i - factor inverse_i sum_{j>i} a_ij out_j; r may be out. */
  *backward(r: Float64Array, factor: number, out: Float64Array): Step<void> {
    const { diagonal, inverse, monitor } = this
    const { rows, indptr, indices, data } = this.matrix
    for (let i = rows - 1; i >= 0; i--) {
      let sum = 0
      for (let k = indptr[i + 1] - 1; k > diagonal[i]; k--) sum += data[k] * out[indices[k]]
      out[i] = r[i] - factor * inverse[i] * sum
      if (i % segment === 0 && monitor.due()) yield
    }
  }
}
