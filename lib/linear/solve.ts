import { ExtremaError } from '../core/errors.js'
import { oneOf } from '../core/options.js'
import { bicgstab, bicgstabSync } from './bicgstab.js'
import { conjugateGradient, conjugateGradientSync } from './conjugate-gradient.js'
import { gmres, gmresSync } from './gmres.js'
import type { IterativeOptions, LinearSolution, PreconditionedProblem } from './iterative.js'
import { jacobi, jacobiSync } from './jacobi.js'
import { lsqr, lsqrSync } from './lsqr.js'
import { minres, minresSync } from './minres.js'
import { checkOperator, type OperatorLike } from './operator.js'
import type { Preconditioner } from './preconditioner.js'
import { diagonalOf, rowsOf } from './rows.js'
import { sor, sorSync } from './sor.js'
import { ssor, ssorSync } from './ssor.js'
import { asymmetry } from './symmetric.js'

const methods = {
  conjugateGradient: { run: conjugateGradient, runSync: conjugateGradientSync },
  minres: { run: minres, runSync: minresSync },
  gmres: { run: gmres, runSync: gmresSync },
  bicgstab: { run: bicgstab, runSync: bicgstabSync },
  lsqr: { run: lsqr, runSync: lsqrSync },
  jacobi: { run: jacobi, runSync: jacobiSync },
  sor: { run: sor, runSync: sorSync },
  ssor: { run: ssor, runSync: ssorSync },
} as const

export type SolveMethod = keyof typeof methods

export interface SolveOptions extends IterativeOptions {
  /** `'auto'` (default), or the function of that name, whose further options may be given too. */
  method?: 'auto' | SolveMethod
  /** M of the method. Under `'auto'` one is chosen where the matrix has entries. */
  preconditioner?: Preconditioner
  /** Where to start. Default 0. */
  x0?: PreconditionedProblem['x0']
  [option: string]: unknown
}

export interface SolveSolution extends LinearSolution {
  /** The method that found it. */
  method: SolveMethod
}

interface Plan {
  method: SolveMethod
  problem: PreconditionedProblem
  options: IterativeOptions
  /** What takes over if the matrix turns out not to be positive definite. */
  otherwise: { method: SolveMethod; problem: PreconditionedProblem } | null
}

const names = ['auto', ...(Object.keys(methods) as SolveMethod[])] as const

function plan(matrix: OperatorLike, b: PreconditionedProblem['b'], options: SolveOptions): Plan {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { method, … }, got ${String(options)}`)
  }
  const { method: wanted, preconditioner, x0, ...rest } = options
  const problem: PreconditionedProblem = { matrix, b }
  if (x0 !== undefined) problem.x0 = x0
  if (preconditioner !== undefined) problem.preconditioner = preconditioner
  const method = oneOf('method', wanted, names, 'auto')
  if (method !== 'auto') return { method, problem, options: rest, otherwise: null }
  return { options: rest, ...choose(problem) }
}

/** By what the matrix is; see docs/linear.md. */
function choose(problem: PreconditionedProblem): Omit<Plan, 'options'> {
  const { data, rows, columns } = checkOperator('matrix', problem.matrix)
  if (rows !== columns) return { method: 'lsqr', problem, otherwise: null }
  if (data === null) return { method: 'gmres', problem, otherwise: null }
  if (data.kind === 'low-rank' || data.kind === 'kronecker' || data.kind === 'block') {
    return { method: data.kind === 'low-rank' ? 'minres' : 'gmres', problem, otherwise: null }
  }
  const isSymmetric =
    data.kind === 'stencil' || data.kind === 'constant-stencil' || asymmetry(rowsOf('matrix', data)) === null
  const diagonal = diagonalOf(data)
  const chosen = (preconditioner: Preconditioner): PreconditionedProblem => ({ preconditioner, ...problem })
  if (isSymmetric && diagonal.every((value) => value > 0)) {
    const otherwise = { method: 'minres', problem: chosen({ kind: 'jacobi' }) } as const
    return { method: 'conjugateGradient', problem: chosen({ kind: 'incomplete-cholesky' }), otherwise }
  }
  if (isSymmetric) return { method: 'minres', problem, otherwise: null }
  const hasDiagonal = diagonal.every((value) => value !== 0)
  return { method: 'gmres', problem: hasDiagonal ? chosen({ kind: 'jacobi' }) : problem, otherwise: null }
}

function takesOver(error: unknown): boolean {
  return error instanceof ExtremaError && error.code === 'ERR_NOT_POSITIVE'
}

/** Each method checks its own problem and options. */
interface AnyMethod {
  run(problem: PreconditionedProblem, options: IterativeOptions): Promise<LinearSolution>
  runSync(problem: PreconditionedProblem, options: IterativeOptions): LinearSolution
}
const method = (name: SolveMethod): AnyMethod => methods[name]

/**
 * A x = b by the method that suits A: conjugate gradients with incomplete Cholesky for symmetric matrices, `minres` where
 * they are not positive definite, `gmres` for other square ones and for oracles, `lsqr` for the rest. `method` names
 * another; `solution.method` says which it was.
 *
 * @throws {ExtremaError} what the method throws.
 */
export async function solve(
  matrix: OperatorLike,
  b: PreconditionedProblem['b'],
  options: SolveOptions = {},
): Promise<SolveSolution> {
  const { method: name, problem, options: rest, otherwise } = plan(matrix, b, options)
  try {
    return { ...(await method(name).run(problem, rest)), method: name }
  } catch (error) {
    if (otherwise === null || !takesOver(error)) throw error
    return {
      ...(await method(otherwise.method).run(otherwise.problem, rest)),
      method: otherwise.method,
    }
  }
}

/** {@link solve} on the calling thread. */
export function solveSync(
  matrix: OperatorLike,
  b: PreconditionedProblem['b'],
  options: SolveOptions = {},
): SolveSolution {
  const { method: name, problem, options: rest, otherwise } = plan(matrix, b, options)
  try {
    return { ...method(name).runSync(problem, rest), method: name }
  } catch (error) {
    if (otherwise === null || !takesOver(error)) throw error
    return { ...method(otherwise.method).runSync(otherwise.problem, rest), method: otherwise.method }
  }
}
