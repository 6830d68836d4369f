// Musco, Musco 2015, "Randomized block Krylov methods for stronger and faster approximate singular value decomposition"
// (arXiv 1504.05477), algorithm 2.

import { portableRandomKernels } from '../../random/kernels.js'
import type { Watch, Work } from '../../work.js'
import { gramOf, orthonormalize, symmetricEigen, type Tall } from './dense.js'
import type { Lines } from './observations.js'

const blocks = 3 // of the Krylov space
const more = 8 // columns of a block beyond the rank

export interface SpectralProblem {
  rows: Lines
  columns: Lines
  /** Entries are weight · (value - mean), or 1 if `ones`. */
  mean: number
  ones: boolean
  rank: number
  key: Uint32Array
}

export interface SpectralStart {
  /** rows × rank, orthonormal, and Aᵀ left. */
  left: Float64Array
  product: Float64Array
  /** Singular values, descending. */
  values: Float64Array
}

/** The greatest `rank` singular values and vectors of a sparse matrix, by a randomized block Krylov space. */
export function* spectralStart(problem: SpectralProblem, watch: Watch): Work<SpectralStart> {
  const { rows, columns, rank, key } = problem
  const [m, n] = [rows.count, columns.count]
  const block = Math.min(rank + more, m, n)
  const width = blocks * block
  const x = new Float64Array(n * block)
  const y: Tall = { data: new Float64Array(m * block), count: m, pitch: block, offset: 0, width: block }
  const basis: Tall = { data: new Float64Array(m * width), count: m, pitch: width, offset: 0, width }
  const image: Tall = { data: new Float64Array(n * width), count: n, pitch: width, offset: 0, width }
  portableRandomKernels.fillNormal(key, Uint32Array.of(0, 0, 0, 0x7ffffff0), x)
  for (let b = 0; b < blocks; b++) {
    yield* multiply(problem, rows, x, block, y.data, watch)
    yield* orthonormalize(y, 'zero', key, watch)
    for (let i = 0; i < m; i++) {
      basis.data.set(y.data.subarray(i * block, (i + 1) * block), i * width + b * block)
    }
    if (b + 1 < blocks) yield* multiply(problem, columns, y.data, block, x, watch)
  }
  yield* orthonormalize(basis, 'zero', key, watch)
  yield* multiply(problem, columns, basis.data, width, image.data, watch)
  const { values, vectors } = yield* symmetricEigen(yield* gramOf(image, watch), width, watch)
  return {
    left: yield* project(basis, vectors, rank, watch),
    product: yield* project(image, vectors, rank, watch),
    values: values.slice(0, rank).map((value) => Math.sqrt(Math.max(0, value))),
  }
}

/** out = A x for the lines of A. */
function* multiply(
  { mean, ones }: SpectralProblem,
  { count, start, index, values, weights }: Lines,
  x: Float64Array,
  pitch: number,
  out: Float64Array,
  watch: Watch,
): Work<void> {
  out.fill(0)
  for (let i = 0; i < count; i++) {
    for (let k = start[i]; k < start[i + 1]; k++) {
      const factor = ones ? 1 : (weights === null ? 1 : weights[k]) * (values[k] - mean)
      const from = index[k] * pitch
      for (let c = 0; c < pitch; c++) out[i * pitch + c] += factor * x[from + c]
    }
    if (i % 16 === 0 && watch.due()) yield
  }
}

/** x times the first `rank` of the vectors. */
function* project({ data, count, width }: Tall, vectors: Float64Array, rank: number, watch: Watch): Work<Float64Array> {
  const out = new Float64Array(count * rank)
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < rank; k++) {
      let sum = 0
      for (let c = 0; c < width; c++) sum += data[i * width + c] * vectors[k * width + c]
      out[i * rank + k] = sum
    }
    if (i % 16 === 0 && watch.due()) yield
  }
  return out
}
