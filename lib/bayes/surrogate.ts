import type { DenseMatrix } from '../core/arrays.js'

/** What a model says about the objective at points: normal distributions, in the units of the observations. */
export interface Posterior {
  /** The mean at each row of x. */
  mean(x: DenseMatrix<Float64Array>): Float64Array
  /** The variance at each row, without the noise of an observation. */
  variance(x: DenseMatrix<Float64Array>): Float64Array
  /** The covariance between all rows: rows × rows. */
  covariance(x: DenseMatrix<Float64Array>): Float64Array
}

/**
 * A model of an expensive function, behind which all of them are exchangeable: acquisition functions see a `Posterior` and
 * nothing else. Rows of x are `space.features` of points, y what was observed there, to be minimized.
 */
export interface Surrogate {
  readonly name: string
  /** @param options `noise`: the variance of each observation, where it is known; otherwise the model estimates one of its own */
  fit(
    x: DenseMatrix<Float64Array>,
    y: Float64Array,
    options?: { noise?: Float64Array; signal?: AbortSignal },
  ): Posterior | Promise<Posterior>
}
