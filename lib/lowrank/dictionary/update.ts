import type { SolverOptions } from '../../core/options.js'
import type { Solution } from '../../core/solution.js'

export interface UpdateOptions extends Pick<SolverOptions, 'timeLimit' | 'signal' | 'onProgress'> {}

export interface UpdateStreamOptions extends UpdateOptions {
  /** Stop when the relative gap has been at most this for `patience` steps in a row. Default 1e-3. */
  tolerance?: number
  /** Default 10. */
  patience?: number
  /** Most steps to take. Default: none. */
  maxIterations?: number
}

/** What an update, or a stream of them, did. `iterations` counts its steps; `residual` is the relative gap of the last. */
export interface DictionaryUpdate extends Solution {
  /** Samples used. */
  samples: number
  /** <G, S - W> of the last step: the Frank-Wolfe gap by the averaged gradient; `residual` is it over ‖G‖_F. */
  gap: number
  /** Mean of ‖Wᵀ y‖_p^p over the samples, each by the W before its step. 0 if there was no step. */
  objective: number
  /** The gap of each step; after a stream, of the steps since its last pause for new samples. */
  gaps: Float64Array
  /** Batches without a step: of zeros, or while the covariance could not be inverted yet. */
  skipped: number
  /** Samples left out because they were not finite. */
  invalid: number
  /** Steps that left W as it was, since the averaged gradient was 0. */
  degenerate: number
  /** Steps whose averaged gradient was rank-deficient, as is usual before N samples were seen. */
  rankDeficient: number
  /** What looks wrong about the samples. */
  warnings: string[]
}

/** The dictionary measured on samples that it has not learned from. */
export interface DictionaryGap {
  gap: number
  relativeGap: number
  /** Mean of ‖Wᵀ y‖_p^p. */
  objective: number
  /** E z⁴ / (E z²)² of the coefficients: 3 for Gaussian ones, more for sparse ones. */
  kurtosis: number
}
