import { checkOptions, type SinkhornOptions, sinkhornNames } from './options.js'
import type { TransportProblem } from './problem.js'
import type { TransportSolution } from './solution.js'
import { solve, solveBatch, solveSync } from './solve.js'

const defaultIterations = 100_000

/**
 * Entropic optimal transport by Sinkhorn's iteration: min <C,P> + epsilon sum P (log P - 1) over plans P >= 0 with row
 * sums a and column sums b.
 *
 * Each iteration reads the kernel matrix once (points: forms it once, storing nothing). Scalings are absorbed into the
 * potentials when they grow, and rows or columns whose kernel under- or overflows are done in the log domain, so any
 * epsilon > 0 is safe; but the number of iterations grows like 1 / epsilon, and {@link sinkhornNewtonSparse} is the
 * better choice for small ones.
 *
 * By default the iteration is accelerated (Anderson 1965), which takes fewer of them to the same plan; `acceleration: 'none'`
 * leaves it as it is.
 *
 * `tolerance` bounds the L1 marginal error relative to the total mass (default 1e-9), `maxIterations` defaults to
 * 100,000. `status` is `'stalled'` when rounding keeps the error above the tolerance.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_INFEASIBLE`, `ERR_OPTION`,
 * `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: Cuturi 2013 (arXiv 1306.0895); stabilisation after Schmitzer 2019 (arXiv 1610.06519).
 */
export async function sinkhorn(problem: TransportProblem, options: SinkhornOptions): Promise<TransportSolution> {
  return solve('sinkhorn', problem, checkOptions(options, sinkhornNames, defaultIterations))
}

/** {@link sinkhorn} on the calling thread: for worker threads and very small problems. */
export function sinkhornSync(problem: TransportProblem, options: SinkhornOptions): TransportSolution {
  return solveSync('sinkhorn', problem, checkOptions(options, sinkhornNames, defaultIterations))
}

/**
 * {@link sinkhorn} on many problems with the same options, a thread each. The problems are borrowed, not copied: leave
 * them alone until the promise settles. Progress counts finished problems; `elapsed` of a solution is the mean.
 */
export async function sinkhornBatch(
  problems: readonly TransportProblem[],
  options: SinkhornOptions,
): Promise<TransportSolution[]> {
  return solveBatch('sinkhorn', problems, checkOptions(options, sinkhornNames, defaultIterations))
}
