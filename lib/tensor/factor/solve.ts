import { kernelsFor } from '../backend.js'
import { batchOf } from '../batch.js'
import { mul, neg, sub } from '../elementwise.js'
import { matmul } from '../matmul.js'
import type { Primitive } from '../primitive.js'
import { sum, sumTo } from '../reduce.js'
import { reshape } from '../shape.js'
import { blank, type Tensor } from '../tensor.js'
import { apply, concrete } from '../trace.js'
import { LuFactors } from './lu.js'
import { asGiven, checkSquare, checkSystem, countOf, identityLike, layoutOf } from './matrices.js'

interface Kind {
  name: string
  transpose: boolean
  lu: LuFactors
}

const solvePrimitive: Primitive<Kind> = {
  name: 'solve',
  evaluate([a, b], { name, transpose, lu }) {
    const { batch, count, strideA, strideB } = layoutOf(a, b)
    const [n, columns] = b.shape.slice(-2)
    const out = blank(a.dtype, [...batch, n, columns])
    if (out.size === 0) return out
    const { factors, permutation } = lu.of(name, a, true)
    kernelsFor(a.dtype, Math.max(a.size, out.size)).luSolve(
      ...([out.data, factors, permutation, b.data, count, n, columns] as const),
      ...([transpose, strideA, strideB] as const),
    )
    return out
  },
  jvp([a], [u, v], x, kind) {
    if (u === undefined) return v === undefined ? undefined : solved(a, v, kind)
    const moved = matmul(u, x, { transposeA: kind.transpose })
    return solved(a, v === undefined ? neg(moved) : sub(v, moved), kind)
  },
  vjp(g, [a, b], x, kind, needs) {
    const right = solved(a, g, { ...kind, transpose: !kind.transpose })
    const left = (): Tensor =>
      kind.transpose ? matmul(x, right, { transposeB: true }) : matmul(right, x, { transposeB: true })
    return [needs[0] ? neg(sumTo(left(), a.shape)) : undefined, needs[1] ? sumTo(right, b.shape) : undefined]
  },
}

function solved(a: Tensor, b: Tensor, kind: Kind): Tensor {
  return apply(solvePrimitive, [a, b], kind)
}

export interface SolveOptions {
  /** Solve Aᵀ X = B. Default false. */
  transpose?: boolean
}

/**
 * X with A X = B, by LU with row exchanges, in batches, which broadcast; a vector b counts as one column. Derivatives use
 * the factors again. Matrices that are nearly singular give what the factors give: check the residual.
 *
 * @throws ExtremaError `ERR_SINGULAR` where a pivot is exactly 0, `ERR_SHAPE` where the sizes do not fit, `ERR_DTYPE` for
 *   int32 and different dtypes
 */
export function solve(a: Tensor, b: Tensor, { transpose = false }: SolveOptions = {}): Tensor {
  const system = checkSystem('solve', a, b)
  return asGiven(solved(system.a, system.b, { name: 'solve', transpose, lu: new LuFactors() }), system.vector)
}

/** log |det A|: the sum over the pivots. */
const logAbsPrimitive: Primitive<LuFactors> = {
  name: 'slogdet',
  evaluate([a], lu) {
    const n = a.shape[a.rank - 1]
    const out = blank(a.dtype, batchOf(a))
    const { factors } = lu.of('slogdet', a, false)
    for (let p = 0; p < out.size; p++) {
      let total = 0
      for (let i = 0; i < n; i++) total += Math.log(Math.abs(factors[(p * n + i) * n + i]))
      out.data[p] = total
    }
    return out
  },
  jvp([a], [v], _out, lu) {
    return v === undefined ? undefined : sum(mul(inverseTranspose(a, lu), v), [-2, -1])
  },
  vjp: (g, [a], _out, lu) => [mul(reshape(g, [...g.shape, 1, 1]), inverseTranspose(a, lu))],
}

function inverseTranspose(a: Tensor, lu: LuFactors): Tensor {
  return solved(a, identityLike(a), { name: 'slogdet', transpose: true, lu })
}

/** The sign of a permutation times those of the pivots; 0 where a pivot is. */
function signs(a: Tensor, lu: LuFactors): Tensor {
  const n = a.shape[a.rank - 1]
  const { factors, permutation } = lu.of('slogdet', a, false)
  const out = blank(a.dtype, batchOf(a))
  for (let p = 0; p < countOf(a); p++) {
    let sign = 1
    const order = permutation.slice(p * n, (p + 1) * n)
    for (let i = 0; i < n; i++) {
      sign *= Math.sign(factors[(p * n + i) * n + i])
      while (order[i] !== i) {
        const to = order[i]
        order[i] = order[to]
        order[to] = to
        sign = -sign
      }
    }
    out.data[p] = sign
  }
  return out
}

export interface SignedLogdet {
  /** -1, 0 or 1, a constant for derivatives. */
  sign: Tensor
  /** log |det A|, -∞ for a singular matrix. */
  logAbs: Tensor
}

/**
 * The determinants of square matrices by LU: det A = sign exp(logAbs).
 *
 * @throws ExtremaError `ERR_SINGULAR` from the derivatives of a singular matrix, `ERR_SHAPE` for one that is not square
 */
export function slogdet(a: Tensor): SignedLogdet {
  const lu = new LuFactors()
  const logAbs = apply(logAbsPrimitive, [checkSquare('slogdet', a)], lu)
  return { sign: signs(concrete(a), lu), logAbs }
}

/**
 * The inverses of square matrices. To solve systems, `solve` is faster and more accurate.
 *
 * @throws ExtremaError as `solve`
 */
export function inverse(a: Tensor): Tensor {
  const kind = { name: 'inverse', transpose: false, lu: new LuFactors() }
  return solved(checkSquare('inverse', a), identityLike(a), kind)
}
