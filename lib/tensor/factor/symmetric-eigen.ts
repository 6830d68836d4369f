import { kernelsFor } from '../backend.js'
import { batchOf } from '../batch.js'
import { abs, add, lessEqual, mul, reciprocal, sub, where } from '../elementwise.js'
import { matmul } from '../matmul.js'
import type { MultiPrimitive } from '../primitive.js'
import { max } from '../reduce.js'
import { expandDims, matrixTranspose } from '../shape.js'
import { blank, scalar, type Tensor } from '../tensor.js'
import { applyMany, concrete } from '../trace.js'
import { checkFinite, checkSquare, countOf, diagonal, epsilonOf, identityLike, symmetrized } from './matrices.js'

// Rules: M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation (2008),
// section 3.1, on the symmetric part of A.
const eigenPrimitive: MultiPrimitive<null> = {
  name: 'symmetricEigen',
  evaluate([a]) {
    const n = a.shape[a.rank - 1]
    const values = blank(a.dtype, [...batchOf(a), n])
    const vectors = blank(a.dtype, a.shape)
    if (a.size === 0) return [values, vectors]
    checkFinite('symmetricEigen', a)
    kernelsFor(a.dtype, a.size).symmetricEigen(values.data, vectors.data, a.data, countOf(a), n)
    return [values, vectors]
  },
  jvp(_inputs, [v], [values, vectors]) {
    if (v === undefined) return [undefined, undefined]
    const turned = matmul(matmul(vectors, symmetrized(v), { transposeA: true }), vectors)
    return [diagonal(turned), matmul(vectors, mul(inverseGaps(values), turned))]
  },
  vjp([gValues, gVectors], [a], [values, vectors]) {
    const parts: Tensor[] = []
    if (gValues !== undefined) parts.push(mul(expandDims(gValues, -1), identityLike(a)))
    if (gVectors !== undefined) {
      parts.push(mul(inverseGaps(values), matmul(vectors, gVectors, { transposeA: true })))
    }
    if (parts.length === 0) return [undefined]
    const inner = parts.reduce((total, part) => add(total, part))
    return [symmetrized(matmul(matmul(vectors, inner), vectors, { transposeB: true }))]
  },
}

/** F_ij = 1 / (λ_j - λ_i), 0 where the two are equal to rounding errors of the largest. */
function inverseGaps(values: Tensor): Tensor {
  const column = expandDims(values, -1)
  const gaps = sub(matrixTranspose(column), column)
  const n = values.shape[values.rank - 1]
  if (n === 0) return gaps
  const size = expandDims(max(abs(concrete(values)), -1, { keepDims: true }), -1)
  const none = lessEqual(abs(concrete(gaps)), mul(size, n * epsilonOf(values.dtype)))
  return where(none, 0, reciprocal(where(none, scalar(1, values.dtype), gaps)))
}

export interface SymmetricEigen {
  /** Ascending. */
  values: Tensor
  /** Column k belongs to value k. The first of its largest entries is positive. */
  vectors: Tensor
}

/**
 * All eigenvalues and eigenvectors of symmetric matrices: A = V diag(λ) Vᵀ. Only the symmetric part of A counts. Vectors of
 * equal eigenvalues are not determined; in derivatives such pairs (equal to n ε of the largest) count as if they could not
 * mix, which is right for functions that do not depend on the choice. Computed in float64 for float32 too.
 *
 * @throws ExtremaError `ERR_NOT_FINITE`, `ERR_SHAPE` for a matrix that is not square
 */
export function symmetricEigen(a: Tensor): SymmetricEigen {
  const [values, vectors] = applyMany(eigenPrimitive, [checkSquare('symmetricEigen', a)], null)
  return { values, vectors }
}
