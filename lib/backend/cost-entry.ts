import type { CostData } from './kernels.js'

/** C_ij by itself, from the matrix or from the coordinates as they are given. */
export function costEntry({ metric, x, y, m, d }: CostData): (i: number, j: number) => number {
  if (metric === 'dense') return (i, j) => x[i * m + j]
  return (i, j) => {
    let total = 0
    let xx = 0
    let yy = 0
    for (let k = 0; k < d; k++) {
      const p = x[i * d + k]
      const q = y![j * d + k]
      if (metric === 'cosine') {
        total += p * q
        xx += p * p
        yy += q * q
      } else {
        total += metric === 'cityblock' ? Math.abs(p - q) : (p - q) * (p - q)
      }
    }
    if (metric === 'euclidean') return Math.sqrt(total)
    if (metric === 'cosine') return Math.max(0, 1 - total / (Math.sqrt(xx) * Math.sqrt(yy)))
    return total
  }
}
