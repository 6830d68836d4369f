import type { Watch, Work } from '../work.js'

/** A = sum_k values_k z_k z_kᵀ with orthonormal z_k. */
export interface SymmetricEigen {
  n: number
  /** Ascending. */
  values: Float64Array
  /** n × n: row k is z_k. */
  vectors: Float64Array
}

/**
 * All eigenvalues and eigenvectors of a symmetric n × n matrix (row-major, finite; left as it is): Householder reduction
 * to tridiagonal form and implicit QL steps, O(n³). Eigenvalues are right to rounding errors of the largest one.
 *
 * Source: Golub, Van Loan, Matrix Computations, 4th edition, sections 8.3.1 and 8.3.5.
 */
export function* symmetricEigen(matrix: Float64Array, n: number, clock: Pick<Watch, 'due'>): Work<SymmetricEigen> {
  const scale = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const vectors = new Float64Array(n * n)
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1
  const values = new Float64Array(n)
  if (scale === 0) return { n, values, vectors }
  // Squares of scaled numbers neither overflow nor vanish.
  const a = matrix.map((value) => value / scale)
  const offDiagonal = new Float64Array(n)
  yield* tridiagonalize(a, n, values, offDiagonal, vectors, clock)
  yield* diagonalize(values, offDiagonal, n, vectors, clock)
  for (let i = 0; i < n; i++) values[i] *= scale
  return sorted(n, values, vectors)
}

/** a = Q T Qᵀ: writes T's diagonal and off-diagonal, and Qᵀ to `rows`, which is the identity. Spoils a. */
function* tridiagonalize(
  a: Float64Array,
  n: number,
  diagonal: Float64Array,
  offDiagonal: Float64Array,
  rows: Float64Array,
  clock: Pick<Watch, 'due'>,
): Work<void> {
  const factors = new Float64Array(n)
  const w = new Float64Array(n)
  for (let k = 0; k < n; k++) {
    diagonal[k] = a[k * n + k]
    if (k + 1 === n) break
    // The row right of the diagonal becomes the vector v of the reflection I - factor v vᵀ that leaves `alpha` of it.
    const row = k * n
    let squares = 0
    for (let j = k + 1; j < n; j++) squares += a[row + j] * a[row + j]
    const first = a[row + k + 1]
    const alpha = first > 0 ? -Math.sqrt(squares) : Math.sqrt(squares)
    offDiagonal[k] = alpha
    if (k + 2 === n || squares === first * first) {
      offDiagonal[k] = first
      continue
    }
    a[row + k + 1] = first - alpha
    const factor = 1 / (squares - alpha * first)
    factors[k] = factor
    // The rest A <- A - v wᵀ - w vᵀ with w = p - (factor / 2) (p·v) v, p = factor A v.
    let inner = 0
    for (let i = k + 1; i < n; i++) {
      let sum = 0
      for (let j = k + 1; j < n; j++) sum += a[i * n + j] * a[row + j]
      w[i] = factor * sum
      inner += w[i] * a[row + i]
    }
    for (let i = k + 1; i < n; i++) w[i] -= 0.5 * factor * inner * a[row + i]
    if (clock.due()) yield
    for (let i = k + 1; i < n; i++) {
      const [vi, wi] = [a[row + i], w[i]]
      for (let j = k + 1; j < n; j++) a[i * n + j] -= vi * w[j] + wi * a[row + j]
    }
    if (clock.due()) yield
  }
  for (let k = n - 3; k >= 0; k--) {
    const factor = factors[k]
    if (factor === 0) continue
    const row = k * n
    for (let i = k + 1; i < n; i++) {
      let sum = 0
      for (let j = k + 1; j < n; j++) sum += rows[i * n + j] * a[row + j]
      sum *= factor
      for (let j = k + 1; j < n; j++) rows[i * n + j] -= sum * a[row + j]
    }
    if (clock.due()) yield
  }
}

/** Rotates the tridiagonal matrix to its eigenvalues, and the rows with it. */
function* diagonalize(
  d: Float64Array,
  e: Float64Array,
  n: number,
  rows: Float64Array,
  clock: Pick<Watch, 'due'>,
): Work<void> {
  e[n - 1] = 0
  for (let l = 0; l < n; l++) {
    for (let end = blockEnd(d, e, l); end > l; end = blockEnd(d, e, l)) {
      // Wilkinson's shift: the eigenvalue of the first 2 × 2 block that is nearer to d_l.
      const half = (d[l + 1] - d[l]) / (2 * e[l])
      const root = Math.sqrt(half * half + 1)
      let g = d[end] - d[l] + e[l] / (half + (half < 0 ? -root : root))
      let sine = 1
      let cosine = 1
      let shift = 0
      let i = end - 1
      for (; i >= l; i--) {
        const f = sine * e[i]
        const b = cosine * e[i]
        const r = Math.sqrt(f * f + g * g)
        e[i + 1] = r
        if (r === 0) {
          // The block falls apart here.
          d[i + 1] -= shift
          e[end] = 0
          break
        }
        sine = f / r
        cosine = g / r
        g = d[i + 1] - shift
        const s = (d[i] - g) * sine + 2 * cosine * b
        shift = sine * s
        d[i + 1] = g + shift
        g = cosine * s - b
        rotate(rows, i * n, n, cosine, sine)
        if (clock.due()) yield
      }
      if (i >= l) continue
      d[l] -= shift
      e[l] = g
      e[end] = 0
    }
  }
}

/** The first place from l on where the off-diagonal is negligible. */
function blockEnd(d: Float64Array, e: Float64Array, l: number): number {
  let end = l
  while (end + 1 < d.length && Math.abs(e[end]) > Number.EPSILON * (Math.abs(d[end]) + Math.abs(d[end + 1]))) end++
  return end
}

/** Rotates the row at `at` and the next. */
function rotate(rows: Float64Array, at: number, n: number, cosine: number, sine: number): void {
  for (let k = at; k < at + n; k++) {
    const [upper, lower] = [rows[k], rows[k + n]]
    rows[k] = cosine * upper - sine * lower
    rows[k + n] = sine * upper + cosine * lower
  }
}

function sorted(n: number, values: Float64Array, vectors: Float64Array): SymmetricEigen {
  const order = Array.from(values.keys()).sort((i, j) => values[i] - values[j])
  const rows = new Float64Array(n * n)
  order.forEach((from, to) => {
    rows.set(vectors.subarray(from * n, (from + 1) * n), to * n)
  })
  return { n, values: Float64Array.from(order, (i) => values[i]), vectors: rows }
}
