import { iterativeField as field } from '../backend/linear-sparse.js'
import { lsqr as iteration } from '../backend/portable/linear/lsqr.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative } from '../core/options.js'
import {
  bothForms,
  type Form,
  type IterativeOptions,
  iterate,
  iterativeNames,
  type LinearSolution,
  type PreconditionedProblem,
  preconditionedNames,
  prepareSystem,
} from './iterative.js'

export interface LsqrOptions extends IterativeOptions {
  /** Adds damp² ‖x‖² to what is minimized. Default 0. */
  damp?: number
}

export interface LsqrSolution extends LinearSolution {
  /** ‖b - A x‖ / ‖b‖ */
  fit: number
  /** ‖Aᵀ(b - A x) - damp² x‖ / (‖A‖ ‖b - A x‖), with the Frobenius norm of A as far as the iterations have seen it. */
  normalResidual: number
}

const form: Form = {
  problemNames: preconditionedNames,
  optionNames: new Set([...iterativeNames, 'damp']),
  square: false,
  iterations: (n) => Math.max(1000, 10 * n),
}

const { run, runSync } = bothForms<PreconditionedProblem, LsqrOptions, LsqrSolution>(
  (problem, options) => {
    const prepared = prepareSystem(problem, options, form)
    const damp = nonNegative('damp', options.damp, 0)
    prepared.settings.damp = damp
    const { matrix, preconditioner } = prepared
    if (matrix.oracle !== null && matrix.oracle.rmatvec === undefined) {
      throw new ExtremaError('ERR_ORACLE', 'matrix.rmatvec: expected a function, got undefined')
    }
    const kind = problem.preconditioner?.kind
    if (kind !== undefined && kind !== 'upper') {
      throw new ExtremaError('ERR_OPTION', `preconditioner.kind: expected 'upper', got '${kind}'`)
    }
    if (damp > 0 && preconditioner !== null) {
      throw new ExtremaError('ERR_OPTION', 'preconditioner: expected none with damp > 0, got one')
    }
    if (damp > 0 && problem.x0 !== undefined) {
      throw new ExtremaError('ERR_OPTION', 'x0: expected none with damp > 0, got one')
    }
    return prepared
  },
  function* (prepared, run) {
    const { solution, report } = yield* iterate(prepared, (kernels) => kernels.linear.lsqr, iteration, run)
    return { ...solution, fit: report[field.fit], normalResidual: report[field.normal] }
  },
)

/**
 * Least squares: min ‖A x - b‖² + damp² ‖x‖² with any m × n operator A, by bidiagonalization. From x0 = 0 the solution is
 * that of least norm. A preconditioner `{ kind: 'upper', r }`, as of a sketched QR decomposition, makes it run on A R⁻¹.
 *
 * `residual` is the smaller of `fit` and `normalResidual`: one says that the equations hold, the other that they hold as
 * well as they can. An oracle needs `rmatvec`.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_SINGULAR` (a zero on the diagonal of R), `ERR_OPTION`,
 * `ERR_ORACLE`; the reason of `signal` when aborted.
 *
 * Source: C. Paige, M. Saunders, ACM Trans. Math. Softw. 8 (1982), 43-71.
 */
export function lsqr(problem: PreconditionedProblem, options: LsqrOptions = {}): Promise<LsqrSolution> {
  return run(problem, options)
}

/** {@link lsqr} on the calling thread. */
export function lsqrSync(problem: PreconditionedProblem, options: LsqrOptions = {}): LsqrSolution {
  return runSync(problem, options)
}
