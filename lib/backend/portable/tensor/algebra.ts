import type { TensorData } from '../../tensor.js'

export function squaredDistances(out: TensorData, x: TensorData, y: TensorData, n: number, m: number, d: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      let sum = 0
      for (let k = 0; k < d; k++) {
        const gap = x[i * d + k] - y[j * d + k]
        sum += gap * gap
      }
      out[i * m + j] = sum
    }
  }
}

export function csrProduct(
  out: TensorData,
  data: TensorData,
  x: TensorData,
  indptr: Int32Array,
  indices: Int32Array,
  rows: number,
  _columns: number,
  width: number,
  transpose: boolean,
): void {
  const sums = new Float64Array(out.length)
  for (let i = 0; i < rows; i++) {
    for (let p = indptr[i]; p < indptr[i + 1]; p++) {
      const [to, from] = transpose ? [indices[p] * width, i * width] : [i * width, indices[p] * width]
      for (let k = 0; k < width; k++) sums[to + k] += data[p] * x[from + k]
    }
  }
  out.set(sums)
}
