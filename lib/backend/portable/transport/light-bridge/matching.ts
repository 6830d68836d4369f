import type { BridgeMixture, BridgeShape } from '../../../transport-light-bridge.js'
import type { Watch, Work } from '../../work.js'
import { Coordinates } from './coordinates.js'
import { DiagonalGroup } from './diagonal-drift.js'
import { FullGroup } from './full-drift.js'
import type { Objective, Points } from './loss.js'
import { BLOCK } from './mixture.js'
import { Stream } from './stream.js'

const GROUP_ROWS = 16
const MOST_GROUPS = 64
/** Times end before 1, where the variance of (x1 - x_t) / (1 - t) has no bound. */
const LAST_TIME = 0.99

/** The part of a group of rows with the same time. */
export interface MatchingGroup {
  prepare(mixture: BridgeMixture, t: number): void
  /**
   * Adds the derivatives of the rows, given what their residuals g - y are multiplied with; returns the sum of their
   * squares.
   */
  add(x: Float64Array, y: Float64Array, rows: number, factor: number): number
  /** Adds the derivatives by log alpha, r and S (full: the symmetric derivative by S) to the gradient. */
  finish(gradient: Float64Array): void
}

/**
 * Light and optimal Schrödinger bridge matching (Gushchin, Kholkin, Burnaev, Korotin, arXiv 2402.03207): the mean of
 * |g_theta(x_t, t) - (x1 - x_t) / (1 - t)|² / (2 epsilon) over pairs (x0, x1) of any coupling, times t, and x_t from the
 * Brownian bridge between them. Rows i of source and target are a pair. Times are stratified: consecutive rows share one,
 * so that all products are of matrices.
 */
export class Matching implements Objective {
  readonly #shape: BridgeShape
  readonly #coordinates: Coordinates
  readonly #draws: Stream
  readonly #evaluationDraws: Stream
  readonly #group: MatchingGroup
  readonly #uniform = new Float64Array(MOST_GROUPS)
  readonly #normal: Float64Array
  readonly #x: Float64Array
  readonly #y: Float64Array

  constructor(shape: BridgeShape, floor: number, draws: Uint32Array) {
    this.#shape = shape
    this.#coordinates = new Coordinates(shape, floor)
    this.#draws = new Stream(draws)
    this.#evaluationDraws = new Stream(draws.subarray(6))
    this.#group = shape.full ? new FullGroup(shape) : new DiagonalGroup(shape)
    this.#normal = new Float64Array(BLOCK * even(shape.dimension))
    this.#x = new Float64Array(BLOCK * shape.dimension)
    this.#y = new Float64Array(BLOCK * shape.dimension)
  }

  *evaluate(
    theta: Float64Array,
    source: Points,
    target: Points,
    draw: number,
    gradient: Float64Array,
    watch: Watch,
  ): Work<number> {
    const { dimension, epsilon, full } = this.#shape
    const mixture = this.#coordinates.expand(theta)
    const rows = Math.min(source.rows, target.rows)
    const groups = Math.min(Math.max(1, Math.floor(rows / GROUP_ROWS)), MOST_GROUPS)
    // The numbers of a draw: a time per group, then an even count of normals per row.
    const stream = draw === 0 ? this.#evaluationDraws : this.#draws
    const perRow = even(dimension)
    const first = draw === 0 ? 0 : (draw - 1) * (even(groups) + rows * perRow)
    const uniform = this.#uniform
    const normal = this.#normal
    stream.uniform(first, uniform.subarray(0, groups))
    const factor = 1 / (epsilon * rows)
    gradient.fill(0)
    let value = 0
    for (let g = 0; g < groups; g++) {
      const t = (LAST_TIME * (g + uniform[g])) / groups
      const noise = Math.sqrt(epsilon * t * (1 - t))
      this.#group.prepare(mixture, t)
      const end = Math.floor((rows * (g + 1)) / groups)
      for (let i = Math.floor((rows * g) / groups); i < end; i += BLOCK) {
        const count = Math.min(BLOCK, end - i)
        stream.normal(first + even(groups) + i * perRow, normal.subarray(0, count * perRow))
        for (let b = 0; b < count; b++) {
          for (let l = 0; l < dimension; l++) {
            const x0 = source.data[(i + b) * dimension + l]
            const x1 = target.data[(i + b) * dimension + l]
            const x = (1 - t) * x0 + t * x1 + noise * normal[b * perRow + l]
            this.#x[b * dimension + l] = x
            this.#y[b * dimension + l] = (x1 - x) / (1 - t)
          }
        }
        value += this.#group.add(this.#x, this.#y, count, factor)
        if (watch.due()) yield
      }
      this.#group.finish(gradient)
    }
    if (full) this.#byTriangle(gradient, mixture.scales)
    this.#coordinates.pull(gradient)
    return (value * factor) / 2
  }

  /** By L: twice the lower triangle of the product of the derivative by S with L. */
  #byTriangle(gradient: Float64Array, scales: Float64Array): void {
    const { components, dimension: D } = this.#shape
    const start = components * (1 + D)
    for (let i = 0; i < components * D; i++) {
      const row = start + i * D
      const own = i % D
      const triangle = (i - own) * D
      for (let j = 0; j < D; j++) {
        let sum = 0
        // Column j of L is zero above the diagonal, and what lies before it in the row is overwritten already.
        for (let l = j; l < D; l++) sum += gradient[row + l] * scales[triangle + l * D + j]
        gradient[row + j] = j <= own ? 2 * sum : 0
      }
    }
  }
}

function even(n: number): number {
  return n + (n % 2)
}
