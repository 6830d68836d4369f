import type { BridgeShape } from '../../../transport-light-bridge.js'
import type { Watch, Work } from '../../work.js'
import { Coordinates } from './coordinates.js'
import { DiagonalSource, DiagonalTarget } from './diagonal.js'
import { FullSource, FullTarget } from './full.js'
import { BLOCK, type Side, softmax } from './mixture.js'

/** Rows of D numbers. */
export interface Points {
  data: Float64Array
  rows: number
}

/** What is minimised over theta. */
export interface Objective {
  /**
   * Returns the value and writes its gradient. `draw` tells random objectives which numbers to take: those of one
   * minibatch, or with 0 those that all evaluations share. Not finite where theta is out of range.
   */
  evaluate(
    theta: Float64Array,
    source: Points,
    target: Points,
    draw: number,
    gradient: Float64Array,
    watch: Watch,
  ): Work<number>
}

export function sourceSide(shape: BridgeShape): Side {
  return shape.full ? new FullSource(shape) : new DiagonalSource(shape)
}

export function targetSide(shape: BridgeShape): Side {
  return shape.full ? new FullTarget(shape) : new DiagonalTarget(shape)
}

/** L(theta) = mean log c(x0) - mean log v(x1), which is KL(pi* | pi_theta) up to a constant (section 3.3). */
export class Loss implements Objective {
  readonly #dimension: number
  readonly #components: number
  readonly #coordinates: Coordinates
  readonly #source: Side
  readonly #target: Side
  readonly #logits: Float64Array
  readonly #logSum = new Float64Array(BLOCK)
  readonly #sums: Float64Array

  constructor(shape: BridgeShape, floor: number) {
    this.#dimension = shape.dimension
    this.#components = shape.components
    this.#coordinates = new Coordinates(shape, floor)
    this.#source = sourceSide(shape)
    this.#target = targetSide(shape)
    this.#logits = new Float64Array(shape.components * BLOCK)
    this.#sums = new Float64Array(this.#source.sumSize)
  }

  *evaluate(
    theta: Float64Array,
    source: Points,
    target: Points,
    _draw: number,
    gradient: Float64Array,
    watch: Watch,
  ): Work<number> {
    const mixture = this.#coordinates.expand(theta)
    gradient.fill(0)
    let value = 0
    for (const [side, { data, rows }, sign] of [
      [this.#source, source, 1],
      [this.#target, target, -1],
    ] as const) {
      side.prepare(mixture)
      this.#sums.fill(0)
      let total = 0
      for (let i = 0; i < rows; i += BLOCK) {
        const count = Math.min(BLOCK, rows - i)
        const x = data.subarray(i * this.#dimension, (i + count) * this.#dimension)
        side.logits(x, count, this.#logits)
        softmax(this.#logits, this.#components, count, this.#logSum)
        side.add(x, count, this.#logits, this.#sums)
        for (let b = 0; b < count; b++) total += this.#logSum[b]
        if (watch.due()) yield
      }
      side.differentiate(this.#sums, sign / rows, gradient)
      value += (sign * total) / rows
    }
    this.#coordinates.pull(gradient)
    return value
  }
}
