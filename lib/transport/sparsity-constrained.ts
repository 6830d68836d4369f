import type { TransportProblem } from './problem.js'
import { runProgram, runProgramSync } from './program.js'
import { checkSparsity, type SparsityOptions } from './sparsity-options.js'
import { checkNonzeros, sparsityProgram } from './sparsity-program.js'
import type { SparsitySolution } from './sparsity-solution.js'

/**
 * Transport by a plan with at most k entries per column: every target is served by k sources at most.
 *
 *     min <C,P> + (gamma/2) sum P²   over P >= 0 with row sums a, column sums b and at most k = `maxNonzeros` entries > 0 in
 *     each column (in each row, with `axis: 'rows'`)
 *
 * The problem is not convex. What is solved is its dual, which is concave: it bounds the problem from below (`dualValue`),
 * and its maximiser makes a plan with exact column sums and never more than k entries per column. Where no two entries
 * tie for the k-th place, that plan meets the row sums, too, and is the best there is: `status: 'converged'`. Otherwise
 * `status` is `'stalled'`, `rowError` says by how much the row sums are missed and `tieColumns` where; `repair` may
 * restore them. The larger gamma and k, the smoother the dual; with small ones nearly every column has ties.
 *
 * k = 1 is unregularised transport but for a constant, and solved as that (`exact`). `residual` is the L1 marginal error,
 * relative to the total mass, of the plan that the potentials make (before a repair).
 *
 * An evaluation is one pass over the n × m costs; the memory is O(n + m) and the entries of the plan, besides the cost.
 * Forbidden arcs (infinite costs) and weights of zero are allowed.
 *
 * @throws {ExtremaError} as {@link sinkhorn}.
 *
 * Source: Liu, Puigcerver, Blondel 2023, "Sparsity-Constrained Optimal Transport" (arXiv 2209.15466). The continuation by
 * smoothing and the repairs are this package's: see docs/transport/sparsity-constrained.md.
 */
export async function sparsityConstrained(
  problem: TransportProblem,
  options: SparsityOptions,
): Promise<SparsitySolution> {
  const checked = checkSparsity(options, 'sparse')
  return runProgram(sparsityProgram(problem, checked, limitOf(options)), checked.control)
}

/** {@link sparsityConstrained} on the calling thread. */
export function sparsityConstrainedSync(problem: TransportProblem, options: SparsityOptions): SparsitySolution {
  const checked = checkSparsity(options, 'sparse')
  return runProgramSync(sparsityProgram(problem, checked, limitOf(options)), checked.control)
}

function limitOf({ maxNonzeros }: SparsityOptions): (length: number) => number {
  return (length) => checkNonzeros(maxNonzeros, length)
}
