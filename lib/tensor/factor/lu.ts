import type { TensorData } from '../../backend/tensor.js'
import { ExtremaError } from '../../core/errors.js'
import { kernelsFor } from '../backend.js'
import type { Tensor } from '../tensor.js'
import { checkFinite, countOf, placeText } from './matrices.js'

/**
 * The factors of a matrix that an operation and its derivatives share: made by the first that asks, and only ever asked for
 * the same matrix.
 */
export class LuFactors {
  private factors: TensorData | undefined
  private permutation = new Int32Array(0)
  private failed = -1

  /** With ERR_SINGULAR if `regular` matrices are needed. */
  of(name: string, a: Tensor, regular: boolean): { factors: TensorData; permutation: Int32Array } {
    const n = a.shape[a.rank - 1]
    if (this.factors === undefined) {
      checkFinite(name, a)
      // Not from the arena, which may end before the last derivative.
      this.factors = a.dtype === 'float32' ? new Float32Array(a.size) : new Float64Array(a.size)
      this.permutation = new Int32Array(countOf(a) * n)
      this.failed = kernelsFor(a.dtype, a.size).luFactor(this.factors, this.permutation, a.data, countOf(a), n)
    }
    if (regular && this.failed >= 0) {
      const came = placeText(this.failed, a)
      throw new ExtremaError(
        'ERR_SINGULAR',
        `${name}: expected matrices that have an inverse, got one that has none: ${came}`,
      )
    }
    return { factors: this.factors, permutation: this.permutation }
  }
}
