import type { Categorical, Integer, Ordinal, ParameterMap, Real } from './parameters.js'

/** The choice of a conditional parameter's branch. */
export interface Switch {
  readonly type: 'switch'
  readonly values: readonly string[]
}

/** One coordinate of the unit cube: a parameter that is searched, or the choice of a branch. */
export interface Dimension {
  /** `momentum`, or with the branches on the way to it: `optimizer.sgd.momentum`. */
  readonly name: string
  /** The names on the way through a point: `['optimizer', 'momentum']`. */
  readonly path: readonly string[]
  readonly parameter: Real | Integer | Categorical | Ordinal | Switch
  /** Values there are; infinite for a real parameter. */
  readonly cells: number
  /** It exists only where that earlier dimension takes that branch. */
  readonly parent: { readonly dimension: number; readonly branch: number } | undefined
}

/** All dimensions, each after the one that decides whether it exists. */
export function dimensionsOf(parameters: ParameterMap): Dimension[] {
  const dimensions: Dimension[] = []
  collect(parameters, '', [], undefined, dimensions)
  return dimensions
}

function collect(
  parameters: ParameterMap,
  prefix: string,
  path: readonly string[],
  parent: Dimension['parent'],
  dimensions: Dimension[],
): void {
  for (const [key, parameter] of Object.entries(parameters)) {
    const name = `${prefix}${key}`
    const here = [...path, key]
    if (parameter.type === 'fixed') continue
    if (parameter.type !== 'conditional') {
      dimensions.push({ name, path: here, parameter, cells: cellCount(parameter), parent })
      continue
    }
    const branches = Object.entries(parameter.branches)
    const values = branches.map(([branch]) => branch)
    const dimension = dimensions.length
    const at = [...here, 'choice']
    dimensions.push({ name, path: at, parameter: { type: 'switch', values }, cells: values.length, parent })
    for (const [k, [branch, inner]] of branches.entries()) {
      collect(inner, `${name}.${branch}.`, here, { dimension, branch: k }, dimensions)
    }
  }
}

function cellCount(parameter: Real | Integer | Categorical | Ordinal): number {
  if (parameter.type === 'real') return Number.POSITIVE_INFINITY
  if (parameter.type === 'integer') return (parameter.high - parameter.low) / (parameter.step ?? 1) + 1
  return parameter.values.length
}

/** Points there are without constraints, `Infinity` if a real parameter is among them. */
export function cardinalityOf(parameters: ParameterMap): number {
  let product = 1
  for (const parameter of Object.values(parameters)) {
    if (parameter.type === 'fixed') continue
    product *=
      parameter.type === 'conditional'
        ? Object.values(parameter.branches).reduce((sum, inner) => sum + cardinalityOf(inner), 0)
        : cellCount(parameter)
  }
  return product
}

/**
 * A coordinate of a point: the value of a number, the place in the list of anything else. null: it does not exist in the
 * branch chosen.
 */
export type Coordinate = number | null

/** The coordinate at u in [0, 1). */
export function coordinateAt({ parameter, cells }: Dimension, u: number): number {
  if (parameter.type === 'real') {
    const { low, high, log } = parameter
    const value = log ? Math.exp(Math.log(low) + u * (Math.log(high) - Math.log(low))) : low + u * (high - low)
    return Math.min(high, Math.max(low, value))
  }
  if (parameter.type === 'integer') {
    const { low, high, log, step = 1 } = parameter
    if (!log) return low + step * Math.min(cells - 1, Math.max(0, Math.floor(u * cells)))
    // Each whole number has the share of [low - 1/2, high + 1/2] that rounds to it.
    const value = Math.round((low - 0.5) * Math.exp(u * Math.log((high + 0.5) / (low - 0.5))))
    return Math.min(high, Math.max(low, value))
  }
  return Math.min(cells - 1, Math.max(0, Math.floor(u * cells)))
}

/** The middle of the u that give the coordinate. */
export function unitOf({ parameter, cells }: Dimension, coordinate: number): number {
  if (parameter.type === 'real') {
    const { low, high, log } = parameter
    return log
      ? (Math.log(coordinate) - Math.log(low)) / (Math.log(high) - Math.log(low))
      : (coordinate - low) / (high - low)
  }
  if (parameter.type === 'integer') {
    const { low, high, log, step = 1 } = parameter
    if (log) return Math.log(coordinate / (low - 0.5)) / Math.log((high + 0.5) / (low - 0.5))
    return ((coordinate - low) / step + 0.5) / cells
  }
  return (coordinate + 0.5) / cells
}

/** Coordinate number `cell` of a dimension with finitely many. */
export function coordinateOfCell({ parameter }: Dimension, cell: number): number {
  return parameter.type === 'integer' ? parameter.low + cell * (parameter.step ?? 1) : cell
}
