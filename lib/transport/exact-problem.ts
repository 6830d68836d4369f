import type { CsrParts } from '../backend/kernels.js'
import type { ExactProblemData } from '../backend/transport-exact.js'
import { type Csr, checkBuffer, type MatrixLike, shapeText, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'
import { balance, type CheckedProblem, checkProblem, type PointCloudCost, readWeights } from './problem.js'

export interface ExactTransportProblem {
  /**
   * n × m costs of moving one unit, or points; Infinity forbids an arc. A contiguous typed array is used in place. Or the
   * arcs there are, as compressed rows: one that is not stored is forbidden, a stored 0 is an arc that costs nothing.
   */
  cost: MatrixLike | PointCloudCost | Csr
  /** Weights of the n sources, >= 0. Default: 1/n each. */
  a?: VectorLike
  /** Weights of the m targets, >= 0, with the same total as `a` (to 1e-6 relative; they are rescaled to it). Default: 1/m each. */
  b?: VectorLike
}

/** A problem as the kernel takes it, and how to get back from it to the caller's nodes. */
export interface CheckedExactProblem {
  n: number
  m: number
  /** All weights. */
  a: Float64Array
  b: Float64Array
  /** The nodes with weight. */
  reduced: ExactProblemData
  /** Original number of each reduced row and column; null when nothing was taken out. */
  rows: Int32Array | null
  columns: Int32Array | null
  /** All arcs, or the problem with a matrix or points. */
  whole: CsrParts | CheckedProblem
}

export function checkExactProblem(problem: ExactTransportProblem, copySmall: boolean): CheckedExactProblem {
  if (typeof problem === 'object' && problem !== null && isCsr(problem.cost)) return checkListed(problem, problem.cost)
  const checked = checkProblem(
    problem as Exclude<ExactTransportProblem, { cost: Csr }> & { cost: MatrixLike },
    copySmall,
  )
  const { n, m, full, reduced, rows, columns } = checked
  const { a, b } = full
  return { n, m, a, b, reduced: dataOf(reduced.n, reduced.m, reduced, reduced), rows, columns, whole: checked }
}

function dataOf(
  n: number,
  m: number,
  cost: ExactProblemData['cost'],
  { a, b }: { a: Float64Array; b: Float64Array },
): ExactProblemData {
  return { n, m, cost, a, b }
}

export function isCsr(cost: unknown): cost is Csr {
  return typeof cost === 'object' && cost !== null && 'indptr' in cost
}

const problemNames: ReadonlySet<string> = new Set(['cost', 'a', 'b'])

function checkListed(problem: ExactTransportProblem, cost: Csr): CheckedExactProblem {
  checkNames('problem', problem, problemNames)
  const { n, m, arcs } = readArcs(cost)
  const of = () => `the ${shapeText(n, m)} cost`
  const a = readWeights('a', problem.a, n, of)
  const b = readWeights('b', problem.b, m, of)
  balance(a.total, b)
  const weights = { a: a.weights, b: b.weights }
  const whole = { n, m, ...weights, whole: arcs }
  if (!a.zeros && !b.zeros) return { ...whole, reduced: dataOf(n, m, arcs, weights), rows: null, columns: null }
  const rows = withWeight(a.weights)
  const columns = withWeight(b.weights)
  const kept = { a: Float64Array.from(rows, (i) => a.weights[i]), b: Float64Array.from(columns, (j) => b.weights[j]) }
  return {
    ...whole,
    reduced: dataOf(rows.length, columns.length, takeArcs(arcs, rows, columns, m), kept),
    rows,
    columns,
  }
}

/** Copied: nobody may change an index that has been checked. */
function readArcs(cost: Csr): { n: number; m: number; arcs: CsrParts } {
  const { shape } = cost
  const [n, m] = [shape?.[0], shape?.[1]]
  if (shape?.length !== 2 || !(Number.isSafeInteger(n) && Number.isSafeInteger(m) && n > 0 && m > 0)) {
    throw new ExtremaError('ERR_SHAPE', `cost.shape: expected two whole numbers > 0, got ${describe(shape)} ${shape}`)
  }
  const indptr = readIndices('indptr', cost.indptr)
  const indices = readIndices('indices', cost.indices)
  const data = toFloat64('cost.data', cost.data).slice()
  if (indptr.length !== n + 1) {
    throw new ExtremaError('ERR_SHAPE', `cost.indptr: expected ${n + 1} offsets for ${n} rows, got ${indptr.length}`)
  }
  if (indices.length !== data.length) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `cost.indices: expected as many as the ${data.length} numbers of data, got ${indices.length}`,
    )
  }
  for (let i = 0; i <= n; i++) {
    const least = i === 0 ? 0 : indptr[i - 1]
    const most = i === 0 ? 0 : data.length
    if (indptr[i] >= least && indptr[i] <= most && (i < n || indptr[i] === data.length)) continue
    throw new ExtremaError(
      'ERR_SHAPE',
      `cost.indptr[${i}]: expected offsets that ascend from 0 to ${data.length}, got ${indptr[i]}`,
    )
  }
  const bad = indices.findIndex((j) => j < 0 || j >= m)
  if (bad >= 0) {
    throw new ExtremaError('ERR_SHAPE', `cost.indices[${bad}]: expected a column below ${m}, got ${indices[bad]}`)
  }
  if (data.length === 0) {
    throw new ExtremaError('ERR_INFEASIBLE', 'cost: expected arcs for all mass, got none')
  }
  return { n, m, arcs: { indptr, indices, data } }
}

function readIndices(name: string, given: unknown): Int32Array {
  if (given instanceof Int32Array) {
    checkBuffer(`cost.${name}`, given)
    return given.slice()
  }
  if (!Array.isArray(given)) {
    throw new ExtremaError('ERR_SHAPE', `cost.${name}: expected an Int32Array, got ${describe(given)}`)
  }
  return Int32Array.from(given, (value, k) => {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) return value
    throw new ExtremaError('ERR_SHAPE', `cost.${name}[${k}]: expected a whole number, got ${describe(value)}`)
  })
}

function withWeight(weights: Float64Array): Int32Array {
  const kept: number[] = []
  weights.forEach((weight, i) => {
    if (weight > 0) kept.push(i)
  })
  return Int32Array.from(kept)
}

function takeArcs(arcs: CsrParts, rows: Int32Array, columns: Int32Array, m: number): CsrParts {
  const place = new Int32Array(m).fill(-1)
  columns.forEach((j, k) => {
    place[j] = k
  })
  const indptr = new Int32Array(rows.length + 1)
  const indices: number[] = []
  const data: number[] = []
  rows.forEach((i, r) => {
    for (let k = arcs.indptr[i]; k < arcs.indptr[i + 1]; k++) {
      const j = place[arcs.indices[k]]
      if (j < 0) continue
      indices.push(j)
      data.push(arcs.data[k])
    }
    indptr[r + 1] = indices.length
  })
  if (data.length === 0) {
    throw new ExtremaError('ERR_INFEASIBLE', 'cost: expected arcs between nodes with weight, got none')
  }
  return { indptr, indices: Int32Array.from(indices), data: Float64Array.from(data) }
}
