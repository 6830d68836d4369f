import { conjugateGradient as iteration } from '../backend/portable/linear/conjugate-gradient.js'
import {
  bothForms,
  checkZeroRows,
  type Form,
  iterativeNames,
  type LinearSolution,
  type PreconditionedProblem,
  plainSteps,
  preconditionedNames,
  prepareSystem,
  type SymmetricOptions,
} from './iterative.js'
import { checkNullspace, type NullspaceOptions } from './nullspace.js'

export interface ConjugateGradientOptions extends SymmetricOptions, NullspaceOptions {}

const form: Form = {
  problemNames: preconditionedNames,
  optionNames: new Set([...iterativeNames, 'checkSymmetry', 'nullspace']),
  square: true,
  iterations: (n) => Math.max(1000, 10 * n),
}

const { run, runSync } = bothForms(
  (problem: PreconditionedProblem, options: ConjugateGradientOptions) => {
    const prepared = prepareSystem(problem, options, form)
    if (prepared.matrix.data !== null) checkZeroRows(prepared.matrix.data, prepared.b)
    return checkNullspace(prepared, options.nullspace)
  },
  plainSteps((kernels) => kernels.linear.conjugateGradient, iteration),
)

/**
 * A x = b with a symmetric positive definite A, by (preconditioned) conjugate gradients.
 *
 * `residual` is ‖b - A x‖ / ‖b‖, computed from x itself. `status` is `'stalled'` if rounding errors keep it above the
 * tolerance. Singular A are fine where b has a solution: a constant null space may be projected out.
 *
 * @throws {ExtremaError} `ERR_NOT_POSITIVE` (A is not symmetric, or a direction of no positive curvature shows up; the
 * preconditioner is not positive), `ERR_INFEASIBLE` (a zero row with b other than 0), `ERR_SHAPE`, `ERR_NOT_FINITE`,
 * `ERR_OPTION`, `ERR_ORACLE`; the reason of `signal` when aborted.
 *
 * Source: M. Hestenes, E. Stiefel, J. Res. Nat. Bur. Standards 49 (1952), 409-436.
 */
export function conjugateGradient(
  problem: PreconditionedProblem,
  options: ConjugateGradientOptions = {},
): Promise<LinearSolution> {
  return run(problem, options)
}

/** {@link conjugateGradient} on the calling thread. */
export function conjugateGradientSync(
  problem: PreconditionedProblem,
  options: ConjugateGradientOptions = {},
): LinearSolution {
  return runSync(problem, options)
}
