import type { Generator } from '../../random/index.js'
import type { Dimension } from './dimensions.js'
import { type Row, violationAround } from './linear.js'

/** Steps towards the region before it is taken to be empty. */
const descentSteps = 5000

/** Halvings of a chord before its middle is taken to be all there is. */
const mostShrinks = 60

/**
 * Uniform points of the part of the unit cube where linear constraints hold and `where`, if given, says so, for parts too small to be
 * hit by chance. Hit-and-run (R. L. Smith, Operations Research 32 (1984)): along a random line through the last point, the next is
 * uniform on the part of the line that is inside, found by shrinking towards the last point as slice sampling does (R. M. Neal,
 * Annals of Statistics 31 (2003)), which needs no more than a membership test and so also serves parameters that are rounded or
 * logarithmic. Equalities are kept by moving within their null space.
 *
 * @returns undefined if no point was found
 */
export function hitAndRun(
  rows: readonly Row[],
  dimensions: readonly Dimension[],
  random: Generator,
  where?: (u: Float64Array) => boolean,
): Float64Array | undefined {
  const d = dimensions.length
  const equalities = new Equalities(rows, dimensions)
  const violation = (u: Float64Array) => violationAround(rows, dimensions, u)
  const straight = rows.flatMap((row) => halfSpacesOf(row, dimensions))
  let u = equalities.project(random.uniform(d))

  // Downhill: any point of a random line that is no worse.
  let current = violation(u)
  for (let step = 0; current > 0 && step < descentSteps; step++) {
    const limit = current
    const reach = Math.sqrt(d)
    u = moveAlong(u, equalities.direction(random), -reach, reach, random, (v) => violation(v) <= limit)
    u = equalities.project(u)
    current = violation(u)
  }
  if (current > 0) return undefined

  const inside = (v: Float64Array) => violation(v) === 0
  const step = (test: (v: Float64Array) => boolean) => {
    const direction = equalities.direction(random)
    const [from, to] = chord(u, direction, straight)
    const moved = moveAlong(u, direction, from, to, random, test)
    const next = equalities.project(moved)
    if (next === moved || test(next)) u = next // the projection's rounding may leave the region
  }
  for (let k = 0; where?.(u) === false; k++) {
    if (k === descentSteps) return undefined
    step(inside)
  }
  const mixing = Math.min(5000, 100 + 10 * d * d)
  const test = where === undefined ? inside : (v: Float64Array) => inside(v) && where(v)
  for (let k = 0; k < mixing; k++) step(test)
  return u
}

/** A point of u + t direction with t between the bounds that passes the test; u itself passes. */
function moveAlong(
  u: Float64Array,
  direction: Float64Array,
  from: number,
  to: number,
  random: Generator,
  test: (v: Float64Array) => boolean,
): Float64Array {
  const v = new Float64Array(u.length)
  for (let k = 0; k < mostShrinks; k++) {
    const t = from + (to - from) * random.uniform()
    for (let i = 0; i < v.length; i++) v[i] = u[i] + t * direction[i]
    if (test(v)) return v
    if (t < 0) from = t
    else to = t
  }
  return u
}

/** a · u <= right. */
interface HalfSpace {
  a: Float64Array
  right: number
}

/** The bounds of a row of parameters that are neither rounded nor logarithmic, in the coordinates of the cube. */
function halfSpacesOf(row: Row, dimensions: readonly Dimension[]): HalfSpace[] {
  const linear = row.dimensions.every((k) => {
    const { parameter } = dimensions[k]
    return parameter.type === 'real' && !parameter.log
  })
  if (!linear || row.lower === row.upper) return []
  const { a, offset } = inCube(row, dimensions)
  const sides: HalfSpace[] = []
  if (row.upper < Number.POSITIVE_INFINITY) sides.push({ a, right: row.upper - offset })
  if (row.lower > Number.NEGATIVE_INFINITY) sides.push({ a: a.map((x) => -x), right: offset - row.lower })
  return sides
}

/** The sum of a row as a · u + offset. */
function inCube(row: Row, dimensions: readonly Dimension[]): { a: Float64Array; offset: number } {
  const a = new Float64Array(dimensions.length)
  let offset = 0
  row.dimensions.forEach((k, i) => {
    const { low, high } = dimensions[k].parameter as { low: number; high: number }
    a[k] += row.weights[i] * (high - low)
    offset += row.weights[i] * low
  })
  return { a, offset }
}

/** The t for which u + t direction is in the unit cube and the half-spaces. */
function chord(u: Float64Array, direction: Float64Array, sides: readonly HalfSpace[]): [number, number] {
  let from = Number.NEGATIVE_INFINITY
  let to = Number.POSITIVE_INFINITY
  for (let i = 0; i < u.length; i++) {
    if (direction[i] === 0) continue
    const a = -u[i] / direction[i]
    const b = (1 - u[i]) / direction[i]
    from = Math.max(from, Math.min(a, b))
    to = Math.min(to, Math.max(a, b))
  }
  for (const { a, right } of sides) {
    const slope = inner(a, direction)
    const t = (right - inner(a, u)) / slope
    if (slope > 0) to = Math.min(to, t)
    else if (slope < 0) from = Math.max(from, t)
  }
  return from < to && Number.isFinite(from) && Number.isFinite(to) ? [from, to] : [0, 0]
}

/** The equalities among the rows, as E u = r with orthonormal rows. */
class Equalities {
  readonly #d: number
  readonly #rows: { direction: Float64Array; right: number }[] = []

  constructor(rows: readonly Row[], dimensions: readonly Dimension[]) {
    this.#d = dimensions.length
    for (const row of rows) {
      if (row.lower !== row.upper) continue
      const { a: direction, offset } = inCube(row, dimensions)
      let right = row.lower - offset
      const before = norm(direction)
      for (const other of this.#rows) {
        const share = inner(direction, other.direction)
        right -= share * other.right
        for (let k = 0; k < this.#d; k++) direction[k] -= share * other.direction[k]
      }
      const after = norm(direction)
      // A sum of earlier rows: nothing new, or a contradiction that the test of membership finds.
      if (after <= 1e-12 * before) continue
      this.#rows.push({ direction: direction.map((x) => x / after), right: right / after })
    }
  }

  /** The nearest point that satisfies them. */
  project(u: Float64Array): Float64Array {
    if (this.#rows.length === 0) return u
    const v = u.slice()
    for (const { direction, right } of this.#rows) {
      const off = right - inner(v, direction)
      for (let k = 0; k < v.length; k++) v[k] += off * direction[k]
    }
    return v
  }

  /** A random direction along which they stay satisfied, of length 1. */
  direction(random: Generator): Float64Array {
    const g = random.normal(this.#d)
    for (const { direction } of this.#rows) {
      const share = inner(g, direction)
      for (let k = 0; k < g.length; k++) g[k] -= share * direction[k]
    }
    const length = norm(g)
    return length > 0 ? g.map((x) => x / length) : g
  }
}

function inner(x: Float64Array, y: Float64Array): number {
  let sum = 0
  for (let k = 0; k < x.length; k++) sum += x[k] * y[k]
  return sum
}

const norm = (x: Float64Array) => Math.sqrt(inner(x, x))
