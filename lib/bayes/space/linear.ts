import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, nearestName } from '../../core/options.js'
import { type Coordinate, coordinateAt, type Dimension } from './dimensions.js'
import { isRecord } from './parameters.js'

/** A bound on a weighted sum of numeric parameters: `{ weights: { x: 1, y: 2 }, atMost: 3 }`. */
export interface LinearConstraint {
  /** The weight of each parameter, by name: real and integer ones that are in no branch. */
  readonly weights: Readonly<Record<string, number>>
  readonly atLeast?: number
  readonly atMost?: number
  /** Exactly, up to rounding: for real parameters that are not searched in the logarithm, such as the shares of a mixture. */
  readonly equals?: number
}

/** lower <= sum of weights[k] x[dimensions[k]] <= upper. */
export interface Row {
  dimensions: number[]
  weights: number[]
  lower: number
  upper: number
  /** What the sum can vary by within the bounds: violations are measured against it. */
  scale: number
}

const names: ReadonlySet<string> = new Set(['weights', 'atLeast', 'atMost', 'equals'])

/** Rounding of an equality's sum, relative to its scale. */
export const equalityTolerance = 1e-9

export function checkLinear(given: unknown, dimensions: readonly Dimension[]): Row[] {
  if (!Array.isArray(given)) {
    throw new ExtremaError('ERR_OPTION', `linear: expected a list of constraints, got ${describe(given)}`)
  }
  return given.map((constraint, i) => rowOf(`linear[${i}]`, constraint, dimensions))
}

function rowOf(place: string, given: unknown, dimensions: readonly Dimension[]): Row {
  if (!isRecord(given) || !isRecord(given.weights)) {
    throw new ExtremaError('ERR_OPTION', `${place}: expected { weights, atMost }, got ${describe(given)}`)
  }
  checkNames(place, given, names)
  const { weights, atLeast, atMost, equals } = given as unknown as LinearConstraint
  const bound = (name: string, value: unknown, fallback: number): number => {
    if (value === undefined) return fallback
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw new ExtremaError('ERR_OPTION', `${place}.${name}: expected a finite number, got ${describe(value)}`)
  }
  if ((equals === undefined) === (atLeast === undefined && atMost === undefined)) {
    throw new ExtremaError('ERR_OPTION', `${place}: expected atLeast, atMost or both, or equals alone, got others`)
  }
  const row: Row = {
    dimensions: [],
    weights: [],
    lower: bound('equals', equals, bound('atLeast', atLeast, Number.NEGATIVE_INFINITY)),
    upper: bound('equals', equals, bound('atMost', atMost, Number.POSITIVE_INFINITY)),
    scale: 0,
  }
  if (row.lower > row.upper) {
    throw new ExtremaError('ERR_OPTION', `${place}: expected atLeast <= atMost, got ${row.lower} and ${row.upper}`)
  }
  for (const [name, weight] of Object.entries(weights)) {
    if (typeof weight !== 'number' || !Number.isFinite(weight)) {
      throw new ExtremaError('ERR_OPTION', `${place}.${name}: expected a finite weight, got ${describe(weight)}`)
    }
    if (weight === 0) continue
    const k = numericDimension(place, name, dimensions, equals !== undefined)
    const { low, high } = dimensions[k].parameter as { low: number; high: number }
    row.dimensions.push(k)
    row.weights.push(weight)
    row.scale += Math.abs(weight) * (high - low)
  }
  if (row.weights.length === 0) {
    throw new ExtremaError('ERR_OPTION', `${place}.weights: expected a weight other than 0, got none`)
  }
  return row
}

function numericDimension(place: string, name: string, dimensions: readonly Dimension[], exact: boolean): number {
  const k = dimensions.findIndex((dimension) => dimension.name === name)
  const numeric = dimensions.filter(
    ({ parameter, parent }) =>
      parent === undefined &&
      (parameter.type === 'real' || (parameter.type === 'integer' && !exact)) &&
      !(exact && parameter.log),
  )
  if (numeric.includes(dimensions[k])) return k
  const kind = exact
    ? 'real parameter that is in no branch and not logarithmic'
    : 'real or integer parameter in no branch'
  const nearest = nearestName(
    name,
    numeric.map((dimension) => dimension.name),
  )
  const hint = nearest === undefined ? '' : `; did you mean '${nearest}'?`
  throw new ExtremaError('ERR_OPTION', `${place}.weights: expected names of a ${kind}, got '${name}'${hint}`)
}

/** How far the sum of a row is from its bounds, relative to its scale: 0 within them. */
function excess(row: Row, value: (dimension: number) => number): number {
  let sum = 0
  for (let k = 0; k < row.weights.length; k++) sum += row.weights[k] * value(row.dimensions[k])
  const beyond = Math.max(row.lower - sum, sum - row.upper, 0)
  return row.lower === row.upper && beyond <= equalityTolerance * row.scale ? 0 : beyond / row.scale
}

/** The largest violation of the rows at coordinates: 0 where all hold. */
export function violationAt(rows: readonly Row[], coordinates: readonly Coordinate[]): number {
  let worst = 0
  for (const row of rows)
    worst = Math.max(
      worst,
      excess(row, (k) => coordinates[k] as number),
    )
  return worst
}

/** The same at a point that may lie outside the unit cube, whose distance to it counts as well. */
export function violationAround(rows: readonly Row[], dimensions: readonly Dimension[], u: Float64Array): number {
  let worst = 0
  for (let k = 0; k < u.length; k++) worst = Math.max(worst, -u[k], u[k] - 1)
  const value = (k: number) => coordinateAt(dimensions[k], Math.min(1, Math.max(0, u[k])))
  for (const row of rows) if (row.lower !== row.upper) worst = Math.max(worst, excess(row, value))
  return worst
}
