import { type SymmetricEigen, symmetricEigen } from '../../backend/portable/linear/tridiagonal-eigen.js'
import { checkFinite, type MatrixLike, toDenseMatrix } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import type { Generator } from '../../random/index.js'

export type InitialDictionary = 'random' | 'dct' | MatrixLike

/** How far beyond 1 a spectral norm may be from rounding. */
const slack = 1e-8

/** The start, n × n with atoms in columns. */
export function startOf(initial: InitialDictionary | undefined, n: number, random: Generator): Float64Array {
  if (initial === undefined || initial === 'random') return randomOrthogonal(n, random)
  if (initial === 'dct') return cosines(n)
  if (typeof initial === 'string') {
    throw new ExtremaError('ERR_OPTION', `initial: expected 'random', 'dct' or a matrix, got ${describe(initial)}`)
  }
  const { data, rows, columns } = toDenseMatrix('initial', initial)
  if (rows !== n || columns !== n) {
    throw new ExtremaError('ERR_SHAPE', `initial: expected a ${n}×${n} matrix, got ${rows}×${columns}`)
  }
  const start = Float64Array.from(checkFinite('initial', data, { columns: n }))
  const norm = Math.sqrt(Math.max(0, eigen(gram(start, n), n).values[n - 1]))
  if (norm > 1 + slack) {
    throw new ExtremaError('ERR_OPTION', `initial: expected a matrix of spectral norm at most 1, got ${norm}`)
  }
  return start
}

/** {@link symmetricEigen}, here and now. */
export function eigen(matrix: Float64Array, n: number): SymmetricEigen {
  const work = symmetricEigen(matrix, n, { due: () => false })
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

function gram(a: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n)
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[i * n + j] += a[k * n + i] * a[k * n + j]
  }
  return out
}

/** Haar-distributed: the Q of a Gaussian matrix whose R has a positive diagonal, by Gram and Schmidt's method twice. */
export function randomOrthogonal(n: number, random: Generator): Float64Array {
  // Rows are made orthonormal; the distribution is that of the transpose.
  const q = random.normal(n * n)
  for (let i = 0; i < n; i++) {
    const own = q.subarray(i * n, (i + 1) * n)
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < i; k++) {
        let sum = 0
        for (let j = 0; j < n; j++) sum += own[j] * q[k * n + j]
        for (let j = 0; j < n; j++) own[j] -= sum * q[k * n + j]
      }
      let squares = 0
      for (const entry of own) squares += entry * entry
      const factor = 1 / Math.sqrt(squares)
      for (let j = 0; j < n; j++) own[j] *= factor
    }
  }
  return q
}

/** The orthonormal discrete cosine transform (DCT-II): atom k is the k-th cosine. */
function cosines(n: number): Float64Array {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      out[i * n + k] = Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * (2 * i + 1) * k) / (2 * n))
    }
  }
  return out
}
