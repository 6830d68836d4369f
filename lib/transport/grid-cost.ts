import type { CostData } from '../backend/kernels.js'
import type { CostAxis } from '../backend/transport-barycenter.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, positive } from '../core/options.js'

/** Squared distances between the points of a regular grid, never formed. Made by {@link gridCost}. */
export interface GridCost {
  readonly kind: 'grid'
  /** Points along each axis; the last axis runs fastest. */
  readonly shape: readonly number[]
  /** Distance of neighbours along each axis. */
  readonly spacing: readonly number[]
}

export interface GridOptions {
  /** Distance of neighbours, for all axes or each. Default: such that the longest axis has length 1. */
  spacing?: number | ArrayLike<number>
  /** Instead of `spacing`: the first and the last coordinate along each axis. */
  bounds?: ArrayLike<ArrayLike<number>>
}

const names: ReadonlySet<string> = new Set(['spacing', 'bounds'])

/**
 * The cost |x - y|² between the points of a regular grid of n1 × n2 × … points, for use as `problem.cost` of a barycenter.
 * It is a sum over the axes, so that products with its kernel go axis by axis: O(N (n1 + n2 + …)) time and O(N) memory
 * for N = n1 n2 … points. The points of a histogram over the grid are in row-major order, the last axis fastest.
 */
export function gridCost(shape: ArrayLike<number>, options: GridOptions = {}): GridCost {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError(
      'ERR_OPTION',
      `gridCost options: expected { spacing } or { bounds }, got ${describe(options)}`,
    )
  }
  checkNames('gridCost options', options, names)
  const sizes = checkShape(shape)
  const { spacing, bounds } = options
  if (spacing !== undefined && bounds !== undefined) {
    throw new ExtremaError('ERR_OPTION', 'gridCost options: expected spacing or bounds, got both')
  }
  if (bounds !== undefined) return { kind: 'grid', shape: sizes, spacing: fromBounds(bounds, sizes) }
  const longest = Math.max(...sizes)
  const given = spacing ?? (longest > 1 ? 1 / (longest - 1) : 1)
  return { kind: 'grid', shape: sizes, spacing: checkSpacing(given, sizes.length) }
}

function checkShape(shape: ArrayLike<number>): number[] {
  const sizes = typeof shape === 'object' && shape !== null ? Array.from(shape) : []
  const right = sizes.length > 0 && sizes.every((n) => Number.isSafeInteger(n) && n > 0)
  if (right && sizes.reduce((product, n) => product * n, 1) < 2 ** 31) return sizes
  const came = sizes.length > 0 ? `[${sizes}]` : describe(shape)
  throw new ExtremaError('ERR_SHAPE', `shape: expected whole numbers > 0 with a product below 2^31, got ${came}`)
}

function checkSpacing(given: number | ArrayLike<number>, axes: number): number[] {
  const steps = typeof given === 'number' ? new Array<number>(axes).fill(given) : Array.from(given ?? [])
  if (steps.length !== axes) {
    throw new ExtremaError('ERR_SHAPE', `spacing: expected a number or ${axes} of them, got ${describe(given)}`)
  }
  return steps.map((step, axis) => positive(typeof given === 'number' ? 'spacing' : `spacing[${axis}]`, step))
}

function fromBounds(bounds: ArrayLike<ArrayLike<number>>, sizes: number[]): number[] {
  if (typeof bounds !== 'object' || bounds === null || bounds.length !== sizes.length) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `bounds: expected ${sizes.length} pairs of coordinates, got ${describe(bounds)}`,
    )
  }
  return sizes.map((n, axis) => {
    const [low, high] = [bounds[axis]?.[0], bounds[axis]?.[1]]
    if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
      throw new ExtremaError(
        'ERR_OPTION',
        `bounds[${axis}]: expected a lower and an upper bound, got [${low}, ${high}]`,
      )
    }
    return n > 1 ? (high - low) / (n - 1) : high - low
  })
}

export function isGridCost(cost: unknown): cost is GridCost {
  return typeof cost === 'object' && cost !== null && (cost as GridCost).kind === 'grid'
}

/** The squared distances along each axis. Checked again: anyone can write such an object. */
export function gridAxes(cost: GridCost): CostAxis[] {
  const shape = checkShape(cost.shape)
  const spacing = checkSpacing(cost.spacing, shape.length)
  return shape.map((n, axis) => {
    const distances = Float64Array.from({ length: 2 * n - 1 }, (_, k) => ((k - (n - 1)) * spacing[axis]) ** 2)
    if (!Number.isFinite(distances[0])) {
      throw new ExtremaError(
        'ERR_NOT_FINITE',
        `spacing[${axis}]: expected finite squared distances, got ${distances[0]}`,
      )
    }
    return { n, cost: distances, grid: true }
  })
}

/** The same cost between points, for reading plans. */
export function gridPoints({ shape, spacing }: GridCost): CostData {
  const d = shape.length
  const n = shape.reduce((product, size) => product * size, 1)
  const points = new Float64Array(n * d)
  for (let i = 0; i < n; i++) {
    for (let axis = d - 1, rest = i; axis >= 0; axis--) {
      points[i * d + axis] = (rest % shape[axis]) * spacing[axis]
      rest = Math.floor(rest / shape[axis])
    }
  }
  return { n, m: n, metric: 'sqeuclidean', x: points, y: points, d }
}
