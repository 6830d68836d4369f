import { adaSketchNewton, type EqualityConstrainedSolution } from './ada-sketch-newton.js'
import { checkOptions, type EqualityConstrainedOptions } from './options.js'
import { checkProblem, type EqualityConstrainedProblem } from './problem.js'
import { runSteps, runStepsSync } from './steps.js'

/**
 * Minimizes a smooth, possibly non-convex f(x) subject to smooth constraints c(x) = 0, x of length n and c of length m <= n with
 * a Jacobian of full row rank: Newton's method on the KKT conditions, its directions found inexactly by randomized iterative
 * sketching, made globally convergent by a line search on the exact augmented Lagrangian
 * L_η = f + λᵀc + (η₁/2) ‖c‖² + (η₂/2) ‖∇_x L‖², whose penalties and accuracy adapt themselves.
 *
 * `residual` is ‖(∇_x L, c)‖, what `tolerance` bounds. Sketches read rows of Γ = [[B, Gᵀ], [G, 0]] and never factor it; give
 * `jacobian` or `hessian` as CSR and Γ stays sparse. `curvature` says how B is made positive on the kernel of G. Oracles may
 * return promises. At a trial point out of the domain (NaN, infinities) the step is halved.
 *
 * Not reaching the tolerance is a status, with the best iterate: `'iteration-limit'`, `'time-limit'`, or `'stalled'` with its
 * `reason` (`'line-search'` below steps of 1e-12, `'no-descent'`, `'singular-kkt'`).
 *
 * @throws {ExtremaError} `ERR_SHAPE` (m > n, lengths), `ERR_NOT_FINITE` (x0, multipliers0), `ERR_OPTION`; `ERR_ORACLE`, an
 * oracle that failed, gave the wrong shape or was not finite; `ERR_SINGULAR`, stuck at λ_min(GGᵀ) < 1e-2 or at dependent rows of
 * a block; `ERR_INFEASIBLE`, stuck at ‖Gᵀc‖ small and ‖c‖ not (the `cause` of both has the best iterate); the reason of `signal` when aborted.
 *
 * Source: Hong, Na, Mahoney, Kolar, "Constrained Optimization via Exact Augmented Lagrangian and Randomized Iterative
 * Sketching", ICML 2023, arXiv 2305.18379.
 */
export async function minimizeEqualityConstrained(
  problem: EqualityConstrainedProblem,
  options: EqualityConstrainedOptions = {},
): Promise<EqualityConstrainedSolution> {
  const start = performance.now()
  const checked = checkOptions(options)
  checkProblem(problem)
  return runSteps(adaSketchNewton(problem, checked, start), checked.control)
}

/** {@link minimizeEqualityConstrained} on the calling thread; its oracles answer at once. */
export function minimizeEqualityConstrainedSync(
  problem: EqualityConstrainedProblem,
  options: EqualityConstrainedOptions = {},
): EqualityConstrainedSolution {
  const start = performance.now()
  const checked = checkOptions(options)
  checkProblem(problem)
  return runStepsSync(adaSketchNewton(problem, checked, start), checked.control)
}
