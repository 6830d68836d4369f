/** m × d numbers in float32 of mean 0 and about unit size, from a short generator. */
export function gradientMatrix(m: number, d: number, seed = 1): { data: Float32Array; shape: [number, number] } {
  const data = new Float32Array(m * d)
  let state = seed | 1
  for (let i = 0; i < data.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    data[i] = state * 2 ** -31 * 1.7
  }
  return { data, shape: [m, d] }
}
