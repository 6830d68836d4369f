import type { SymmetricEigen } from '../backend/portable/linear/tridiagonal-eigen.js'
import type { Clock, Work } from '../backend/portable/work.js'

// Square matrices, row-major.

/** a b, both n × n. */
export function* multiply(a: Float64Array, b: Float64Array, n: number, clock: Clock): Work<Float64Array> {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const row = i * n
    let k = 0
    for (; k + 4 <= n; k += 4) {
      const [a0, a1, a2, a3] = [a[row + k], a[row + k + 1], a[row + k + 2], a[row + k + 3]]
      const at = k * n
      for (let j = 0; j < n; j++) {
        out[row + j] += a0 * b[at + j] + a1 * b[at + n + j] + (a2 * b[at + 2 * n + j] + a3 * b[at + 3 * n + j])
      }
    }
    for (; k < n; k++) {
      const factor = a[row + k]
      for (let j = 0; j < n; j++) out[row + j] += factor * b[k * n + j]
    }
    if (clock.due()) yield
  }
  return out
}

/** s a s for symmetric s and a, exactly symmetric. */
export function* congruence(s: Float64Array, a: Float64Array, n: number, clock: Clock): Work<Float64Array> {
  const out = yield* multiply(yield* multiply(s, a, n, clock), s, n, clock)
  return symmetrized(out, n)
}

/** (a + aᵀ) / 2 */
export function symmetrized(a: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const mean = a[i * n + j] / 2 + a[j * n + i] / 2
      out[i * n + j] = mean
      out[j * n + i] = mean
    }
  }
  return out
}

/** f(A) = sum_k f(values_k) z_k z_kᵀ */
export function* matrixFunction(
  { n, values, vectors }: SymmetricEigen,
  f: (value: number) => number,
  clock: Clock,
): Work<Float64Array> {
  const scaled = new Float64Array(n * n)
  const columns = new Float64Array(n * n)
  for (let k = 0; k < n; k++) {
    const factor = f(values[k])
    for (let i = 0; i < n; i++) {
      scaled[k * n + i] = factor * vectors[k * n + i]
      columns[i * n + k] = vectors[k * n + i]
    }
  }
  return symmetrized(yield* multiply(columns, scaled, n, clock), n)
}

export function trace(a: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += a[i * n + i]
  return sum
}
