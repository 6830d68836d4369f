import type { LinearProblem, LinearSolution } from './iterative.js'
import { type JacobiOptions, stationaryForms } from './stationary.js'

const { run, runSync } = stationaryForms('jacobi')

/**
 * A x = b by Jacobi's iteration x += omega D⁻¹ (b - A x).
 *
 * Converges for diagonally dominant A, and for symmetric positive definite ones if omega is small enough; `status` is
 * `'stalled'` if it diverges. `residual` is ‖b - A x‖ / ‖b‖; at most 10,000 iterations by default.
 *
 * @throws {ExtremaError} `ERR_SINGULAR` (a diagonal of 0), `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`; the reason of
 * `signal` when aborted.
 */
export function jacobi(problem: LinearProblem, options: JacobiOptions = {}): Promise<LinearSolution> {
  return run(problem, options)
}

/** {@link jacobi} on the calling thread. */
export function jacobiSync(problem: LinearProblem, options: JacobiOptions = {}): LinearSolution {
  return runSync(problem, options)
}
