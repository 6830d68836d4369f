import { bicgstab as iteration } from '../backend/portable/linear/bicgstab.js'
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

const form: Form = {
  problemNames: preconditionedNames,
  optionNames: new Set(iterativeNames),
  square: true,
  iterations: (n) => Math.max(1000, 10 * n),
}

const { run, runSync } = bothForms(
  (problem: PreconditionedProblem, options: IterativeOptions) => prepareSystem(problem, options, form),
  plainSteps((kernels) => kernels.linear.bicgstab, iteration),
)

/**
 * A x = b with any square A in the memory of a few vectors, by the stabilized biconjugate gradients, preconditioned on
 * the right.
 *
 * Takes two products with A an iteration; its residual may go up and down. After a breakdown it starts again from x;
 * `status` is `'stalled'` if that does not help, as for a singular A without a solution. `residual` is ‖b - A x‖ / ‖b‖,
 * computed from x itself.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE` (SSOR wants a positive diagonal),
 * `ERR_OPTION`, `ERR_ORACLE`; the reason of `signal` when aborted.
 *
 * Source: H. van der Vorst, SIAM J. Sci. Stat. Comput. 13 (1992), 631-644.
 */
export function bicgstab(problem: PreconditionedProblem, options: IterativeOptions = {}): Promise<LinearSolution> {
  return run(problem, options)
}

/** {@link bicgstab} on the calling thread. */
export function bicgstabSync(problem: PreconditionedProblem, options: IterativeOptions = {}): LinearSolution {
  return runSync(problem, options)
}
