import type { TensorData } from '../../tensor.js'

/** Calls visit(place in the bands, row, column) for the entries of an n × n band matrix. */
function eachEntry(n: number, lower: number, upper: number, visit: (at: number, i: number, j: number) => void): void {
  for (let d = 0; d <= lower + upper; d++) {
    const shift = d - lower
    for (let i = Math.max(0, -shift); i < Math.min(n, n - shift); i++) visit(d * n + i, i, i + shift)
  }
}

export function bandedProduct(
  out: TensorData,
  bands: TensorData,
  x: TensorData,
  batch: number,
  n: number,
  columns: number,
  lower: number,
  upper: number,
  transpose: boolean,
): void {
  const sums = new Float64Array(n * columns)
  for (let p = 0; p < batch; p++) {
    const [first, start] = [p * (lower + upper + 1) * n, p * n * columns]
    sums.fill(0)
    eachEntry(n, lower, upper, (at, i, j) => {
      const entry = bands[first + at]
      const [to, from] = transpose ? [j * columns, i * columns] : [i * columns, j * columns]
      for (let c = 0; c < columns; c++) sums[to + c] += entry * x[start + from + c]
    })
    out.set(sums, start)
  }
}

export function bandedOuter(
  out: TensorData,
  g: TensorData,
  x: TensorData,
  batch: number,
  n: number,
  columns: number,
  lower: number,
  upper: number,
): void {
  out.fill(0)
  for (let p = 0; p < batch; p++) {
    const [first, start] = [p * (lower + upper + 1) * n, p * n * columns]
    eachEntry(n, lower, upper, (at, i, j) => {
      let sum = 0
      for (let c = 0; c < columns; c++) sum += g[start + i * columns + c] * x[start + j * columns + c]
      out[first + at] = sum
    })
  }
}
