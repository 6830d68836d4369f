import { gmres as iteration } from '../backend/portable/linear/gmres.js'
import { whole } from '../core/options.js'
import {
  bothForms,
  type Form,
  type IterativeOptions,
  iterativeNames,
  type LinearSolution,
  type PreconditionedProblem,
  plainSteps,
  preconditionedNames,
  prepareSystem,
} from './iterative.js'

export interface GmresOptions extends IterativeOptions {
  /** Directions kept before the method starts again from x; memory is restart × n. Default 30. */
  restart?: number
}

const form: Form = {
  problemNames: preconditionedNames,
  optionNames: new Set([...iterativeNames, 'restart']),
  square: true,
  iterations: (n) => Math.max(1000, 10 * n),
}

const { run, runSync } = bothForms(
  (problem: PreconditionedProblem, options: GmresOptions) => {
    const prepared = prepareSystem(problem, options, form)
    prepared.settings.restart = whole('restart', options.restart, 30, 1, 10_000)
    return prepared
  },
  plainSteps((kernels) => kernels.linear.gmres, iteration),
)

/**
 * A x = b with any square A, by the generalized minimal residual method with restarts, preconditioned on the right.
 *
 * The residual never grows, but may stand still between restarts: `status` is then `'stalled'`, as it is for a singular
 * A without a solution. `residual` is ‖b - A x‖ / ‖b‖, computed from x itself; an iteration is a product with A.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE` (SSOR wants a positive diagonal),
 * `ERR_OPTION`, `ERR_ORACLE`; the reason of `signal` when aborted.
 *
 * Source: Y. Saad, M. Schultz, SIAM J. Sci. Stat. Comput. 7 (1986), 856-869.
 */
export function gmres(problem: PreconditionedProblem, options: GmresOptions = {}): Promise<LinearSolution> {
  return run(problem, options)
}

/** {@link gmres} on the calling thread. */
export function gmresSync(problem: PreconditionedProblem, options: GmresOptions = {}): LinearSolution {
  return runSync(problem, options)
}
