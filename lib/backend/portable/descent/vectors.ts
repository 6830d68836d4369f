/** The Euclidean length of the first n numbers. */
export function norm(v: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += v[i] * v[i]
  return Math.sqrt(sum)
}
