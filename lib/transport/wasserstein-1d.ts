import { kernels } from '../backend/index.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import type { LineJob } from '../backend/transport-line.js'
import type { Csr, VectorLike } from '../core/arrays.js'
import type { Solution } from '../core/solution.js'
import { arcsToCsr } from './arcs.js'
import { checkCost, checkLineSamples, checkOrder, type LineOptions } from './line.js'
import type { Certificate } from './solution.js'

/** Weighted points on the line. */
export interface LineProblem {
  x: VectorLike
  y: VectorLike
  /** Weights of x, >= 0. Default: 1/n each. */
  a?: VectorLike
  /** Weights of y, >= 0, with the same total as `a` (to 1e-6 relative; they are rescaled to it). Default: 1/m each. */
  b?: VectorLike
}

export interface LineSolution extends Solution {
  /** sum P_ij |x_i - y_j|^p of the optimal plan: W_p^p where the weights sum to one. */
  value: number
  /** value^(1/p). */
  distance: number
  /** Optimal for the dual problem: f_i + g_j <= |x_i - y_j|^p. Unique up to what ties leave open. */
  potentials: { f: Float64Array; g: Float64Array }
  /** The dual value is that of the potentials; the gap is rounding. */
  certificate: Certificate
  /** The optimal plan: at most n + m - 1 entries. */
  sparsePlan(): Csr
}

const names: ReadonlySet<string> = new Set(['order', ...runNames])

/**
 * Exact optimal transport between weighted points on the line for the cost |x - y|^p, p = `order` >= 1 (default 1), in
 * O(n log n): both sides are sorted and their quantiles merged.
 *
 * `residual` is the relative duality gap; the status is always `'converged'`.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_OPTION`, `ERR_BUFFER`; the
 * reason of `signal` when aborted.
 *
 * Source: Peyré, Cuturi 2019 (arXiv 1803.00567), section 2.6.
 */
export async function wasserstein1d(problem: LineProblem, options: LineOptions = {}): Promise<LineSolution> {
  const prepared = prepare(problem, options)
  await prepared.kernel.run(prepared.job, prepared.control)
  return finish(prepared)
}

/** {@link wasserstein1d} on the calling thread. */
export function wasserstein1dSync(problem: LineProblem, options: LineOptions = {}): LineSolution {
  const prepared = prepare(problem, options)
  prepared.kernel.runSync(prepared.job, prepared.control)
  return finish(prepared)
}

function prepare(problem: LineProblem, options: LineOptions) {
  const start = performance.now()
  const { control, backend } = checkRunOptions(options, names)
  const order = checkOrder(options, 1)
  control.signal?.throwIfAborted()
  const { x, y, a, b, n, m } = checkLineSamples(problem)
  const arcs = n + m - 1
  const job: LineJob = {
    x,
    y,
    a,
    b,
    order,
    f: new Float64Array(n),
    g: new Float64Array(m),
    rows: new Int32Array(arcs),
    columns: new Int32Array(arcs),
    mass: new Float64Array(arcs),
    report: new Float64Array(1),
  }
  const chosen = kernels(backend)
  return { job, control, start, kernel: chosen.transport.wasserstein1d, name: chosen.name }
}

function finish({ job, start, name }: ReturnType<typeof prepare>): LineSolution {
  const { f, g, rows, columns, mass, a, b, order } = job
  const primal = checkCost(job.report[0])
  const dual = weighted(a, f) + weighted(b, g)
  const gap = primal - dual
  return {
    status: 'converged',
    iterations: 1,
    residual: primal === 0 ? Math.abs(gap) : Math.abs(gap) / primal,
    elapsed: performance.now() - start,
    backend: name,
    value: primal,
    distance: primal ** (1 / order),
    potentials: { f, g },
    certificate: { primal, dual, gap },
    sparsePlan: () => arcsToCsr(a.length, b.length, rows, columns, mass),
  }
}

function weighted(weights: Float64Array, values: Float64Array): number {
  let sum = 0
  for (let i = 0; i < weights.length; i++) sum += weights[i] * values[i]
  return sum
}
