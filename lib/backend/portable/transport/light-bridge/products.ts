// Products of small row-major matrices. Four sums at a time, so that their additions overlap.

/** out (m × pitch) = factor × A Bᵀ for A (m × p) and B (n × p). */
export function productTransposed(
  a: Float64Array,
  b: Float64Array,
  m: number,
  n: number,
  p: number,
  factor: number,
  out: Float64Array,
  pitch: number,
): void {
  for (let i = 0; i < m; i++) {
    const row = i * p
    let j = 0
    for (; j + 4 <= n; j += 4) {
      const b0 = j * p
      const b1 = b0 + p
      const b2 = b1 + p
      const b3 = b2 + p
      let s0 = 0
      let s1 = 0
      let s2 = 0
      let s3 = 0
      for (let l = 0; l < p; l++) {
        const value = a[row + l]
        s0 += value * b[b0 + l]
        s1 += value * b[b1 + l]
        s2 += value * b[b2 + l]
        s3 += value * b[b3 + l]
      }
      out[i * pitch + j] = factor * s0
      out[i * pitch + j + 1] = factor * s1
      out[i * pitch + j + 2] = factor * s2
      out[i * pitch + j + 3] = factor * s3
    }
    for (; j < n; j++) {
      let sum = 0
      for (let l = 0; l < p; l++) sum += a[row + l] * b[j * p + l]
      out[i * pitch + j] = factor * sum
    }
  }
}

/** out (m × p) += A B for A (m × n, rows `pitch` apart) and B (n × p). */
export function addProduct(
  a: Float64Array,
  pitch: number,
  b: Float64Array,
  m: number,
  n: number,
  p: number,
  out: Float64Array,
  at = 0,
): void {
  for (let i = 0; i < m; i++) {
    const row = i * pitch
    const to = at + i * p
    let j = 0
    for (; j + 4 <= n; j += 4) {
      const a0 = a[row + j]
      const a1 = a[row + j + 1]
      const a2 = a[row + j + 2]
      const a3 = a[row + j + 3]
      const b0 = j * p
      const b1 = b0 + p
      const b2 = b1 + p
      const b3 = b2 + p
      for (let l = 0; l < p; l++) {
        out[to + l] += a0 * b[b0 + l] + a1 * b[b1 + l] + (a2 * b[b2 + l] + a3 * b[b3 + l])
      }
    }
    for (; j < n; j++) {
      const value = a[row + j]
      for (let l = 0; l < p; l++) out[to + l] += value * b[j * p + l]
    }
  }
}

/** out (m × p) += Aᵀ B for A (n × m) and B (n × p), of which the first begin at `a0` and `b0`. */
export function addTransposedProduct(
  a: Float64Array,
  a0: number,
  b: Float64Array,
  b0: number,
  m: number,
  n: number,
  p: number,
  out: Float64Array,
  at: number,
): void {
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < m; i++) {
      const value = a[a0 + j * m + i]
      const to = at + i * p
      const from = b0 + j * p
      for (let l = 0; l < p; l++) out[to + l] += value * b[from + l]
    }
  }
}

/** x'y of the n numbers from x0 and y0 on. */
export function dot(x: Float64Array, x0: number, y: Float64Array, y0: number, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += x[x0 + i] * y[y0 + i]
  return sum
}

/** The n numbers from x0 on become L⁻¹ x, for the lower triangle of the n × n matrix at l0. */
export function divideLower(l: Float64Array, l0: number, n: number, x: Float64Array, x0: number): void {
  for (let i = 0; i < n; i++) {
    let sum = x[x0 + i]
    const row = l0 + i * n
    for (let j = 0; j < i; j++) sum -= l[row + j] * x[x0 + j]
    x[x0 + i] = sum / l[row + i]
  }
}

/** Every `step`-th of the numbers from x0 on, n of them, become L⁻ᵀ x. */
export function divideUpper(l: Float64Array, l0: number, n: number, x: Float64Array, x0: number, step = 1): void {
  for (let i = n - 1; i >= 0; i--) {
    const value = x[x0 + i * step] / l[l0 + i * n + i]
    x[x0 + i * step] = value
    const row = l0 + i * n
    for (let j = 0; j < i; j++) x[x0 + j * step] -= l[row + j] * value
  }
}

/**
 * The lower triangle of the positive definite n × n matrix at a0 becomes its Cholesky factor. False where it is not
 * positive definite.
 */
export function cholesky(a: Float64Array, a0: number, n: number): boolean {
  for (let j = 0; j < n; j++) {
    const row = a0 + j * n
    const pivot = a[row + j] - dot(a, row, a, row, j)
    if (!(pivot > 0)) return false
    const root = Math.sqrt(pivot)
    a[row + j] = root
    for (let i = j + 1; i < n; i++) {
      const below = a0 + i * n
      a[below + j] = (a[below + j] - dot(a, below, a, row, j)) / root
    }
  }
  return true
}
