import type { BridgeMixture, BridgeShape } from '../../../transport-light-bridge.js'
import { exp } from '../../math.js'

/** Rows of data that are worked on at once; also the pitch of K × BLOCK matrices, whose rows belong to components. */
export const BLOCK = 64

export const LOG_TWO_PI = 1.8378770664093453

/** Numbers per S_k. */
export function scaleSize({ dimension, full }: BridgeShape): number {
  return full ? dimension * dimension : dimension
}

/** x, x², 1 of each row. */
export function features(x: Float64Array, rows: number, dimension: number, out: Float64Array): void {
  const width = 2 * dimension + 1
  for (let b = 0; b < rows; b++) {
    for (let i = 0; i < dimension; i++) {
      const value = x[b * dimension + i]
      out[b * width + i] = value
      out[b * width + dimension + i] = value * value
    }
    out[b * width + 2 * dimension] = 1
  }
}

/**
 * For each of the first columns of the K × BLOCK matrix: log sum_k exp(logit_k), and the logits become the softmax over k.
 */
export function softmax(logits: Float64Array, components: number, columns: number, logSumExp: Float64Array): void {
  for (let b = 0; b < columns; b++) {
    let most = Number.NEGATIVE_INFINITY
    for (let k = b; k < components * BLOCK; k += BLOCK) most = logits[k] <= most ? most : logits[k]
    let sum = 0
    for (let k = b; k < components * BLOCK; k += BLOCK) {
      const e = exp(logits[k] - most)
      logits[k] = e
      sum += e
    }
    for (let k = b; k < components * BLOCK; k += BLOCK) logits[k] /= sum
    logSumExp[b] = most + Math.log(sum)
  }
}

/**
 * A function log sum_k exp(logit_k(x)) of a point: log c on the side of the source, log v on that of the target. Its
 * values, and sums over points of its derivatives by the parameters.
 */
export interface Side {
  /** For this mixture from now on. */
  prepare(mixture: BridgeMixture): void
  /** Numbers that the sums take. */
  readonly sumSize: number
  /** The logits (K × BLOCK) of at most BLOCK rows. */
  logits(x: Float64Array, rows: number, out: Float64Array): void
  /** Adds the derivatives of the rows whose logits came last, given their softmax, to the sums. */
  add(x: Float64Array, rows: number, weights: Float64Array, sums: Float64Array): void
  /** gradient += factor × the derivatives by log alpha, r and S (full: L). */
  differentiate(sums: Float64Array, factor: number, gradient: Float64Array): void
}

/** The drift at one time. */
export interface Drift {
  prepare(mixture: BridgeMixture, t: number): void
  evaluate(x: Float64Array, rows: number, out: Float64Array): void
}
