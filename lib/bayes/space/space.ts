import { setImmediate } from 'node:timers/promises'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, nearestName } from '../../core/options.js'
import type { Generator } from '../../random/index.js'
import {
  type Coordinate,
  cardinalityOf,
  coordinateAt,
  coordinateOfCell,
  type Dimension,
  dimensionsOf,
  unitOf,
} from './dimensions.js'
import { type FeatureColumn, featureColumns, featuresOf } from './features.js'
import { checkLinear, type LinearConstraint, type Row, violationAt } from './linear.js'
import { type Choice, checkParameters, isRecord, type ParameterMap, type ParamsOf } from './parameters.js'
import { hitAndRun } from './polytope.js'

/** What a space needs besides its parameters. */
export interface SpaceConstraints<P> {
  /** Bounds on weighted sums of numeric parameters. */
  linear?: readonly LinearConstraint[]
  /** Only points for which this returns true. It must always say the same of the same point. */
  where?: (params: P) => boolean
}

/** A space as plain JSON. */
export interface SpaceJson {
  parameters: ParameterMap
  linear?: readonly LinearConstraint[]
}

/** Random points tried before a region is taken to be small. */
const rejections = 256

/** Points of a finite space that are looked through for one that is allowed: at once, and off and on. */
const mostSearchedSync = 20_000
const mostSearched = 1_000_000

/** Milliseconds that a search may hold up the event loop. */
const slice = 10

/** What can be varied, and the way between points, the unit cube and what surrogate models see. See `searchSpace`. */
export class SearchSpace<S extends ParameterMap = ParameterMap> {
  readonly parameters: S
  /** The coordinates of the unit cube, each after the one that decides whether it exists. */
  readonly dimensions: readonly Dimension[]
  /** Points there are without constraints; `Infinity` if a real parameter is among them. */
  readonly cardinality: number
  /** The columns of `features`. */
  readonly columns: readonly FeatureColumn[]
  readonly #constraints: SpaceConstraints<ParamsOf<S>>
  readonly #rows: readonly Row[]

  constructor(parameters: S, constraints: SpaceConstraints<ParamsOf<S>> = {}) {
    this.parameters = checkParameters('space', parameters) as S
    checkNames('space', constraints, new Set(['linear', 'where']))
    const { linear = [], where } = constraints
    if (where !== undefined && typeof where !== 'function') {
      throw new ExtremaError('ERR_OPTION', `where: expected a function of the point, got ${describe(where)}`)
    }
    this.dimensions = dimensionsOf(parameters)
    this.cardinality = cardinalityOf(parameters)
    this.columns = featureColumns(this.dimensions)
    this.#rows = checkLinear(linear, this.dimensions)
    this.#constraints = { linear, where }
  }

  /** Whether every point of the cube is allowed. */
  get constrained(): boolean {
    return this.#rows.length > 0 || this.#constraints.where !== undefined
  }

  /** Which points are allowed, besides by linear constraints. */
  get where(): ((params: ParamsOf<S>) => boolean) | undefined {
    return this.#constraints.where
  }

  /** The point at a place of the unit cube, a number in [0, 1] for each dimension. Whether it is allowed is not asked. */
  decode(unit: ArrayLike<number>): ParamsOf<S> {
    return this.fromCoordinates(this.coordinatesAt(unit))
  }

  /** The place of a point in the unit cube: the middle of its cell, 1/2 for dimensions that do not exist there. */
  encode(params: ParamsOf<S>): Float64Array {
    const coordinates = this.toCoordinates(params)
    return Float64Array.from(this.dimensions, (dimension, k) => {
      const coordinate = coordinates[k]
      return coordinate === null ? 0.5 : unitOf(dimension, coordinate)
    })
  }

  /**
   * What a surrogate model sees of a point, a number in [0, 1] for each of `columns`: numbers and ordered values by their
   * place in the unit cube, categories and branches as one column per value. Dimensions that do not exist are 1/2 or 0.
   */
  features(params: ParamsOf<S>): Float64Array {
    return featuresOf(this.columns, this.dimensions, this.toCoordinates(params))
  }

  /** 1 for each of `columns` whose dimension exists at the point, else 0. */
  active(params: ParamsOf<S>): Uint8Array {
    const coordinates = this.toCoordinates(params)
    return Uint8Array.from(this.columns, ({ dimension }) => (coordinates[dimension] === null ? 0 : 1))
  }

  /** Whether the linear constraints and `where` allow the point. */
  allows(params: ParamsOf<S>): boolean {
    return this.#allowsCoordinates(this.toCoordinates(params))
  }

  /**
   * A random point, uniform on the part of the unit cube that the constraints allow.
   *
   * @throws ExtremaError `ERR_INFEASIBLE` if none was found
   */
  sample(random: Generator): ParamsOf<S> {
    const d = this.dimensions.length
    const equal = this.#rows.some(({ lower, upper }) => lower === upper)
    for (let k = 0; k < (equal ? 0 : rejections); k++) {
      const coordinates = this.coordinatesAt(random.uniform(d))
      if (this.#allowsCoordinates(coordinates)) return this.fromCoordinates(coordinates)
    }
    if (this.#rows.length > 0) {
      const { where } = this.#constraints
      const test = where === undefined ? undefined : (u: Float64Array) => where(this.decode(u)) === true
      const unit = hitAndRun(this.#rows, this.dimensions, random, test)
      const coordinates = unit === undefined ? undefined : this.coordinatesAt(unit)
      if (coordinates !== undefined && this.#allowsCoordinates(coordinates)) return this.fromCoordinates(coordinates)
    }
    const search = this.#search(random, () => false)
    for (let k = 0; k < mostSearchedSync; k++) {
      const { done, value } = search.next()
      if (value !== undefined) return value
      if (done) break
    }
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      'space: expected constraints that some point satisfies, got none that does',
    )
  }

  /**
   * A random point of a finite space that is allowed and not `taken`, by its key; undefined if there is none, or none among a
   * million. Does not hold up the event loop.
   */
  async remaining(random: Generator, taken: (key: string) => boolean): Promise<ParamsOf<S> | undefined> {
    const search = this.#search(random, taken)
    let due = performance.now() + slice
    for (let k = 0; k < mostSearched; k++) {
      const { done, value } = search.next()
      if (done || value !== undefined) return value
      if (k % 64 !== 0 || performance.now() < due) continue
      await setImmediate()
      due = performance.now() + slice
    }
    return undefined
  }

  /** Goes through the points of a finite space in a random order without repetition; yields the one that is found. */
  *#search(
    random: Generator,
    taken: (key: string) => boolean,
  ): globalThis.Generator<ParamsOf<S> | undefined, undefined> {
    const n = this.cardinality
    if (n > Number.MAX_SAFE_INTEGER) return undefined
    let stride = n === 1 ? 1 : random.integer(1, n)
    while (gcd(stride, n) !== 1) stride = (stride % n) + 1
    let rank = random.integer(0, n)
    for (let k = 0; k < n; k++) {
      const coordinates = this.#unrank(rank)
      const found = !taken(keyOf(coordinates)) && this.#allowsCoordinates(coordinates)
      yield found ? this.fromCoordinates(coordinates) : undefined
      rank = rank >= n - stride ? rank - (n - stride) : rank + stride
    }
    return undefined
  }

  /** What tells points apart: equal for equal points. */
  key(params: ParamsOf<S>): string {
    return keyOf(this.toCoordinates(params))
  }

  /** The space as JSON, without `where`. */
  toJSON(): SpaceJson {
    const { linear = [] } = this.#constraints
    return linear.length === 0 ? { parameters: this.parameters } : { parameters: this.parameters, linear }
  }

  coordinatesAt(unit: ArrayLike<number>): Coordinate[] {
    const coordinates: Coordinate[] = []
    for (const [k, dimension] of this.dimensions.entries()) {
      coordinates.push(this.#exists(dimension, coordinates) ? coordinateAt(dimension, unit[k]) : null)
    }
    return coordinates
  }

  /** @throws ExtremaError `ERR_OPTION` for what is no point of the space, whatever the constraints */
  toCoordinates(params: ParamsOf<S>): Coordinate[] {
    checkPoint('params', params, this.parameters)
    const coordinates: Coordinate[] = []
    for (const dimension of this.dimensions) {
      coordinates.push(this.#exists(dimension, coordinates) ? coordinateIn(dimension, params) : null)
    }
    return coordinates
  }

  fromCoordinates(coordinates: readonly Coordinate[]): ParamsOf<S> {
    let next = 0
    const build = (parameters: ParameterMap): Record<string, unknown> => {
      const point: Record<string, unknown> = {}
      for (const [name, parameter] of Object.entries(parameters)) {
        if (parameter.type === 'fixed') {
          point[name] = parameter.value
          continue
        }
        const coordinate = coordinates[next++] as number
        if (parameter.type !== 'conditional') {
          const listed = parameter.type === 'categorical' || parameter.type === 'ordinal'
          point[name] = listed ? parameter.values[coordinate] : coordinate
          continue
        }
        for (const [k, [choice, inner]] of Object.entries(parameter.branches).entries()) {
          if (k === coordinate) point[name] = { choice, ...build(inner) }
          else next += dimensionsOf(inner).length
        }
      }
      return point
    }
    return build(this.parameters) as ParamsOf<S>
  }

  #exists({ parent }: Dimension, coordinates: readonly Coordinate[]): boolean {
    return parent === undefined || coordinates[parent.dimension] === parent.branch
  }

  #allowsCoordinates(coordinates: readonly Coordinate[]): boolean {
    if (violationAt(this.#rows, coordinates) > 0) return false
    const { where } = this.#constraints
    return where === undefined || where(this.fromCoordinates(coordinates)) === true
  }

  /** Point number `rank` of a finite space. */
  #unrank(rank: number): Coordinate[] {
    const coordinates: Coordinate[] = new Array(this.dimensions.length).fill(null)
    let next = 0
    const walk = (parameters: ParameterMap, rest: number): void => {
      for (const parameter of Object.values(parameters)) {
        if (parameter.type === 'fixed') continue
        const at = next++
        if (parameter.type !== 'conditional') {
          const { cells } = this.dimensions[at]
          coordinates[at] = coordinateOfCell(this.dimensions[at], rest % cells)
          rest = Math.floor(rest / cells)
          continue
        }
        const sizes = Object.values(parameter.branches).map(cardinalityOf)
        const total = sizes.reduce((sum, size) => sum + size, 0)
        let within = rest % total
        rest = Math.floor(rest / total)
        for (const [k, inner] of Object.values(parameter.branches).entries()) {
          if (coordinates[at] === null && within < sizes[k]) {
            coordinates[at] = k
            walk(inner, within)
          } else {
            within -= sizes[k]
            next += dimensionsOf(inner).length
          }
        }
      }
    }
    walk(this.parameters, rank)
    return coordinates
  }
}

const keyOf = (coordinates: readonly Coordinate[]) => coordinates.join()

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

function checkPoint(place: string, given: unknown, parameters: ParameterMap, extra: readonly string[] = []): void {
  if (!isRecord(given)) {
    throw new ExtremaError('ERR_OPTION', `${place}: expected the value of each parameter, got ${describe(given)}`)
  }
  checkNames(place, given, new Set([...Object.keys(parameters), ...extra]))
  for (const [name, parameter] of Object.entries(parameters)) {
    const here = `${place}.${name}`
    const value = given[name]
    if (parameter.type === 'fixed') {
      if (value !== parameter.value) refuse(here, describe(parameter.value), value)
    } else if (parameter.type === 'conditional') {
      if (!isRecord(value)) refuse(here, 'a branch, as { choice, … }', value)
      const branches = Object.keys(parameter.branches)
      if (!branches.includes(value.choice as string))
        refuse(`${here}.choice`, `'${branches.join("', '")}'`, value.choice)
      checkPoint(here, value, parameter.branches[value.choice as string], ['choice'])
    } else if (parameter.type === 'real' || parameter.type === 'integer') {
      const { low, high } = parameter
      const step = parameter.type === 'integer' ? (parameter.step ?? 1) : undefined
      const right = typeof value === 'number' && value >= low && value <= high
      const kind = step === undefined ? 'a number' : step === 1 ? 'a whole number' : `${low} + a multiple of ${step}`
      if (!right || (step !== undefined && (value - low) % step !== 0)) {
        refuse(here, `${kind} from ${low} to ${high}`, value)
      }
    } else if (!parameter.values.includes(value as Choice)) {
      const words = parameter.values.filter((word) => typeof word === 'string')
      const nearest = typeof value === 'string' ? nearestName(value, words) : undefined
      const hint = nearest === undefined ? '' : `; did you mean '${nearest}'?`
      refuse(here, `one of ${parameter.values.map(describe).join(', ')}`, value, hint)
    }
  }
}

function coordinateIn({ path, parameter }: Dimension, params: unknown): number {
  let value = params
  for (const name of path) value = (value as Record<string, unknown>)[name]
  if (parameter.type === 'real' || parameter.type === 'integer') return value as number
  return (parameter.values as readonly unknown[]).indexOf(value)
}

function refuse(place: string, expected: string, came: unknown, hint = ''): never {
  throw new ExtremaError('ERR_OPTION', `${place}: expected ${expected}, got ${describe(came)}${hint}`)
}
