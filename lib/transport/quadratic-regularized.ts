import type { TransportProblem } from './problem.js'
import { runProgram, runProgramSync } from './program.js'
import { checkSparsity, type QuadraticOptions } from './sparsity-options.js'
import { sparsityProgram } from './sparsity-program.js'
import type { SparsitySolution } from './sparsity-solution.js'

/**
 * Transport with a quadratic regulariser: min <C,P> + (gamma/2) sum P² over P >= 0 with row sums a and column sums b.
 *
 * The plan is unique and, other than the entropic one, sparse. It is {@link sparsityConstrained} without a limit on the
 * entries; the same options and solution.
 *
 * @throws {ExtremaError} as {@link sinkhorn}.
 *
 * Source: Blondel, Seguy, Rolet 2018, "Smooth and Sparse Optimal Transport" (arXiv 1710.06276).
 */
export async function quadraticRegularized(
  problem: TransportProblem,
  options: QuadraticOptions = {},
): Promise<SparsitySolution> {
  const checked = checkSparsity(options, 'quadratic')
  return runProgram(
    sparsityProgram(problem, checked, (length) => length),
    checked.control,
  )
}

/** {@link quadraticRegularized} on the calling thread. */
export function quadraticRegularizedSync(problem: TransportProblem, options: QuadraticOptions = {}): SparsitySolution {
  const checked = checkSparsity(options, 'quadratic')
  return runProgramSync(
    sparsityProgram(problem, checked, (length) => length),
    checked.control,
  )
}
