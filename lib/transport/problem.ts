import { type Metric, metrics, type TransportProblemData } from '../backend/kernels.js'
import {
  checkFinite,
  copyIfSmall,
  type FloatArray,
  type MatrixLike,
  shapeText,
  toDenseMatrix,
  toFloat64,
  type VectorLike,
} from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, oneOf } from '../core/options.js'

export type PointMetric = Exclude<Metric, 'dense'>

/** A cost between two point clouds, computed where it is needed and never stored. Made by {@link pointCloud}. */
export interface PointCloudCost {
  readonly kind: 'points'
  readonly metric: PointMetric
  /** n × d source points. */
  readonly x: { data: FloatArray; rows: number; columns: number }
  /** m × d target points. */
  readonly y: { data: FloatArray; rows: number; columns: number }
}

export interface TransportProblem {
  /** n × m costs of moving one unit, or points; Infinity forbids an arc. A contiguous typed array is used in place. */
  cost: MatrixLike | PointCloudCost
  /** Weights of the n sources, >= 0. Default: 1/n each. */
  a?: VectorLike
  /** Weights of the m targets, >= 0, with the same total as `a` (to 1e-6 relative; they are rescaled to it). Default: 1/m each. */
  b?: VectorLike
}

const pointOptions: ReadonlySet<string> = new Set(['cost'])
const pointMetrics = metrics.filter((metric): metric is PointMetric => metric !== 'dense')

/**
 * The cost between source points `x` (n × d) and target points `y` (m × d), for use as `problem.cost`. It is computed on
 * the fly: a solve takes O((n + m) d) memory.
 *
 * `cost` is `'sqeuclidean'` (default, |x - y|²), `'euclidean'`, `'cosine'` (1 - x·y / |x||y|) or `'cityblock'` (L1). For
 * a function of your own see `costMatrix`.
 */
export function pointCloud(x: MatrixLike, y: MatrixLike, options: { cost?: PointMetric } = {}): PointCloudCost {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `pointCloud options: expected { cost }, got ${describe(options)}`)
  }
  checkNames('pointCloud options', options, pointOptions)
  if (typeof options.cost === 'function') {
    throw new ExtremaError('ERR_OPTION', 'cost: expected the name of a cost, got a function; costMatrix takes it')
  }
  const metric = oneOf('cost', options.cost, pointMetrics, 'sqeuclidean')
  const source = toDenseMatrix('x', x)
  const target = toDenseMatrix('y', y)
  if (source.rows === 0 || source.columns === 0 || target.rows === 0 || target.columns !== source.columns) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `x, y: expected non-empty n×d and m×d points, got ${shapeText(source.rows, source.columns)} and ${shapeText(target.rows, target.columns)}`,
    )
  }
  checkPoints('x', source.data, source.columns, metric)
  checkPoints('y', target.data, target.columns, metric)
  return { kind: 'points', metric, x: source, y: target }
}

export function checkPoints(name: string, data: FloatArray, dimension: number, metric: PointMetric): void {
  checkFinite(name, data, { columns: dimension, what: 'coordinate' })
  if (metric !== 'cosine') return
  for (let i = 0; i < data.length; i += dimension) {
    if (data.subarray(i, i + dimension).some((value) => value !== 0)) continue
    const where = `${name}[${i / dimension}]`
    throw new ExtremaError(
      'ERR_NOT_POSITIVE',
      `${where}: expected a point other than the origin for a cosine, got zeros`,
    )
  }
}

/** A problem as the kernels take it, and how to get back from it to the caller's nodes. */
export interface CheckedProblem {
  n: number
  m: number
  /** The whole cost, for reading the plan off the solution. */
  full: TransportProblemData
  /** The nodes with weight; the same object as `full` when all have. */
  reduced: TransportProblemData
  /** Original number of each reduced row and column; null when nothing was taken out. */
  rows: Int32Array | null
  columns: Int32Array | null
}

const problemNames: ReadonlySet<string> = new Set(['cost', 'a', 'b'])

/** `balanced`: the totals of a and b have to agree. */
export function checkProblem(problem: TransportProblem, copySmall: boolean, balanced = true): CheckedProblem {
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { cost, a, b }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, problemNames)
  const cost = readCost(problem.cost, copySmall)
  const { n, m } = cost
  const shape = () => `the ${shapeText(n, m)} cost`
  const a = readWeights('a', problem.a, n, shape)
  const b = readWeights('b', problem.b, m, shape)
  if (balanced) balance(a.total, b)
  // Written out: spreading an object costs more than a small solve.
  const { metric, x, y, d } = cost
  const full = { n, m, metric, x, y, d, a: a.weights, b: b.weights }
  if (!a.zeros && !b.zeros) return { n, m, full, reduced: full, rows: null, columns: null }
  const rows = positiveIndices(a.weights)
  const columns = positiveIndices(b.weights)
  return { n, m, full, reduced: reduce(full, rows, columns), rows, columns }
}

type CostPart = Omit<TransportProblemData, 'a' | 'b'>

function readCost(cost: TransportProblem['cost'], copySmall: boolean): CostPart {
  if (typeof cost === 'object' && cost !== null && (cost as PointCloudCost).kind === 'points') {
    return readPoints(cost as PointCloudCost, copySmall)
  }
  const given = cost as MatrixLike
  const matrix = toDenseMatrix('cost', given)
  if (matrix.rows === 0 || matrix.columns === 0) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `cost: expected a non-empty matrix, got ${shapeText(matrix.rows, matrix.columns)}`,
    )
  }
  const data = copySmall ? copyIfSmall(matrix.data) : matrix.data
  return { n: matrix.rows, m: matrix.columns, metric: 'dense', x: data, y: null, d: 0 }
}

/** Checked again at every use: since pointCloud made it, its memory may have changed, or gone. */
function readPoints(cost: PointCloudCost, copySmall: boolean): CostPart {
  const metric = oneOf('cost.metric', cost.metric, pointMetrics, 'sqeuclidean')
  const [x, y] = (['x', 'y'] as const).map((side) => {
    const { data, rows, columns } = toDenseMatrix(`cost.${side}`, asMatrix(cost[side]))
    checkPoints(`cost.${side}`, data, columns, metric)
    return { data: copySmall ? copyIfSmall(data) : data, rows, columns }
  })
  if (x.rows === 0 || x.columns === 0 || y.rows === 0 || y.columns !== x.columns) {
    throw new ExtremaError('ERR_SHAPE', 'cost: expected a cost made by pointCloud, got another object')
  }
  return { n: x.rows, m: y.rows, metric, x: x.data, y: y.data, d: x.columns }
}

function asMatrix(cloud: PointCloudCost['x']): MatrixLike {
  return { data: cloud?.data, shape: [cloud?.rows, cloud?.columns] }
}

export interface Weights {
  weights: Float64Array
  total: number
  zeros: boolean
}

/** Weights >= 0 of `length` nodes, in an array of our own; uniform ones where none are given. `of` names what they weigh. */
export function readWeights(name: string, given: VectorLike | undefined, length: number, of: () => string): Weights {
  if (given === undefined) return { weights: uniformWeights(length), total: 1, zeros: false }
  const vector = toFloat64(name, given)
  if (vector.length !== length) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${length} weights to match ${of()}, got ${vector.length}`)
  }
  const weights = vector === given ? vector.slice() : vector
  let total = 0
  let zeros = false
  for (let i = 0; i < length; i++) {
    const weight = weights[i]
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY)) {
      const code = weight < 0 && weight > Number.NEGATIVE_INFINITY ? 'ERR_NOT_POSITIVE' : 'ERR_NOT_FINITE'
      throw new ExtremaError(code, `${name}[${i}]: expected a finite weight >= 0, got ${weight}`)
    }
    if (weight === 0) zeros = true
    total += weight
  }
  if (!(total > 0 && total < Number.POSITIVE_INFINITY)) {
    throw new ExtremaError('ERR_MASS', `${name}: expected weights with a positive finite total, got ${total}`)
  }
  return { weights, total, zeros }
}

/** Rescales b to the total of a, if they differ by rounding only. */
export function balance(total: number, b: Weights): void {
  if (b.total === total) return
  if (Math.abs(b.total - total) > 1e-6 * total) {
    throw new ExtremaError(
      'ERR_MASS',
      `a, b: expected equal totals (to 1e-6), got ${total} and ${b.total}; rescale one of them`,
    )
  }
  const factor = total / b.total
  b.weights = b.weights.map((weight) => weight * factor) // never in place: uniform weights are shared
}

let uniform = new Float64Array(0)

/** The same array for the same length, as the problems of a batch ask for it over and over; nobody writes to weights. */
function uniformWeights(length: number): Float64Array {
  if (uniform.length !== length) uniform = new Float64Array(length).fill(1 / length)
  return uniform
}

function positiveIndices(weights: Float64Array): Int32Array {
  const indices: number[] = []
  for (let i = 0; i < weights.length; i++) if (weights[i] > 0) indices.push(i)
  return Int32Array.from(indices)
}

function reduce(full: TransportProblemData, rows: Int32Array, columns: Int32Array): TransportProblemData {
  const a = Float64Array.from(rows, (i) => full.a[i])
  const b = Float64Array.from(columns, (j) => full.b[j])
  const sizes = { n: rows.length, m: columns.length, a, b }
  if (full.metric !== 'dense') {
    return { ...full, ...sizes, x: takeRows(full.x, full.d, rows), y: takeRows(full.y as FloatArray, full.d, columns) }
  }
  const x = emptyLike(full.x, rows.length * columns.length)
  for (let i = 0, k = 0; i < rows.length; i++) {
    const offset = rows[i] * full.m
    for (let j = 0; j < columns.length; j++) x[k++] = full.x[offset + columns[j]]
  }
  return { ...full, ...sizes, x }
}

function takeRows(data: FloatArray, width: number, rows: Int32Array): FloatArray {
  const out = emptyLike(data, rows.length * width)
  rows.forEach((row, i) => {
    out.set(data.subarray(row * width, (row + 1) * width), i * width)
  })
  return out
}

function emptyLike(data: FloatArray, length: number): FloatArray {
  return data instanceof Float32Array ? new Float32Array(length) : new Float64Array(length)
}
