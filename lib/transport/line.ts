import { checkFinite, type MatrixLike, shapeText, toDenseMatrix, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, positive, type SolverOptions } from '../core/options.js'
import { balance, readWeights } from './problem.js'

// What the methods on the line share: samples, weights and the options that apply to them.

export interface Samples {
  /** n × d points, row-major. */
  x: Float64Array
  y: Float64Array
  a: Float64Array
  b: Float64Array
  n: number
  m: number
  d: number
}

const sampleNames: ReadonlySet<string> = new Set(['x', 'y', 'a', 'b'])

interface Given<T> {
  x: T
  y: T
  a?: VectorLike
  b?: VectorLike
}

function checkGiven(problem: object): void {
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { x, y, a, b }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, sampleNames)
}

/** Copies: the caller may go on using the memory. */
export function checkLineSamples(problem: Given<VectorLike>): Samples {
  checkGiven(problem)
  const [x, y] = (['x', 'y'] as const).map((side) => {
    const values = toFloat64(side, problem[side]).slice()
    if (values.length === 0) throw new ExtremaError('ERR_SHAPE', `${side}: expected at least one number, got none`)
    return checkFinite(side, values, { what: 'coordinate' })
  })
  return withWeights(problem, x, y, 1)
}

export function checkCloudSamples(problem: Given<MatrixLike>): Samples {
  checkGiven(problem)
  const x = toDenseMatrix('x', problem.x)
  const y = toDenseMatrix('y', problem.y)
  if (x.rows === 0 || x.columns === 0 || y.rows === 0 || x.columns !== y.columns) {
    const shapes = `${shapeText(x.rows, x.columns)} and ${shapeText(y.rows, y.columns)}`
    throw new ExtremaError('ERR_SHAPE', `x, y: expected non-empty n×d and m×d points, got ${shapes}`)
  }
  const d = x.columns
  const [source, target] = [x, y].map(({ data }, side) =>
    checkFinite('xy'[side], Float64Array.from(data), { columns: d, what: 'coordinate' }),
  )
  return withWeights(problem, source, target, d)
}

function withWeights(problem: Given<unknown>, x: Float64Array, y: Float64Array, d: number): Samples {
  const n = x.length / d
  const m = y.length / d
  const a = readWeights('a', problem.a, n, () => `the ${n} points of x`)
  const b = readWeights('b', problem.b, m, () => `the ${m} points of y`)
  balance(a.total, b)
  return { x, y, a: a.weights, b: b.weights, n, m, d }
}

export interface LineOptions
  extends Pick<SolverOptions, 'timeLimit' | 'threads' | 'signal' | 'onProgress' | 'backend'> {
  /** The p of the cost |x - y|^p, at least 1. */
  order?: number
}

/** The p of |x - y|^p. */
export function checkOrder(options: LineOptions, fallback: number): number {
  const order = positive('order', options.order, fallback)
  if (order >= 1) return order
  throw new ExtremaError('ERR_OPTION', `order: expected a number >= 1, got ${order}`)
}

/** Points may be so far apart that their cost overflows. */
export function checkCost(value: number): number {
  if (Number.isFinite(value)) return value
  throw new ExtremaError('ERR_NOT_FINITE', `x, y: expected points whose cost |x - y|^order is finite, got ${value}`)
}
