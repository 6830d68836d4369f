import { checkOptions, newtonNames, type SinkhornNewtonSparseOptions } from './options.js'
import type { TransportProblem } from './problem.js'
import type { TransportSolution } from './solution.js'
import { solve, solveBatch, solveSync } from './solve.js'

const defaultIterations = 500

/**
 * Entropic optimal transport at small epsilon, to machine accuracy in tens of iterations: Sinkhorn's iteration until the
 * plan is nearly sparse, then Newton steps on the dual with a sparsified Hessian.
 *
 * The default `variant: 'adaptive'` halves epsilon from a twentieth of the cost range with warm starts, keeps the plan
 * entries above a threshold relative to their row and column that shrinks with the error (so convergence is superlinear),
 * solves the Newton system by preconditioned conjugate gradients on its Schur complement, and falls back to Sinkhorn
 * sweeps where a step fails. `variant: 'paper'` is the algorithm as printed, with a fixed sparsity.
 *
 * `tolerance` bounds the L1 marginal error relative to the total mass (default 1e-9); `maxIterations` (default 500)
 * counts Newton steps, and blocks of Sinkhorn sweeps as one. `passes` tells the work. Memory: O(n + m) and the kept
 * entries besides the cost.
 *
 * @throws {ExtremaError} as {@link sinkhorn}.
 *
 * Source: Tang, Shavlovsky, Rahmanian, Tardini, Thekumparampil, Xiao, Ying 2024, "Accelerating Sinkhorn Algorithm with
 * Sparse Newton Iterations" (arXiv 2401.12253), Algorithm 1; adaptive form: see docs/transport/entropic.md.
 */
export async function sinkhornNewtonSparse(
  problem: TransportProblem,
  options: SinkhornNewtonSparseOptions,
): Promise<TransportSolution> {
  return solve('sinkhornNewtonSparse', problem, checkOptions(options, newtonNames, defaultIterations))
}

/** {@link sinkhornNewtonSparse} on the calling thread. */
export function sinkhornNewtonSparseSync(
  problem: TransportProblem,
  options: SinkhornNewtonSparseOptions,
): TransportSolution {
  return solveSync('sinkhornNewtonSparse', problem, checkOptions(options, newtonNames, defaultIterations))
}

/** {@link sinkhornNewtonSparse} on many problems with the same options, as `sinkhornBatch`. */
export async function sinkhornNewtonSparseBatch(
  problems: readonly TransportProblem[],
  options: SinkhornNewtonSparseOptions,
): Promise<TransportSolution[]> {
  return solveBatch('sinkhornNewtonSparse', problems, checkOptions(options, newtonNames, defaultIterations))
}
