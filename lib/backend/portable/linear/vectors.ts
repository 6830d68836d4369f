export function dot(x: Float64Array, y: Float64Array): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let i = 0
  for (; i + 4 <= x.length; i += 4) {
    s0 += x[i] * y[i]
    s1 += x[i + 1] * y[i + 1]
    s2 += x[i + 2] * y[i + 2]
    s3 += x[i + 3] * y[i + 3]
  }
  for (; i < x.length; i++) s0 += x[i] * y[i]
  return s0 + s1 + (s2 + s3)
}

/** y += a x */
export function axpy(a: number, x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < y.length; i++) y[i] += a * x[i]
}

/** y = x + b y */
export function xpby(x: Float64Array, b: number, y: Float64Array): void {
  for (let i = 0; i < y.length; i++) y[i] = x[i] + b * y[i]
}

/** y = a x */
export function scaled(a: number, x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < y.length; i++) y[i] = a * x[i]
}

/** r = b - r; returns r·r. */
export function residual(b: Float64Array, r: Float64Array): number {
  for (let i = 0; i < r.length; i++) r[i] = b[i] - r[i]
  return dot(r, r)
}

/** x -= null (null·x) */
export function project(nullVector: Float64Array | null, x: Float64Array): void {
  if (nullVector !== null) axpy(-dot(nullVector, x), nullVector, x)
}
