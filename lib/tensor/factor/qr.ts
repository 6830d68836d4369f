import { ExtremaError } from '../../core/errors.js'
import { kernelsFor } from '../backend.js'
import { batchOf } from '../batch.js'
import { checkFloat } from '../broadcast.js'
import { add, sub, sumOf } from '../elementwise.js'
import { concat } from '../index-ops.js'
import { matmul } from '../matmul.js'
import type { MultiPrimitive } from '../primitive.js'
import { matrixTranspose, type Range, slice } from '../shape.js'
import { blank, shapeText, type Tensor, zerosLike } from '../tensor.js'
import { applyMany } from '../trace.js'
import { checkFinite, countOf, triangleOf } from './matrices.js'
import { triangularSolve } from './triangular-solve.js'

// Rules of tall matrices of full rank: S. F. Walter and L. Lehmann, Algorithmic differentiation of linear algebra functions
// with application in optimum experimental design, arXiv 1001.1654 (2010).
const qrPrimitive: MultiPrimitive<null> = {
  name: 'qr',
  evaluate([a]) {
    const [m, n] = a.shape.slice(-2)
    const q = blank(a.dtype, a.shape)
    const r = blank(a.dtype, [...batchOf(a), n, n])
    if (a.size === 0) return [q, r]
    checkFinite('qr', a)
    kernelsFor(a.dtype, a.size).qr(q.data, r.data, a.data, countOf(a), m, n)
    return [q, r]
  },
  jvp(_inputs, [v], [q, r]) {
    if (v === undefined) return [undefined, undefined]
    // C = dA R⁻¹ and S = Qᵀ C; dQ = C - Q (S - Ω) with the skew Ω that has the lower triangle of S; dR = (S - Ω) R.
    const c = timesInverse(v, r, false)
    const s = matmul(q, c, { transposeA: true })
    const lower = triangleOf(s, 'strictlyLower')
    const rest = sub(s, sub(lower, matrixTranspose(lower)))
    return [sub(c, matmul(q, rest)), matmul(rest, r)]
  },
  vjp([gq, gr], _inputs, [q, r]) {
    const first = gr === undefined ? undefined : matmul(r, gr, { transposeB: true })
    const second = gq === undefined ? undefined : matmul(gq, q, { transposeA: true })
    const m = second === undefined ? first : first === undefined ? sub(zerosLike(second), second) : sub(first, second)
    if (m === undefined) return [undefined]
    const symmetric = add(triangleOf(m, 'lower'), matrixTranspose(triangleOf(m, 'strictlyLower')))
    return [timesInverse(sumOf(gq, matmul(q, symmetric)) as Tensor, r, true)]
  },
}

/** X R⁻¹ or X R⁻ᵀ */
function timesInverse(x: Tensor, r: Tensor, transpose: boolean): Tensor {
  return matrixTranspose(triangularSolve(r, matrixTranspose(x), { lower: false, transpose: !transpose }))
}

export interface Qr {
  /** Of m × k with orthonormal columns, k = min(m, n). */
  q: Tensor
  /** Of k × n, upper triangular; its diagonal is not negative. */
  r: Tensor
}

/**
 * A = Q R for matrices of m × n, in batches. Derivatives are those of matrices whose first k columns are independent: the
 * triangular system behind them is an `ERR_SINGULAR` otherwise. Computed in float64 for float32 too.
 *
 * @throws ExtremaError `ERR_NOT_FINITE`, `ERR_SHAPE` for fewer than two axes
 */
export function qr(a: Tensor): Qr {
  checkFloat('qr', a)
  if (a.rank < 2) throw new ExtremaError('ERR_SHAPE', `qr: expected matrices, got shape ${shapeText(a.shape)}`)
  const [m, n] = a.shape.slice(-2)
  const all: Range[] = new Array(a.rank - 1).fill(undefined)
  // The columns behind the first m only turn with Q.
  const [q, r] = applyMany(qrPrimitive, [m >= n ? a : slice(a, [...all, [0, m]])], null)
  if (m >= n) return { q, r }
  return { q, r: concat([r, matmul(q, slice(a, [...all, [m, n]]), { transposeA: true })], -1) }
}
