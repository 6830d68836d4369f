import { ExtremaError } from '../../core/errors.js'
import { kernelsFor } from '../backend.js'
import { log, mul } from '../elementwise.js'
import { matmul } from '../matmul.js'
import type { Primitive } from '../primitive.js'
import { sum } from '../reduce.js'
import { matrixTranspose } from '../shape.js'
import { blank, type Tensor } from '../tensor.js'
import { apply } from '../trace.js'
import { checkSquare, countOf, diagonal, placeText, symmetrized, triangleOf } from './matrices.js'
import { triangularSolve } from './triangular-solve.js'

// Rules: I. Murray, Differentiation of the Cholesky decomposition, arXiv 1602.07527 (2016), equations 8 and 9, with Φ the
// lower triangle whose diagonal is halved.
const choleskyPrimitive: Primitive<null> = {
  name: 'cholesky',
  evaluate([a]) {
    const out = blank(a.dtype, a.shape)
    if (out.size === 0) return out
    const n = a.shape[a.rank - 1]
    const place = kernelsFor(a.dtype, a.size).cholesky(out.data, a.data, countOf(a), n)
    if (place < 0) return out
    const came = placeText(place, a)
    throw new ExtremaError(
      'ERR_NOT_POSITIVE',
      `cholesky: expected positive definite matrices, got one that is not: ${came}`,
    )
  },
  jvp(_inputs, [v], l) {
    if (v === undefined) return undefined
    const left = triangularSolve(l, symmetrized(v))
    return matmul(l, triangleOf(triangularSolve(l, matrixTranspose(left)), 'halfLower'))
  },
  vjp(g, _inputs, l) {
    const inner = triangleOf(matmul(l, g, { transposeA: true }), 'halfLower')
    const left = triangularSolve(l, inner, { transpose: true })
    return [symmetrized(triangularSolve(l, matrixTranspose(left), { transpose: true }))]
  },
}

/**
 * The lower triangular L with L Lᵀ = A and a positive diagonal, for a symmetric positive definite matrix or a batch. Only
 * the symmetric part of A counts, and gradients are symmetric.
 *
 * @throws ExtremaError `ERR_NOT_POSITIVE` for a matrix that is not positive definite, `ERR_SHAPE` for one that is not square
 */
export function cholesky(a: Tensor): Tensor {
  return apply(choleskyPrimitive, [checkSquare('cholesky', a)], null)
}

/**
 * A⁻¹ B by the factor L of A = L Lᵀ: two triangular systems. Batches broadcast; a vector counts as one column.
 *
 * @throws ExtremaError as `triangularSolve`
 */
export function choleskySolve(l: Tensor, b: Tensor): Tensor {
  return triangularSolve(l, triangularSolve(l, b), { transpose: true })
}

/**
 * log det A of symmetric positive definite matrices, one number for each, by `cholesky`.
 *
 * @throws ExtremaError as `cholesky`
 */
export function logdet(a: Tensor): Tensor {
  return mul(2, sum(log(diagonal(cholesky(checkSquare('logdet', a)))), -1))
}
