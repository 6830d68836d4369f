// biome-ignore-all lint/correctness/useYield: the methods of a model are generators, whether or not this one waits.
import { ExtremaError } from '../../../core/errors.js'
import type { DescentData, MatrixData } from '../../descent.js'
import type { Flow, Watch } from './flow.js'
import type { Graph, Model, SparseBlock } from './model.js'

/** f(x) = ½ xᵀA x - bᵀx + ½ l2 |x|² with symmetric A. The gradient is always at hand: a step costs the rows of its block. */
export class QuadraticModel implements Model {
  readonly n: number
  readonly quadratic = true
  readonly name = 'A'
  readonly semidefinite = false
  readonly tracks = true
  readonly lipschitz: Float64Array
  readonly gradient: Float64Array
  private readonly matrix: MatrixData
  private readonly place: Int32Array
  private links: Graph | undefined

  constructor(
    private readonly data: DescentData,
    private readonly x: Float64Array,
    private readonly watch: Watch,
  ) {
    const { matrix } = data
    this.matrix = matrix
    this.n = matrix.rows
    this.gradient = new Float64Array(this.n)
    this.lipschitz = new Float64Array(this.n)
    this.place = new Int32Array(this.n).fill(-1)
    for (let i = 0; i < this.n; i++) this.lipschitz[i] = this.entry(i, i) + data.l2
    checkQuadratic(matrix, data)
  }

  private entry(i: number, j: number): number {
    return entryOf(this.matrix, i, j)
  }

  private rowDot(i: number, v: Float64Array): number {
    const { dense, indptr, indices, data } = this.matrix
    let sum = 0
    if (dense !== null) {
      for (let j = 0, at = i * this.n; j < this.n; j++) sum += dense[at + j] * v[j]
    } else {
      for (let k = indptr![i]; k < indptr![i + 1]; k++) sum += data![k] * v[indices![k]]
    }
    return sum
  }

  *refresh(): Flow<number> {
    const { n, x, gradient } = this
    const { target } = this.data
    // The ridge is in the product.
    yield* this.product(x, false, gradient)
    let value = 0
    for (let i = 0; i < n; i++) {
      value += x[i] * (0.5 * gradient[i] - target[i])
      gradient[i] -= target[i]
    }
    return value
  }

  *gradientScale(): Flow<number> {
    return this.data.target.reduce((most, b) => Math.max(most, Math.abs(b)), 0)
  }

  *blockGradient(block: Int32Array, size: number, out: Float64Array): Flow<void> {
    for (let a = 0; a < size; a++) out[a] = this.gradient[block[a]]
  }

  *bound(block: Int32Array, size: number, out: Float64Array): Flow<void> {
    const { place } = this
    const { dense, indptr, indices, data } = this.matrix
    for (let a = 0; a < size; a++) place[block[a]] = a
    out.fill(0, 0, size * size)
    for (let a = 0; a < size; a++) {
      if (dense !== null) {
        for (let b = 0; b < size; b++) out[a * size + b] = dense[block[a] * this.n + block[b]]
      } else {
        for (let k = indptr![block[a]]; k < indptr![block[a] + 1]; k++) {
          const b = place[indices![k]]
          if (b >= 0) out[a * size + b] = data![k]
        }
      }
      out[a * size + a] += this.data.l2
    }
    for (let a = 0; a < size; a++) place[block[a]] = -1
  }

  hessian(block: Int32Array, size: number, out: Float64Array): Flow<void> {
    return this.bound(block, size, out)
  }

  *sparseBlock(block: Int32Array, size: number, place: Int32Array, _current: boolean, out: SparseBlock): Flow<void> {
    const { dense, indptr, indices, data } = this.matrix
    const { n } = this
    let count = 0
    for (let a = 0; a < size; a++) {
      const i = block[a]
      out.diagonal[a] = this.data.l2
      const add = (j: number, value: number) => {
        if (j === i) {
          out.diagonal[a] += value
        } else if (place[j] >= 0 && value !== 0) {
          out.indices[count] = place[j]
          out.values[count++] = value
        }
      }
      if (dense !== null) for (let j = 0; j < n; j++) add(j, dense[i * n + j])
      else for (let k = indptr![i]; k < indptr![i + 1]; k++) add(indices![k], data![k])
      out.indptr[a + 1] = count
    }
  }

  *product(v: Float64Array, _current: boolean, out: Float64Array): Flow<void> {
    for (let i = 0; i < this.n; i++) {
      out[i] = this.rowDot(i, v) + this.data.l2 * v[i]
      if ((i & 255) === 0 && this.watch.due()) yield
    }
  }

  *trial(block: Int32Array, size: number, g: Float64Array, d: Float64Array): Flow<number> {
    const { place } = this
    const { dense, indptr, indices, data } = this.matrix
    for (let a = 0; a < size; a++) place[block[a]] = a
    let change = 0
    for (let a = 0; a < size; a++) {
      const i = block[a]
      let sum = this.data.l2 * d[a]
      if (dense !== null) {
        for (let b = 0; b < size; b++) sum += dense[i * this.n + block[b]] * d[b]
      } else {
        for (let k = indptr![i]; k < indptr![i + 1]; k++) {
          const b = place[indices![k]]
          if (b >= 0) sum += data![k] * d[b]
        }
      }
      change += d[a] * (g[a] + 0.5 * sum)
    }
    for (let a = 0; a < size; a++) place[block[a]] = -1
    return change
  }

  *accept(block: Int32Array, size: number, d: Float64Array): Flow<void> {
    const { gradient, n } = this
    const { dense, indptr, indices, data } = this.matrix
    for (let a = 0; a < size; a++) {
      const i = block[a]
      if (d[a] === 0) continue
      if (dense !== null) {
        for (let j = 0, at = i * n; j < n; j++) gradient[j] += d[a] * dense[at + j]
      } else {
        for (let k = indptr![i]; k < indptr![i + 1]; k++) gradient[indices![k]] += d[a] * data![k]
      }
      gradient[i] += this.data.l2 * d[a]
    }
  }

  *rowSums(): Flow<Float64Array> {
    const { dense, indptr, data } = this.matrix
    const out = new Float64Array(this.n).fill(this.data.l2)
    for (let i = 0; i < this.n; i++) {
      if (dense !== null) for (let j = 0, at = i * this.n; j < this.n; j++) out[i] += Math.abs(dense[at + j])
      else for (let k = indptr![i]; k < indptr![i + 1]; k++) out[i] += Math.abs(data![k])
      if ((i & 255) === 0 && this.watch.due()) yield
    }
    return out
  }

  *graph(): Flow<Graph> {
    this.links ??= graphOf(this.matrix)
    return this.links
  }
}

export function entryOf({ columns, dense, indptr, indices, data }: MatrixData, i: number, j: number): number {
  if (dense !== null) return dense[i * columns + j]
  let low = indptr![i]
  let high = indptr![i + 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (indices![middle] < j) low = middle + 1
    else high = middle
  }
  return low < indptr![i + 1] && indices![low] === j ? data![low] : 0
}

/** The off-diagonal entries that are not 0. */
export function graphOf(matrix: MatrixData): Graph {
  const { rows: n, dense, indptr, indices, data } = matrix
  const start = new Int32Array(n + 1)
  for (let pass = 0, ends = new Int32Array(0); ; pass++) {
    let count = 0
    for (let i = 0; i < n; i++) {
      if (dense !== null) {
        for (let j = 0; j < n; j++) {
          if (j === i || dense[i * n + j] === 0) continue
          if (pass === 1) ends[count] = j
          count++
        }
      } else {
        for (let k = indptr![i]; k < indptr![i + 1]; k++) {
          if (indices![k] === i || data![k] === 0) continue
          if (pass === 1) ends[count] = indices![k]
          count++
        }
      }
      start[i + 1] = count
    }
    if (pass === 1) return { indptr: start, indices: ends }
    ends = new Int32Array(count)
  }
}

/** Refuses a matrix that is not symmetric, by its own entries. */
export function checkSymmetric(matrix: MatrixData): void {
  const { rows: n, dense, indptr, indices, data } = matrix
  const compare = (i: number, j: number, value: number) => {
    const other = entryOf(matrix, j, i)
    if (Math.abs(value - other) <= 1e-12 * Math.max(Math.abs(value), Math.abs(other))) return
    throw new ExtremaError(
      'ERR_SHAPE',
      `A[${i}][${j}]: expected a symmetric matrix, got an entry that differs from A[${j}][${i}]`,
    )
  }
  for (let i = 0; i < n; i++) {
    if (dense !== null) for (let j = 0; j < i; j++) compare(i, j, dense[i * n + j])
    else for (let k = indptr![i]; k < indptr![i + 1]; k++) compare(i, indices![k], data![k])
  }
}

/** Refuses what has no least value along a coordinate. */
function checkQuadratic(matrix: MatrixData, { l2, target, l1 }: DescentData): void {
  checkSymmetric(matrix)
  const { rows: n, dense, indptr, data, indices } = matrix
  for (let i = 0; i < n; i++) {
    const diagonal = entryOf(matrix, i, i) + l2
    if (diagonal > 0) continue
    if (diagonal < 0) {
      throw new ExtremaError(
        'ERR_NOT_POSITIVE',
        `A[${i}][${i}]: expected a positive semidefinite matrix, got a negative diagonal entry`,
      )
    }
    let others = 0
    if (dense !== null) for (let j = 0; j < n; j++) others += j === i ? 0 : Math.abs(dense[i * n + j])
    else for (let k = indptr![i]; k < indptr![i + 1]; k++) others += indices![k] === i ? 0 : Math.abs(data![k])
    if (others > 0 || Math.abs(target[i]) > l1[i]) {
      throw new ExtremaError(
        'ERR_NOT_POSITIVE',
        `A[${i}][${i}]: expected a positive entry, got 0 in a row or a linear term that is not 0`,
      )
    }
  }
}
