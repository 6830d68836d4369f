import type { ExactTransportProblem } from './exact-problem.js'
import type { ExactSolution } from './exact-solution.js'
import {
  checkExactOptions,
  type ExactOptions,
  prepareExact,
  runExact,
  runExactSync,
  solveExactBatch,
} from './exact-solve.js'

/**
 * Exact optimal transport (the earth mover's distance): min <C,P> over plans P >= 0 with row sums a and column sums b, by the
 * network simplex method.
 *
 * The simplex method works on a short list of arcs, at first those that are cheapest for their row or their column; passes
 * over all arcs then add violated ones until there is none, which proves that the plan is optimal. Costs are only ever read
 * a row at a time, so that points need O(n + m) memory. Plans have at most n + m - 1 entries; whole weights give whole
 * entries. Forbidden arcs and costs of any size are fine beside each other: no large constant stands for Infinity.
 *
 * `iterations` counts pivots; `residual` is the gap of `certificate` relative to the sizes of its terms, and 0 up to rounding
 * unless a limit ended the solve.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_INFEASIBLE` (naming rows that
 * supply more than the columns that they reach can take), `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal`
 * when aborted.
 *
 * Source: Cunningham 1976 (strongly feasible bases); Kovács 2015, "Minimum-cost flow algorithms: an experimental
 * evaluation" (block search, tree data structures); Gottschlich, Schuhmacher 2014 (arXiv 1405.7903; short lists).
 */
export async function emd(problem: ExactTransportProblem, options: ExactOptions = {}): Promise<ExactSolution> {
  return runExact(prepareExact(problem, checkExactOptions(options)))
}

/** {@link emd} on the calling thread: for worker threads and very small problems. */
export function emdSync(problem: ExactTransportProblem, options: ExactOptions = {}): ExactSolution {
  return runExactSync(prepareExact(problem, checkExactOptions(options)))
}

/**
 * {@link emd} on many problems with the same options, a thread each. The problems are borrowed, not copied: leave them alone
 * until the promise settles. Progress counts finished problems; `elapsed` of a solution is the mean.
 */
export async function emdBatch(
  problems: readonly ExactTransportProblem[],
  options: ExactOptions = {},
): Promise<ExactSolution[]> {
  return solveExactBatch(problems, checkExactOptions(options))
}
