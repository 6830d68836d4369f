import { type Csr, type MatrixLike, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames } from '../core/options.js'
import { checkMatrix } from './matrix.js'
import type { QuadraticProblem } from './problem.js'

export interface LabelPropagation {
  /** n × n, symmetric: weights >= 0 of the edges. The diagonal is left out. */
  weights: MatrixLike | Csr
  /** Nodes with labels, each once. */
  labelled: ArrayLike<number>
  /** Their labels. */
  labels: VectorLike
}

/** ½ Σ_ij weights_ij (y_i - y_j)² / 2 over the labels y of the other nodes, as a quadratic problem. */
export interface LabelProblem {
  problem: QuadraticProblem & { A: Csr; b: Float64Array }
  /** The node of each unknown. */
  unlabelled: Int32Array
  /** All labels: those given, and x for the others. */
  expand(x: Float64Array): Float64Array
}

const names: ReadonlySet<string> = new Set(['weights', 'labelled', 'labels'])

/**
 * Label propagation on a graph (Bengio, Delalleau, Le Roux 2006): the labels y of all nodes that make
 * ½ Σ_{i<j} weights_ij (y_i - y_j)² least, where some are known. The unknown ones minimize ½ xᵀA x - bᵀx with the
 * Laplacian's block A; a forest among them can be solved at once.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE` (a negative weight), `ERR_OPTION`
 */
export function labelPropagation(given: LabelPropagation): LabelProblem {
  checkNames('labelPropagation', given, names)
  const matrix = checkMatrix('weights', given.weights)
  const n = matrix.rows
  if (matrix.columns !== n) {
    throw new ExtremaError('ERR_SHAPE', `weights: expected a square matrix, got ${n}×${matrix.columns}`)
  }
  const labels = toFloat64('labels', given.labels)
  const { labelled } = given
  if (labels.length !== labelled.length) {
    throw new ExtremaError('ERR_SHAPE', `labels: expected ${labelled.length} numbers, got ${labels.length}`)
  }
  const y = new Float64Array(n)
  const isKnown = new Uint8Array(n)
  for (let k = 0; k < labelled.length; k++) {
    const i = labelled[k]
    if (!Number.isInteger(i) || i < 0 || i >= n || isKnown[i] === 1) {
      throw new ExtremaError('ERR_SHAPE', `labelled[${k}]: expected nodes below ${n}, each once, got ${i}`)
    }
    if (!Number.isFinite(labels[k])) {
      throw new ExtremaError('ERR_NOT_FINITE', `labels[${k}]: expected a finite number, got ${labels[k]}`)
    }
    isKnown[i] = 1
    y[i] = labels[k]
  }
  const unlabelled = Int32Array.from({ length: n }, (_, i) => i).filter((i) => isKnown[i] === 0)
  const number = new Int32Array(n).fill(-1)
  for (let k = 0; k < unlabelled.length; k++) number[unlabelled[k]] = k
  const b = new Float64Array(unlabelled.length)
  const indptr = new Int32Array(unlabelled.length + 1)
  const indices: number[] = []
  const data: number[] = []
  for (let k = 0; k < unlabelled.length; k++) {
    const i = unlabelled[k]
    const diagonal = indices.length
    let degree = 0
    let before = 0
    const add = (j: number, weight: number) => {
      if (j === i || weight === 0) return
      if (weight < 0) {
        throw new ExtremaError('ERR_NOT_POSITIVE', `weights[${i}][${j}]: expected a number >= 0, got ${weight}`)
      }
      degree += weight
      if (isKnown[j] === 1) {
        b[k] += weight * y[j]
        return
      }
      if (j < i) before++
      indices.push(number[j])
      data.push(-weight)
    }
    if (matrix.dense !== null) for (let j = 0; j < n; j++) add(j, matrix.dense[i * n + j])
    else for (let e = matrix.indptr![i]; e < matrix.indptr![i + 1]; e++) add(matrix.indices![e], matrix.data![e])
    indices.splice(diagonal + before, 0, k)
    data.splice(diagonal + before, 0, degree)
    indptr[k + 1] = indices.length
  }
  const size = unlabelled.length
  const A: Csr = { shape: [size, size], indptr, indices: Int32Array.from(indices), data: Float64Array.from(data) }
  return {
    problem: { loss: 'quadratic', A, b },
    unlabelled,
    expand(x) {
      const out = y.slice()
      for (let k = 0; k < size; k++) out[unlabelled[k]] = x[k]
      return out
    },
  }
}
