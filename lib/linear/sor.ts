import type { LinearProblem, LinearSolution } from './iterative.js'
import { type RelaxationOptions, stationaryForms } from './stationary.js'

const { run, runSync } = stationaryForms('sor')

/**
 * A x = b with a symmetric positive definite A, by successive over-relaxation: each iteration goes through the rows in
 * order, solving (D / omega + L) d = b - A x, x += d.
 *
 * Converges for every omega in (0, 2); how fast depends much on it: see `relaxationTuner`. Other matrices with a positive
 * diagonal, for instance diagonally dominant ones, may pass with `checkSymmetry: false`. `residual` is ‖b - A x‖ / ‖b‖,
 * `iterations` are sweeps, at most 10,000 by default.
 *
 * @throws {ExtremaError} `ERR_NOT_POSITIVE` (no positive diagonal, not symmetric, or the sweeps diverge), `ERR_SHAPE`,
 * `ERR_NOT_FINITE`, `ERR_OPTION`; the reason of `signal` when aborted.
 *
 * Source: D. M. Young, Trans. Amer. Math. Soc. 76 (1954), 92-111; the form of Learning to Relax (arXiv 2310.02246).
 */
export function sor(problem: LinearProblem, options: RelaxationOptions = {}): Promise<LinearSolution> {
  return run(problem, options)
}

/** {@link sor} on the calling thread. */
export function sorSync(problem: LinearProblem, options: RelaxationOptions = {}): LinearSolution {
  return runSync(problem, options)
}
