/**
 * Solves G y = c for a positive semidefinite G (s × s, row-major; its lower triangle is read) and c in its range, by
 * Cholesky's method with diagonal pivoting: dependent columns get y = 0, which leaves the step ΓS y that of the
 * pseudo-inverse. native/constrained/gram.cc, operation by operation.
 */
export class Gram {
  readonly matrix: Float64Array
  private readonly factor: Float64Array
  private readonly left: Float64Array
  private readonly order: Int32Array
  private readonly work: Float64Array

  constructor(private readonly size: number) {
    this.matrix = new Float64Array(size * size)
    this.factor = new Float64Array(size * size)
    this.left = new Float64Array(size)
    this.order = new Int32Array(size)
    this.work = new Float64Array(size)
  }

  /** Returns the floating-point operations. */
  solve(c: Float64Array, y: Float64Array): number {
    const { size, matrix, factor, left, order, work } = this
    let largest = 0
    for (let i = 0; i < size; i++) {
      order[i] = i
      left[i] = matrix[i * size + i]
      if (left[i] > largest) largest = left[i]
    }
    const least = size * Number.EPSILON * largest
    let rank = 0
    for (; rank < size; rank++) {
      let best = rank
      for (let i = rank + 1; i < size; i++) if (left[order[i]] > left[order[best]]) best = i
      const pivot = order[best]
      if (!(left[pivot] > least)) break
      order[best] = order[rank]
      order[rank] = pivot
      const root = Math.sqrt(left[pivot])
      factor[pivot * size + rank] = root
      for (let i = rank + 1; i < size; i++) {
        const row = order[i]
        let value = row > pivot ? matrix[row * size + pivot] : matrix[pivot * size + row]
        for (let t = 0; t < rank; t++) value -= factor[row * size + t] * factor[pivot * size + t]
        value /= root
        factor[row * size + rank] = value
        left[row] -= value * value
      }
    }
    for (let k = 0; k < rank; k++) {
      const row = order[k] * size
      let value = c[order[k]]
      for (let t = 0; t < k; t++) value -= factor[row + t] * work[t]
      work[k] = value / factor[row + k]
    }
    y.fill(0)
    for (let k = rank - 1; k >= 0; k--) {
      let value = work[k]
      for (let t = k + 1; t < rank; t++) value -= factor[order[t] * size + k] * work[t]
      work[k] = value / factor[order[k] * size + k]
      y[order[k]] = work[k]
    }
    return (rank * rank * (3 * size - 2 * rank)) / 3 + 2 * rank * rank
  }
}
