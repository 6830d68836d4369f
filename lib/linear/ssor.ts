import type { LinearProblem, LinearSolution } from './iterative.js'
import { type RelaxationOptions, stationaryForms } from './stationary.js'

const { run, runSync } = stationaryForms('ssor')

/**
 * A x = b with a symmetric positive definite A, by symmetric over-relaxation: each iteration is a sweep of `sor` through
 * the rows and one back.
 *
 * Mostly of use as a preconditioner: `conjugateGradient` with `{ kind: 'ssor', omega }` takes far fewer iterations.
 * Options, `residual` and errors are those of {@link sor}; an iteration is a pair of sweeps.
 *
 * Source: J. W. Sheldon, Math. Tables Aids Comput. 9 (1955), 101-112.
 */
export function ssor(problem: LinearProblem, options: RelaxationOptions = {}): Promise<LinearSolution> {
  return run(problem, options)
}

/** {@link ssor} on the calling thread. */
export function ssorSync(problem: LinearProblem, options: RelaxationOptions = {}): LinearSolution {
  return runSync(problem, options)
}
