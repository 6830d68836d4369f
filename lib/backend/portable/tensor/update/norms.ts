import type { FloatArray } from '../../../../core/arrays.js'

export function sumOfSquares(x: FloatArray): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  const whole = x.length & ~3
  for (let i = 0; i < whole; i += 4) {
    s0 += x[i] * x[i]
    s1 += x[i + 1] * x[i + 1]
    s2 += x[i + 2] * x[i + 2]
    s3 += x[i + 3] * x[i + 3]
  }
  for (let i = whole; i < x.length; i++) s0 += x[i] * x[i]
  return s0 + s1 + (s2 + s3)
}

export function combine(out: FloatArray, x: FloatArray, y: FloatArray, a: number, b: number): void {
  for (let i = 0; i < out.length; i++) out[i] = a * x[i] + b * y[i]
}

export function clip(x: FloatArray, limit: number): void {
  for (let i = 0; i < x.length; i++) {
    if (x[i] > limit) x[i] = limit
    else if (x[i] < -limit) x[i] = -limit
  }
}

export function rankOne(a: FloatArray, u: FloatArray, v: FloatArray, decay: number, factor: number): void {
  for (let i = 0, k = 0; i < u.length; i++) {
    const scale = factor * u[i]
    for (let j = 0; j < v.length; j++, k++) a[k] = decay * a[k] + scale * v[j]
  }
}
