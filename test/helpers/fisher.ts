import type { FloatArray } from '../../lib/core/index.js'
import { combined, identity, inverse, product, type Rows, toRows, transpose } from './matrices.js'
import { fill, randomNormal } from './random.js'

/** m × d normal numbers. */
export function randomGradients(m: number, d: number, seed: number): Float64Array {
  return fill(m * d, randomNormal(seed))
}

/** F = λI + GᵀG / m, all of it, or its diagonal blocks. */
export function fisherMatrix(g: FloatArray, d: number, damping: number, block = d, m = g.length / d): Rows {
  const rows = toRows(g, d)
  const full = combined(identity(d, damping), 1 / m, product(transpose(rows), rows))
  return full.map((row, i) => row.map((value, j) => (Math.floor(i / block) === Math.floor(j / block) ? value : 0)))
}

export function inverseFisher(g: FloatArray, d: number, damping: number, block = d, m = g.length / d): Rows {
  return inverse(fisherMatrix(g, d, damping, block, m)).inverse
}

/** The recursion as the paper prints it: v_i = F_{i-1}⁻¹ g_i and q_i = m + g_i · v_i. */
export class Recursion {
  private readonly v: Float64Array[] = []
  private readonly q: number[] = []

  constructor(
    g: FloatArray,
    private readonly d: number,
    private readonly damping: number,
    private readonly round: (x: number) => number = (x) => x,
  ) {
    const m = g.length / d
    for (let i = 0; i < m; i++) {
      const row = Float64Array.from(g.subarray(i * d, (i + 1) * d))
      const v = this.product(row)
      this.v.push(v)
      this.q.push(this.round(m + this.dot(row, v)))
    }
  }

  product(x: FloatArray): Float64Array {
    const { round } = this
    const out = Float64Array.from(x, (value) => round(value / this.damping))
    this.v.forEach((v, j) => {
      const factor = round(this.dot(v, x) / this.q[j])
      for (let k = 0; k < this.d; k++) out[k] = round(out[k] - round(factor * v[k]))
    })
    return out
  }

  private dot(a: FloatArray, b: FloatArray): number {
    let sum = 0
    for (let k = 0; k < this.d; k++) sum = this.round(sum + this.round(a[k] * b[k]))
    return sum
  }
}

/** ‖a - b‖ / ‖b‖ */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0
  let size = 0
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    size += b[i] ** 2
  }
  return Math.sqrt(difference / size)
}

/** F x without F. */
export function fisherProduct(g: FloatArray, d: number, damping: number, x: FloatArray): Float64Array {
  const m = g.length / d
  const out = Float64Array.from(x, (value) => damping * value)
  for (let i = 0; i < m; i++) {
    let p = 0
    for (let j = 0; j < d; j++) p += g[i * d + j] * x[j]
    for (let j = 0; j < d; j++) out[j] += (p / m) * g[i * d + j]
  }
  return out
}
