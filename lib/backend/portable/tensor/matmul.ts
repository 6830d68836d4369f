import type { TensorData } from '../../tensor.js'

/** out = op(A) op(B) for each pair, in float64: four rows of A at a time against rows of op(B). */
export function matmul(
  out: TensorData,
  a: TensorData,
  b: TensorData,
  batch: number,
  m: number,
  n: number,
  k: number,
  transposeA: boolean,
  transposeB: boolean,
  strideA: number,
  strideB: number,
): void {
  const rows = new Float64Array(4 * k)
  const sums = new Float64Array(4 * n)
  const column = transposeB ? new Float64Array(k * n) : undefined
  for (let p = 0; p < batch; p++) {
    const right = column === undefined ? b : transposed(b, p * strideB, n, k, column)
    const rightStart = column === undefined ? p * strideB : 0
    for (let i = 0; i < m; i += 4) {
      const count = Math.min(4, m - i)
      for (let r = 0; r < 4; r++) {
        for (let l = 0; l < k; l++) {
          rows[r * k + l] = r < count ? a[p * strideA + (transposeA ? l * m + i + r : (i + r) * k + l)] : 0
        }
      }
      sums.fill(0)
      fourRows(sums, rows, right, rightStart, n, k)
      const start = (p * m + i) * n
      for (let j = 0; j < count * n; j++) out[start + j] = sums[j]
    }
  }
}

function fourRows(sums: Float64Array, rows: Float64Array, b: TensorData, start: number, n: number, k: number): void {
  const [second, third, fourth] = [n, 2 * n, 3 * n]
  for (let l = 0; l < k; l++) {
    const [r0, r1, r2, r3] = [rows[l], rows[k + l], rows[2 * k + l], rows[3 * k + l]]
    const row = start + l * n
    for (let j = 0; j < n; j++) {
      const value = b[row + j]
      sums[j] += r0 * value
      sums[second + j] += r1 * value
      sums[third + j] += r2 * value
      sums[fourth + j] += r3 * value
    }
  }
}

/** The k × n matrix whose transpose lies at `start`. */
function transposed(b: TensorData, start: number, n: number, k: number, into: Float64Array): Float64Array {
  for (let j = 0; j < n; j++) for (let l = 0; l < k; l++) into[l * n + j] = b[start + j * k + l]
  return into
}
