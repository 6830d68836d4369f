import type { FloatArray } from '../core/arrays.js'

/** The learning rate of each step, counted from 0. */
export type Schedule = (step: number) => number

/**
 * A stateful step inside a training loop of your own.
 *
 * Parameters are a tree: tensors, or plain `Float64Array`s and `Float32Array`s, in arrays and objects nested at will; a single
 * tensor or typed array is one too. Gradients are a tree with the same names, sizes and dtypes.
 */
export interface Optimizer {
  /** May be changed between any two steps. */
  learningRate: number | Schedule
  /** Steps taken so far, over all restarts. */
  readonly steps: number
  /**
   * One step, in place on the memory of the parameters. The first step fixes the tree: sizes and dtypes of the following ones
   * must be the same. Nothing is changed when it throws.
   *
   * @throws {ExtremaError} `ERR_SHAPE` and `ERR_DTYPE` (another tree), `ERR_NOT_FINITE` (naming the entry of the gradient), `ERR_BUFFER`
   * (leaves that share memory, memory that has gone away), `ERR_OPTION` (a schedule that gives no number)
   */
  step<P extends object>(params: P, gradients: P): void
  /** Everything that the next step depends on besides the parameters, copied. */
  state(): OptimizerState
  /** Goes on from a state, which must come from an optimizer of the same method. The tree is checked at the next step. */
  restore(state: OptimizerState): void
}

/** A leaf of the tree of parameters. */
export interface LeafInfo {
  /** Where it is in the tree: `hidden.weight`, `[0]`; empty if the tree is one leaf. */
  path: string
  dtype: 'float64' | 'float32'
  shape: number[]
}

/** What {@link Optimizer.state} gives: `header` is plain JSON, `arrays` are the numbers. */
export interface OptimizerState {
  header: {
    method: string
    steps: number
    /** Empty before the first step. */
    leaves: LeafInfo[]
    /** Names of the arrays that each leaf has, such as its momentum. */
    slots: string[]
  }
  /** Slot by slot, and in each one array per leaf, of its dtype. */
  arrays: FloatArray[]
}
