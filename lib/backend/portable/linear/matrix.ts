import { ExtremaError } from '../../../core/errors.js'
import type { Watch, Work } from '../work.js'

// Dense matrices, row-major: the twin of native/linear/matrix.cc.

type Clock = Pick<Watch, 'due'>

/** What one pass over an m × n matrix finds: its largest entry and the largest sum of a row, in magnitude. */
export interface MatrixScan {
  largest: number
  rowSum: number
}

export function* scanMatrix(name: string, a: Float64Array, m: number, n: number, clock: Clock): Work<MatrixScan> {
  let largest = 0
  let rowSum = 0
  for (let i = 0; i < m; i++) {
    let sum = 0
    for (let k = i * n; k < (i + 1) * n; k++) {
      const x = Math.abs(a[k])
      if (!(x < Number.POSITIVE_INFINITY)) {
        throw new ExtremaError('ERR_NOT_FINITE', `${name}[${i}][${k - i * n}]: expected a finite number, got ${a[k]}`)
      }
      if (x > largest) largest = x
      sum += x
    }
    if (sum > rowSum) rowSum = sum
    if (clock.due()) yield
  }
  return { largest, rowSum }
}

export function* checkSymmetric(name: string, a: Float64Array, n: number, largest: number, clock: Clock): Work<void> {
  const slack = 1e-8 * largest
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      if (Math.abs(a[i * n + j] - a[j * n + i]) <= slack) continue
      throw new ExtremaError(
        'ERR_SHAPE',
        `${name}: expected a symmetric matrix, got entries [${i}][${j}] and [${j}][${i}] that differ`,
      )
    }
    if (clock.due()) yield
  }
}

export function transposed(a: Float64Array, m: number, n: number): Float64Array {
  const out = new Float64Array(m * n)
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j * m + i] = a[i * n + j]
  return out
}

export function dot(a: Float64Array, at: number, b: Float64Array, bt: number, n: number): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let i = 0
  for (; i + 4 <= n; i += 4) {
    s0 += a[at + i] * b[bt + i]
    s1 += a[at + i + 1] * b[bt + i + 1]
    s2 += a[at + i + 2] * b[bt + i + 2]
    s3 += a[at + i + 3] * b[bt + i + 3]
  }
  for (; i < n; i++) s0 += a[at + i] * b[bt + i]
  return s0 + s1 + (s2 + s3)
}

/** y[yt…] += factor x[xt…] */
export function addScaled(factor: number, x: Float64Array, xt: number, y: Float64Array, yt: number, n: number): void {
  for (let i = 0; i < n; i++) y[yt + i] += factor * x[xt + i]
}

/** The Euclidean norm of so many entries, which may be of any magnitude; NaN where one is. */
export function normOf(x: Float64Array, at: number, n: number): number {
  let largest = 0
  for (let i = at; i < at + n; i++) {
    const value = Math.abs(x[i])
    if (value > largest) largest = value
  }
  let sum = 0
  if (largest === 0) {
    for (let i = at; i < at + n; i++) sum += x[i]
    return sum
  }
  for (let i = at; i < at + n; i++) sum += (x[i] / largest) * (x[i] / largest)
  return largest * Math.sqrt(sum)
}

/** A x */
export function* timesVector(a: Float64Array, m: number, n: number, x: Float64Array, clock: Clock): Work<Float64Array> {
  const y = new Float64Array(m)
  for (let i = 0; i < m; i++) {
    y[i] = dot(a, i * n, x, 0, n)
    if (clock.due()) yield
  }
  return y
}

/** Aᵀ x */
export function* transposedTimesVector(
  a: Float64Array,
  m: number,
  n: number,
  x: Float64Array,
  clock: Clock,
): Work<Float64Array> {
  const y = new Float64Array(n)
  for (let i = 0; i < m; i++) {
    addScaled(x[i], a, i * n, y, 0, n)
    if (clock.due()) yield
  }
  return y
}

/** c (m × n) += a (m × k) b (k × n) */
export function* addProduct(
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  m: number,
  k: number,
  n: number,
  clock: Clock,
): Work<void> {
  for (let i = 0; i < m; i++) {
    const row = i * n
    let l = 0
    for (; l + 4 <= k; l += 4) {
      const at = i * k + l
      const [a0, a1, a2, a3] = [a[at], a[at + 1], a[at + 2], a[at + 3]]
      const b0 = l * n
      const b1 = b0 + n
      const b2 = b1 + n
      const b3 = b2 + n
      for (let j = 0; j < n; j++) {
        c[row + j] += a0 * b[b0 + j] + a1 * b[b1 + j] + (a2 * b[b2 + j] + a3 * b[b3 + j])
      }
    }
    for (; l < k; l++) addScaled(a[i * k + l], b, l * n, c, row, n)
    if (clock.due()) yield
  }
}

/** a (m × k) b (k × n) */
export function* product(
  a: Float64Array,
  b: Float64Array,
  m: number,
  k: number,
  n: number,
  clock: Clock,
): Work<Float64Array> {
  const c = new Float64Array(m * n)
  yield* addProduct(a, b, c, m, k, n, clock)
  return c
}

/** The signs +1, -1, -1, +1, … of Thue and Morse: a vector that no structure of a matrix favours. */
export function probe(n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    let parity = 0
    for (let rest = i; rest > 0; rest = Math.floor(rest / 2)) parity ^= rest & 1
    return parity === 0 ? 1 : -1
  })
}

/** max |x_i - y_i| / scale, 0 for a zero scale. */
export function relativeDifference(x: Float64Array, y: Float64Array, scale: number): number {
  let largest = 0
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, Math.abs(x[i] - y[i]))
  return scale > 0 ? largest / scale : 0
}

/** | |A|² - sum of squares of the values | / |A|², Frobenius norms, with all numbers in this unit. */
export function* invariantError(a: Float64Array, values: Float64Array, unit: number, clock: Clock): Work<number> {
  let matrix = 0
  let spectrum = 0
  for (let i = 0; i < a.length; i++) {
    matrix += (a[i] / unit) * (a[i] / unit)
    if (i % 4096 === 0 && clock.due()) yield
  }
  for (const value of values) spectrum += (value / unit) * (value / unit)
  return Math.abs(matrix - spectrum) / matrix
}

/** A power of two near the number: dividing by it changes no digit. */
export function unitOf(largest: number): number {
  return 2 ** Math.floor(Math.log2(largest))
}

/**
 * The sign that makes the first of the largest entries (to 1e-6) positive: vectors that are right up to their sign become
 * the same everywhere.
 */
export function signOf(x: Float64Array, at: number, n: number, step = 1): number {
  let largest = 0
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(x[at + i * step]))
  for (let i = 0; i < n; i++) {
    const value = x[at + i * step]
    if (Math.abs(value) >= (1 - 1e-6) * largest) return value < 0 ? -1 : 1
  }
  return 1
}
