import { minres as iteration } from '../backend/portable/linear/minres.js'
import { ExtremaError } from '../core/errors.js'
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

export interface MinresOptions extends SymmetricOptions, NullspaceOptions {}

const form: Form = {
  problemNames: preconditionedNames,
  optionNames: new Set([...iterativeNames, 'checkSymmetry', 'nullspace']),
  square: true,
  iterations: (n) => Math.max(1000, 10 * n),
}

const { run, runSync } = bothForms(
  (problem: PreconditionedProblem, options: MinresOptions) => {
    const prepared = prepareSystem(problem, options, form)
    if (problem.preconditioner?.kind === 'deflation') {
      throw new ExtremaError('ERR_OPTION', "preconditioner.kind: expected a symmetric one, got 'deflation'")
    }
    if (prepared.matrix.data !== null) checkZeroRows(prepared.matrix.data, prepared.b)
    return checkNullspace(prepared, options.nullspace)
  },
  plainSteps((kernels) => kernels.linear.minres, iteration),
)

/**
 * A x = b with a symmetric A, definite or not, by the minimal residual method; the preconditioner must be positive
 * definite.
 *
 * `residual` is ‖b - A x‖ / ‖b‖, computed from x itself. If A is singular and b not in its range, x is a least-squares
 * solution and `status` is `'stalled'`.
 *
 * @throws {ExtremaError} `ERR_NOT_POSITIVE` (A is not symmetric; the preconditioner is not positive), `ERR_INFEASIBLE` (a
 * zero row with b other than 0), `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_ORACLE`; the reason of `signal` when
 * aborted.
 *
 * Source: C. Paige, M. Saunders, SIAM J. Numer. Anal. 12 (1975), 617-629.
 */
export function minres(problem: PreconditionedProblem, options: MinresOptions = {}): Promise<LinearSolution> {
  return run(problem, options)
}

/** {@link minres} on the calling thread. */
export function minresSync(problem: PreconditionedProblem, options: MinresOptions = {}): LinearSolution {
  return runSync(problem, options)
}
