import {
  checkFinite,
  type MatrixLike,
  shapeText,
  toDenseMatrix,
  toFloat64,
  type VectorLike,
} from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'

/** Finite points, row-major. */
export interface Points {
  data: Float64Array
  rows: number
  columns: number
}

/** A matrix of points; its memory may be the caller's. */
export function readPoints(name: string, value: MatrixLike): Points {
  const { data, rows, columns } = toDenseMatrix(name, value)
  const points = data instanceof Float64Array ? data : Float64Array.from(data)
  checkFinite(name, points, { columns, what: 'coordinate' })
  return { data: points, rows, columns }
}

/** One point or many. */
export type PointsLike = VectorLike | MatrixLike

/** The points a fitted model is asked about, and the shape of what it says of each: none for a single one. */
export interface Query extends Points {
  shape: number[]
}

/** A vector is one point, a matrix has one per row. */
export function readQuery(name: string, value: PointsLike, dimension: number): Query {
  const single = isVector(value)
  const points = single ? readPoint(name, value) : readPoints(name, value as MatrixLike)
  const { rows, columns } = points
  if (columns !== dimension || rows === 0) {
    const came = single ? `${columns} numbers` : shapeText(rows, columns)
    throw new ExtremaError('ERR_SHAPE', `${name}: expected points of ${dimension} coordinates, got ${came}`)
  }
  return { ...points, shape: single ? [] : [rows] }
}

function isVector(value: PointsLike): value is VectorLike {
  if (typeof value !== 'object' || value === null || 'shape' in value) return false
  return typeof (value as ArrayLike<unknown>)[0] === 'number'
}

function readPoint(name: string, value: VectorLike): Points {
  const data = checkFinite(name, toFloat64(name, value), { what: 'coordinate' })
  return { data, rows: 1, columns: data.length }
}
