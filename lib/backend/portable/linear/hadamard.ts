export function powerOfTwo(n: number): number {
  let power = 1
  while (power < n) power *= 2
  return power
}

/**
 * One level of x <- H x, H_ij = (-1)^(bits of i & j), for a length that is a power of two: pairs `half` apart. All levels
 * half = 1, 2, 4, … below the length make the transform.
 */
export function hadamardLevel(x: Float64Array, half: number): void {
  for (let from = 0; from < x.length; from += 2 * half) {
    for (let i = from; i < from + half; i++) {
      const [u, v] = [x[i], x[i + half]]
      x[i] = u + v
      x[i + half] = u - v
    }
  }
}
