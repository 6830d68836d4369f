import { ExtremaError } from '../../../core/errors.js'
import type {
  AnalyzeJob,
  CsrData,
  FactorData,
  FactorizeJob,
  FactorSolveJob,
  IncompleteCholeskyJob,
} from '../../linear-sparse.js'
import { minimumDegree } from './ordering.js'
import { type Step, segment, type Watch } from './step.js'

function inverseOf(order: Int32Array): Int32Array {
  const place = new Int32Array(order.length)
  for (let k = 0; k < order.length; k++) place[order[k]] = k
  return place
}

/** The elimination tree of the rows in their order. */
function growTree({ indptr, indices }: CsrData, { order, parent }: FactorData): void {
  const place = inverseOf(order)
  const ancestor = new Int32Array(order.length).fill(-1)
  for (let k = 0; k < order.length; k++) {
    parent[k] = -1
    for (let p = indptr[order[k]]; p < indptr[order[k] + 1]; p++) {
      let j = place[indices[p]]
      while (j >= 0 && j < k) {
        const up = ancestor[j]
        ancestor[j] = k
        if (up < 0) parent[j] = k
        j = up
      }
    }
  }
}

/** The same elimination with each subtree's rows next to each other. */
function postorder({ order, parent }: FactorData): void {
  const n = order.length
  const child = new Int32Array(n).fill(-1)
  const sibling = new Int32Array(n).fill(-1)
  for (let k = n - 1; k >= 0; k--) {
    if (parent[k] < 0) continue
    sibling[k] = child[parent[k]]
    child[parent[k]] = k
  }
  const old = order.slice()
  const stack: number[] = []
  let placed = 0
  for (let root = 0; root < n; root++) {
    if (parent[root] >= 0) continue
    stack.push(root)
    while (stack.length > 0) {
      const k = stack[stack.length - 1]
      if (child[k] >= 0) {
        stack.push(child[k])
        child[k] = sibling[child[k]]
      } else {
        stack.pop()
        order[placed++] = old[k]
      }
    }
  }
}

export function* analyzeCholesky({ matrix, natural, factor }: AnalyzeJob, monitor: Watch): Step<void> {
  const { indptr, indices } = matrix
  const { order, parent } = factor
  const n = order.length
  if (natural) {
    for (let k = 0; k < n; k++) order[k] = k
  } else {
    yield* minimumDegree(n, indptr, indices, order, monitor)
    growTree(matrix, factor)
    postorder(factor)
  }
  growTree(matrix, factor)
  // Row k of L has the columns on the paths from its entries up to k.
  const place = inverseOf(order)
  const seen = new Int32Array(n).fill(-1)
  const count = new Float64Array(n)
  for (let k = 0; k < n; k++) {
    seen[k] = k
    for (let p = indptr[order[k]]; p < indptr[order[k] + 1]; p++) {
      for (let j = place[indices[p]]; j < k && seen[j] !== k; j = parent[j]) {
        seen[j] = k
        count[j]++
      }
    }
    if (k % 256 === 0 && monitor.due()) yield
  }
  let total = 0
  for (let k = 0; k < n; k++) {
    factor.indptr[k] = total
    total += count[k]
    if (total > 2147483647) {
      throw new ExtremaError('ERR_MEMORY', 'matrix: expected a factor of fewer than 2³¹ entries, got more')
    }
  }
  factor.indptr[n] = total
}

/** native/linear/sparse-cholesky.cc, step by step. */
export function* factorizeCholesky({ matrix, positive, factor }: FactorizeJob, monitor: Watch): Step<void> {
  const { order, parent, indptr, indices, data, diagonal } = factor
  const n = order.length
  const place = inverseOf(order)
  const seen = new Int32Array(n).fill(-1)
  const end = indptr.slice(0, n)
  const stack = new Int32Array(n)
  const path = new Int32Array(n)
  const y = new Float64Array(n)
  let work = 0
  for (let k = 0; k < n; k++) {
    seen[k] = k
    // The columns of row k, each after those below it in the tree.
    let top = n
    let pivot = 0
    const i = order[k]
    for (let p = matrix.indptr[i]; p < matrix.indptr[i + 1]; p++) {
      let j = place[matrix.indices[p]]
      if (j > k) continue
      if (j === k) {
        pivot += matrix.data[p]
        continue
      }
      y[j] += matrix.data[p]
      let length = 0
      for (; seen[j] !== k; j = parent[j]) {
        path[length++] = j
        seen[j] = k
      }
      while (length > 0) stack[--top] = path[--length]
    }
    let size = Math.abs(pivot)
    for (; top < n; top++) {
      const j = stack[top]
      const value = y[j]
      y[j] = 0
      const last = end[j]
      for (let p = indptr[j]; p < last; p++) y[indices[p]] -= data[p] * value
      work += last - indptr[j]
      const entry = value / diagonal[j]
      pivot -= entry * value
      size = Math.max(size, Math.abs(entry * value))
      indices[last] = k
      data[last] = entry
      end[j]++
    }
    // What is left of a pivot that should be zero is rounding error.
    const isZero = Math.abs(pivot) <= 1e-14 * size
    if (isZero || !Number.isFinite(pivot) || (positive && !(pivot > 0))) refusePivot(i, isZero ? 0 : pivot, positive)
    diagonal[k] = pivot
    if (work < segment && k % 1024 !== 0) continue
    work = 0
    monitor.progress(k, n - k)
    if (monitor.due()) yield
  }
}

function refusePivot(i: number, pivot: number, positive: boolean): never {
  const place = `matrix[${i}][${i}]: expected`
  const came = `got a pivot of ${pivot}`
  if (!Number.isFinite(pivot)) {
    throw new ExtremaError('ERR_NOT_FINITE', `${place} a pivot within the range of float64, ${came}`)
  }
  if (positive) throw new ExtremaError('ERR_NOT_POSITIVE', `${place} a positive definite matrix, ${came}`)
  throw new ExtremaError('ERR_SINGULAR', `${place} a matrix with pivots other than 0, ${came}`)
}

export function* solveCholesky({ factor, b, x }: FactorSolveJob, monitor: Watch): Step<void> {
  const { order, indptr, indices, data, diagonal } = factor
  const n = order.length
  const count = b.length / n
  const y = new Float64Array(n)
  for (let c = 0; c < count; c++) {
    for (let k = 0; k < n; k++) y[k] = b[order[k] * count + c]
    for (let j = 0; j < n; j++) {
      const value = y[j]
      for (let p = indptr[j]; p < indptr[j + 1]; p++) y[indices[p]] -= data[p] * value
      if (j % 1024 === 0 && monitor.due()) yield
    }
    for (let j = n - 1; j >= 0; j--) {
      let value = y[j] / diagonal[j]
      for (let p = indptr[j]; p < indptr[j + 1]; p++) value -= data[p] * y[indices[p]]
      y[j] = value
      if (j % 1024 === 0 && monitor.due()) yield
    }
    for (let k = 0; k < n; k++) x[order[k] * count + c] = y[k]
  }
}

export function* incompleteCholesky({ matrix, lower, shift }: IncompleteCholeskyJob, monitor: Watch): Step<void> {
  const n = matrix.rows
  const { indptr, indices, data } = lower
  const w = new Float64Array(n)
  for (;;) {
    let done = true
    for (let i = 0; i < n && done; i++) {
      const begin = indptr[i]
      const end = indptr[i + 1] - 1
      for (let k = matrix.indptr[i]; k < matrix.indptr[i + 1] && matrix.indices[k] <= i; k++) {
        w[matrix.indices[k]] = matrix.data[k]
      }
      let pivot = w[i] * (1 + shift[0])
      for (let k = begin; k < end; k++) {
        const j = indices[k]
        const last = indptr[j + 1] - 1
        let sum = w[j]
        for (let l = indptr[j]; l < last; l++) sum -= data[l] * w[indices[l]]
        const entry = sum / data[last]
        w[j] = entry
        data[k] = entry
        pivot -= entry * entry
      }
      for (let k = begin; k <= end; k++) w[indices[k]] = 0
      done = pivot > 0 && Number.isFinite(pivot)
      data[end] = Math.sqrt(pivot)
      if (i % segment === 0 && monitor.due()) yield
    }
    if (done) return
    // Manteuffel, Math. Comp. 34 (1980), 473-497.
    shift[0] = Math.max(1e-3, 2 * shift[0])
    if (shift[0] > 1e3) {
      throw new ExtremaError(
        'ERR_NOT_POSITIVE',
        'matrix: expected a positive definite one, got pivots that no shift mends',
      )
    }
  }
}
