import type { Control } from '../backend/kernels.js'
import { checkPartial, type PartialOptions, type PartialSolution, solvePartial } from './partial-entropic.js'
import {
  checkExactPartial,
  type ExactPartialOptions,
  type ExactPartialSolution,
  solveExactPartial,
} from './partial-exact.js'
import type { TransportProblem } from './problem.js'
import { type Program, runProgram, runProgramSync } from './program.js'

/**
 * Partial transport: moves exactly `mass` of the weights a and b, which need not have the same total, where that is
 * cheapest: min <C,P> over P >= 0 with P1 <= a, Pᵀ1 <= b, sum P = mass. It is balanced transport with one more source and
 * target, which take what stays.
 *
 * Without `epsilon` exactly, by the network simplex method as {@link emd}: few entries, and a proof. With `epsilon` the
 * entropic form, min <C,P> + epsilon (sum P (log P - 1) + sum s (log s - 1) + sum t (log t - 1)) with what stays,
 * s = a - P1 and t = b - Pᵀ1, as {@link sinkhornNewtonSparse}: differentiable, at any epsilon; `maxIterations` defaults to
 * 500, and `status` is `'stalled'` when rounding keeps the residual above the tolerance. Points are never expanded to
 * n × m numbers.
 *
 * @throws {ExtremaError} as {@link sinkhorn}; `ERR_MASS` for more `mass` than the smaller total; `ERR_INFEASIBLE` where
 * forbidden arcs cannot move it.
 *
 * Source: Caffarelli, McCann 2010, "Free boundaries in optimal transport and Monge-Ampère obstacle problems"; Chapel,
 * Alaya, Gasso 2020 (arXiv 2002.08276), Proposition 1.
 */
export function partial(problem: TransportProblem, options: PartialOptions): Promise<PartialSolution>
export function partial(problem: TransportProblem, options: ExactPartialOptions): Promise<ExactPartialSolution>
export async function partial(
  problem: TransportProblem,
  options: PartialOptions | ExactPartialOptions,
): Promise<PartialSolution | ExactPartialSolution> {
  const { program, control } = prepare(problem, options)
  return runProgram(program, control)
}

/** {@link partial} on the calling thread. */
export function partialSync(problem: TransportProblem, options: PartialOptions): PartialSolution
export function partialSync(problem: TransportProblem, options: ExactPartialOptions): ExactPartialSolution
export function partialSync(
  problem: TransportProblem,
  options: PartialOptions | ExactPartialOptions,
): PartialSolution | ExactPartialSolution {
  const { program, control } = prepare(problem, options)
  return runProgramSync(program, control)
}

function prepare(
  problem: TransportProblem,
  options: PartialOptions | ExactPartialOptions,
): { program: Program<PartialSolution | ExactPartialSolution>; control: Control } {
  if (options?.epsilon === undefined) {
    const checked = checkExactPartial(options as ExactPartialOptions)
    return { program: solveExactPartial(problem, checked), control: checked.control }
  }
  const checked = checkPartial(options)
  return { program: solvePartial(problem, checked), control: checked.control }
}
