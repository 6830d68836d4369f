import { ExtremaError } from '../../core/errors.js'
import { add, mul, sub } from '../elementwise.js'
import { matmul } from '../matmul.js'
import { shapeText, type Tensor } from '../tensor.js'
import { concrete } from '../trace.js'
import { checkFinite, checkSquare, countOf, identityLike } from './matrices.js'
import { solve } from './solve.js'

/** Coefficients of the numerator of the diagonal Padé approximant of degree 13 of exp. */
const pade = [
  ...[64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600],
  ...[670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1],
]
/** Up to this 1-norm the approximant is right to rounding errors of float64. */
const reach = 5.371920351148152

/**
 * The exponentials of square matrices: the Padé approximant of degree 13 of A / 2^s, squared s times, with one s for the
 * whole batch. Made of differentiable operations, so that every derivative works.
 *
 * Source: N. J. Higham, The scaling and squaring method for the matrix exponential revisited, SIAM J. Matrix Anal. Appl.
 * 26 (2005), 1179-1193, algorithm 2.3.
 *
 * @throws ExtremaError `ERR_NOT_FINITE` for entries that are not finite and results out of range, `ERR_SHAPE` for a matrix
 *   that is not square
 */
export function matrixExp(a: Tensor): Tensor {
  checkSquare('matrixExp', a)
  if (a.size === 0) return a
  const plain = concrete(a)
  checkFinite('matrixExp', plain)
  const squarings = Math.max(0, Math.ceil(Math.log2(largestNorm(plain) / reach)))
  // Twice, since a power of two alone may be out of range.
  const half = Math.floor(squarings / 2)
  const x = squarings === 0 ? a : mul(2 ** -half, mul(2 ** (half - squarings), a))
  let result = approximant(x)
  for (let k = 0; k < squarings; k++) result = matmul(result, result)
  if (concrete(result).data.every(Number.isFinite)) return result
  throw new ExtremaError(
    'ERR_NOT_FINITE',
    `matrixExp: expected a result within the range of ${a.dtype}, got an overflow for shape ${shapeText(a.shape)}`,
  )
}

function approximant(a: Tensor): Tensor {
  const one = identityLike(a)
  const a2 = matmul(a, a)
  const a4 = matmul(a2, a2)
  const a6 = matmul(a4, a2)
  const powers = [one, a2, a4, a6]
  /** Σ b_k A^(2 (k - from)) over the coefficients from, from + 2, … */
  const series = (from: number, count: number, first: number): Tensor =>
    powers
      .slice(first, first + count)
      .map((power, k) => mul(pade[from + 2 * k], power))
      .reduce((total, part) => add(total, part))
  const odd = matmul(a, add(matmul(a6, series(9, 3, 1)), series(1, 4, 0)))
  const even = add(matmul(a6, series(8, 3, 1)), series(0, 4, 0))
  return solve(sub(even, odd), add(even, odd))
}

/** The largest sum of a column, in magnitude. */
function largestNorm(a: Tensor): number {
  const n = a.shape[a.rank - 1]
  let most = 0
  for (let p = 0; p < countOf(a); p++) {
    for (let j = 0; j < n; j++) {
      let total = 0
      for (let i = 0; i < n; i++) total += Math.abs(a.data[(p * n + i) * n + j])
      most = Math.max(most, total)
    }
  }
  return most
}
