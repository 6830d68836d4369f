import { ExtremaError } from '../../core/errors.js'
import { kernelsFor } from '../backend.js'
import { batchOf } from '../batch.js'
import { checkFloat } from '../broadcast.js'
import { abs, add, lessEqual, mul, reciprocal, sub, sumOf, where } from '../elementwise.js'
import { matmul } from '../matmul.js'
import type { MaybeZero, MultiPrimitive } from '../primitive.js'
import { max } from '../reduce.js'
import { expandDims, matrixTranspose } from '../shape.js'
import { blank, scalar, shapeText, type Tensor } from '../tensor.js'
import { applyMany, concrete } from '../trace.js'
import { checkFinite, countOf, diagonal, epsilonOf, identityLike } from './matrices.js'

// Rules: J. Townsend, Differentiating the singular value decomposition (2016), for thin factors, with
// F_ij = 1 / (s_j² - s_i²).
const svdPrimitive: MultiPrimitive<null> = {
  name: 'svd',
  evaluate([a]) {
    const [m, n] = a.shape.slice(-2)
    const k = Math.min(m, n)
    const [u, s] = [blank(a.dtype, [...batchOf(a), m, k]), blank(a.dtype, [...batchOf(a), k])]
    const vt = blank(a.dtype, [...batchOf(a), k, n])
    if (a.size === 0) return [u, s, vt]
    checkFinite('svd', a)
    kernelsFor(a.dtype, a.size).svd(u.data, s.data, vt.data, a.data, countOf(a), m, n)
    return [u, s, vt]
  },
  jvp([a], [v], [u, s, vt]) {
    if (v === undefined) return [undefined, undefined, undefined]
    const [m, n] = a.shape.slice(-2)
    const left = matmul(u, v, { transposeA: true })
    const p = matmul(left, vt, { transposeB: true })
    const [gaps, row] = [inverseGaps(s), expandDims(s, s.rank - 1)]
    const column = expandDims(s, s.rank)
    const [after, before] = [mul(p, row), mul(column, p)]
    let du = matmul(u, mul(gaps, add(after, matrixTranspose(after))))
    let dvt = matmul(mul(gaps, add(before, matrixTranspose(before))), vt, { transposeA: true })
    if (m > n) {
      const image = matmul(v, vt, { transposeB: true })
      du = add(du, mul(sub(image, matmul(u, p)), expandDims(inverseOf(s), s.rank - 1)))
    }
    if (n > m) dvt = add(dvt, mul(expandDims(inverseOf(s), s.rank), sub(left, matmul(p, vt))))
    return [du, diagonal(p), dvt]
  },
  vjp([gu, gs, gvt], [a], [u, s, vt]) {
    const [m, n] = a.shape.slice(-2)
    const [row, column] = [expandDims(s, s.rank - 1), expandDims(s, s.rank)]
    let inner: MaybeZero =
      gs === undefined ? undefined : mul(expandDims(gs, gs.rank), identityLike(expandDims(s, s.rank - 1)))
    let outside: MaybeZero
    if (gu !== undefined) {
      const weights = mul(inverseGaps(s), matmul(u, gu, { transposeA: true }))
      inner = sumOf(inner, mul(add(weights, matrixTranspose(weights)), row))
      if (m > n) {
        const scaled = mul(gu, expandDims(inverseOf(s), s.rank - 1))
        outside = matmul(sub(scaled, matmul(u, matmul(u, scaled, { transposeA: true }))), vt)
      }
    }
    if (gvt !== undefined) {
      const weights = mul(inverseGaps(s), matmul(vt, gvt, { transposeB: true }))
      inner = sumOf(inner, mul(column, add(weights, matrixTranspose(weights))))
      if (n > m) {
        const scaled = mul(expandDims(inverseOf(s), s.rank), gvt)
        outside = sumOf(outside, matmul(u, sub(scaled, matmul(matmul(scaled, vt, { transposeB: true }), vt))))
      }
    }
    const inside = inner === undefined ? undefined : matmul(matmul(u, inner), vt)
    return [sumOf(inside, outside)]
  },
}

/** What counts as 0 beside the largest value: its rounding errors. */
function limitOf(s: Tensor): Tensor {
  return mul(max(abs(concrete(s)), -1, { keepDims: true }), s.shape[s.rank - 1] * epsilonOf(s.dtype))
}

/** 1 / s, 0 for the values that are 0 to rounding errors of the largest. */
function inverseOf(s: Tensor): Tensor {
  if (s.size === 0) return s
  const none = lessEqual(s, limitOf(s))
  return where(none, 0, reciprocal(where(none, scalar(1, s.dtype), s)))
}

/** F_ij = 1 / ((s_j - s_i) (s_j + s_i)), 0 where the two are equal, or 0, to rounding errors of the largest. */
function inverseGaps(s: Tensor): Tensor {
  const column = expandDims(s, s.rank)
  const row = matrixTranspose(column)
  if (s.size === 0) return sub(row, column)
  const limit = expandDims(limitOf(s), s.rank)
  const [gap, total] = [sub(row, column), add(row, column)]
  const none = add(lessEqual(abs(concrete(gap)), limit), lessEqual(total, limit))
  const one = scalar(1, s.dtype)
  return where(none, 0, reciprocal(where(none, one, mul(gap, total))))
}

export interface Svd {
  /** Of m × k with orthonormal columns, k = min(m, n). The first of the largest entries of each is positive. */
  u: Tensor
  /** Descending, k for each matrix. */
  s: Tensor
  /** Of k × n with orthonormal rows. */
  vt: Tensor
}

/**
 * The thin singular value decomposition A = U diag(s) Vᵀ of matrices, in batches. Vectors of equal values are not
 * determined; in derivatives such pairs (equal to k ε of the largest) count as if they could not mix, and values that are 0
 * so far have no inverse. Computed in float64 for float32 too.
 *
 * @throws ExtremaError `ERR_NOT_FINITE`, `ERR_SHAPE` for fewer than two axes
 */
export function svd(a: Tensor): Svd {
  checkFloat('svd', a)
  if (a.rank < 2) throw new ExtremaError('ERR_SHAPE', `svd: expected matrices, got shape ${shapeText(a.shape)}`)
  const [u, s, vt] = applyMany(svdPrimitive, [a], null)
  return { u, s, vt }
}
