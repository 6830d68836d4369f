import type { FloatArray } from '../../../core/arrays.js'
import type { Watch, Work } from '../work.js'

/** out = a b for row-major a (m × k) and b (k × n). */
export function* multiply(
  a: FloatArray,
  b: FloatArray,
  m: number,
  k: number,
  n: number,
  out: FloatArray,
  watch: Watch,
): Work<void> {
  out.fill(0, 0, m * n)
  for (let i = 0; i < m; i++) {
    const row = i * n
    const own = i * k
    let l = 0
    for (; l + 4 <= k; l += 4) {
      const [a0, a1, a2, a3] = [a[own + l], a[own + l + 1], a[own + l + 2], a[own + l + 3]]
      const at = l * n
      for (let j = 0; j < n; j++) {
        out[row + j] += a0 * b[at + j] + a1 * b[at + n + j] + (a2 * b[at + 2 * n + j] + a3 * b[at + 3 * n + j])
      }
    }
    for (; l < k; l++) {
      const factor = a[own + l]
      for (let j = 0; j < n; j++) out[row + j] += factor * b[l * n + j]
    }
    if (watch.due()) yield
  }
}

/** out += aᵀ b for row-major a (rows × n) and b (rows × n). */
export function* addTransposed(
  a: FloatArray,
  b: FloatArray,
  rows: number,
  n: number,
  out: Float64Array,
  watch: Watch,
): Work<void> {
  let r = 0
  for (; r + 4 <= rows; r += 4) {
    const at = r * n
    for (let i = 0; i < n; i++) {
      const [a0, a1, a2, a3] = [a[at + i], a[at + n + i], a[at + 2 * n + i], a[at + 3 * n + i]]
      const row = i * n
      for (let j = 0; j < n; j++) {
        out[row + j] += a0 * b[at + j] + a1 * b[at + n + j] + (a2 * b[at + 2 * n + j] + a3 * b[at + 3 * n + j])
      }
    }
    if (watch.due()) yield
  }
  for (; r < rows; r++) {
    const at = r * n
    for (let i = 0; i < n; i++) {
      const factor = a[at + i]
      if (factor === 0) continue
      const row = i * n
      for (let j = 0; j < n; j++) out[row + j] += factor * b[at + j]
    }
    if (watch.due()) yield
  }
}

export function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k]
  return sum
}
