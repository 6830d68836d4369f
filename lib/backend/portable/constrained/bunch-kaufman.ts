import type { Watch, Work } from '../work.js'

const alpha = (1 + Math.sqrt(17)) / 8

/**
 * P A Pᵀ = Uᵀ D U of a dense symmetric matrix with blocks of 1 and 2 in D (Bunch, Kaufman 1977).
 * native/constrained/bunch-kaufman.cc, operation by operation.
 */
export class BunchKaufman {
  positive = 0
  negative = 0
  private readonly a: Float64Array
  /** Row that changed places with the pivot's last row. */
  private readonly partner: Int32Array
  /** 2 where a block of two begins. */
  private readonly width: Uint8Array

  /** Takes `a` over; its upper triangle counts. */
  constructor(
    a: Float64Array,
    private readonly n: number,
  ) {
    this.a = a
    this.partner = new Int32Array(n)
    this.width = new Uint8Array(n)
  }

  *factor(monitor: Watch): Work<void> {
    const { a, n, partner, width } = this
    const first = new Float64Array(n)
    const second = new Float64Array(n)
    let largest = 0
    for (const value of a) largest = Math.max(largest, Math.abs(value))
    const tiny = n * Number.EPSILON * largest
    for (let k = 0; k < n; ) {
      const { row, step } = this.choose(k)
      const last = k + step - 1
      partner[k] = row
      width[k] = step
      if (row !== last) this.swap(k, last, row)
      if (step === 1) {
        const pivot = a[k * n + k]
        if (Math.abs(pivot) > tiny) {
          if (pivot > 0) this.positive++
          else this.negative++
        }
        if (pivot !== 0) {
          for (let i = k + 1; i < n; i++) first[i] = a[k * n + i] / pivot
          for (let i = k + 1; i < n; i++) {
            const factor = first[i]
            if (factor === 0) continue
            for (let j = i; j < n; j++) a[i * n + j] -= factor * a[k * n + j]
          }
          for (let i = k + 1; i < n; i++) a[k * n + i] = first[i]
        }
      } else {
        this.positive++
        this.negative++
        const [d11, d12, d22] = [a[k * n + k], a[k * n + k + 1], a[(k + 1) * n + k + 1]]
        const determinant = (d11 / d12) * (d22 / d12) - 1
        for (let i = k + 2; i < n; i++) {
          const [x, y] = [a[k * n + i] / d12, a[(k + 1) * n + i] / d12]
          first[i] = ((d22 / d12) * x - y) / determinant
          second[i] = ((d11 / d12) * y - x) / determinant
        }
        for (let i = k + 2; i < n; i++) {
          const [p, q] = [first[i], second[i]]
          for (let j = i; j < n; j++) a[i * n + j] -= p * a[k * n + j] + q * a[(k + 1) * n + j]
        }
        for (let i = k + 2; i < n; i++) {
          a[k * n + i] = first[i]
          a[(k + 1) * n + i] = second[i]
        }
      }
      k += step
      if (monitor.due()) yield
    }
  }

  private choose(k: number): { row: number; step: number } {
    const { a, n } = this
    const own = Math.abs(a[k * n + k])
    let most = 0
    let at = k
    for (let j = k + 1; j < n; j++) {
      if (Math.abs(a[k * n + j]) <= most) continue
      most = Math.abs(a[k * n + j])
      at = j
    }
    if (own >= alpha * most) return { row: k, step: 1 }
    let other = 0
    for (let j = k; j < at; j++) other = Math.max(other, Math.abs(a[j * n + at]))
    for (let j = at + 1; j < n; j++) other = Math.max(other, Math.abs(a[at * n + j]))
    if (own * other >= alpha * most * most) return { row: k, step: 1 }
    if (Math.abs(a[at * n + at]) >= alpha * other) return { row: at, step: 1 }
    return { row: at, step: 2 }
  }

  private swap(k: number, p: number, q: number): void {
    const { a, n } = this
    const exchange = (x: number, y: number) => {
      const value = a[x]
      a[x] = a[y]
      a[y] = value
    }
    for (let j = q + 1; j < n; j++) exchange(p * n + j, q * n + j)
    for (let j = p + 1; j < q; j++) exchange(p * n + j, j * n + q)
    exchange(p * n + p, q * n + q)
    if (p !== k) exchange(k * n + p, k * n + q)
  }

  /** x <- A⁻¹ x; false where a pivot is 0. */
  solve(x: Float64Array): boolean {
    const { a, n, partner, width } = this
    const exchange = (p: number, q: number) => {
      const value = x[p]
      x[p] = x[q]
      x[q] = value
    }
    for (let k = 0; k < n; k += width[k]) {
      exchange(k + width[k] - 1, partner[k])
      if (width[k] === 1) {
        const pivot = a[k * n + k]
        if (pivot === 0) return false
        for (let i = k + 1; i < n; i++) x[i] -= a[k * n + i] * x[k]
        x[k] /= pivot
      } else {
        for (let i = k + 2; i < n; i++) x[i] -= a[k * n + i] * x[k] + a[(k + 1) * n + i] * x[k + 1]
        const [d11, d12, d22] = [a[k * n + k], a[k * n + k + 1], a[(k + 1) * n + k + 1]]
        const determinant = (d11 / d12) * (d22 / d12) - 1
        const [u, v] = [x[k] / d12, x[k + 1] / d12]
        x[k] = ((d22 / d12) * u - v) / determinant
        x[k + 1] = ((d11 / d12) * v - u) / determinant
      }
    }
    for (let k = n - 1; k >= 0; k--) {
      if (width[k] === 0) continue
      for (let r = k; r < k + width[k]; r++) {
        let sum = 0
        for (let i = k + width[k]; i < n; i++) sum += a[r * n + i] * x[i]
        x[r] -= sum
      }
      exchange(k + width[k] - 1, partner[k])
    }
    return true
  }
}
