import { generator } from '../../lib/random/index.js'

interface Rows {
  data: Float64Array
  shape: number[]
}

/**
 * The map onto the first d principal components of the rows, by so many rounds of subspace iteration: their order is
 * of no matter here, and the last ones need not be exact.
 */
export function principalComponents(rows: Rows, d: number, rounds: number): (points: Rows) => Rows {
  const [n, width] = rows.shape
  const mean = new Float64Array(width)
  for (let k = 0; k < rows.data.length; k++) mean[k % width] += rows.data[k] / n
  const centred = rows.data.map((x, k) => x - mean[k % width])
  // d rows of length `width`.
  const basis = generator(1).normal(d * width)
  orthonormalize(basis, d, width)
  for (let round = 0; round < rounds; round++) {
    const next = new Float64Array(d * width)
    for (let i = 0; i < n; i++) {
      const row = centred.subarray(i * width, (i + 1) * width)
      for (let c = 0; c < d; c++) {
        let product = 0
        for (let k = 0; k < width; k++) product += row[k] * basis[c * width + k]
        for (let k = 0; k < width; k++) next[c * width + k] += product * row[k]
      }
    }
    orthonormalize(next, d, width)
    basis.set(next)
  }
  return ({ data, shape: [count] }) => {
    const out = new Float64Array(count * d)
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < d; c++) {
        let product = 0
        for (let k = 0; k < width; k++) product += (data[i * width + k] - mean[k]) * basis[c * width + k]
        out[i * d + c] = product
      }
    }
    return { data: out, shape: [count, d] }
  }
}

/** Gram and Schmidt, each row twice. */
function orthonormalize(basis: Float64Array, d: number, width: number): void {
  for (let c = 0; c < d; c++) {
    const row = basis.subarray(c * width, (c + 1) * width)
    for (let pass = 0; pass < 2; pass++) {
      for (let b = 0; b < c; b++) {
        const other = basis.subarray(b * width, (b + 1) * width)
        let product = 0
        for (let k = 0; k < width; k++) product += row[k] * other[k]
        for (let k = 0; k < width; k++) row[k] -= product * other[k]
      }
    }
    const length = Math.hypot(...row)
    for (let k = 0; k < width; k++) row[k] /= length
  }
}
