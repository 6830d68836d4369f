import { type CostData, reportField, reportLength, type SolveJob } from '../backend/kernels.js'
import { isArcs } from '../backend/transport-exact.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, positive } from '../core/options.js'
import { sampleCosts } from './cost-sample.js'
import type { ExactSolution } from './exact-solution.js'
import {
  checkBorrowed,
  checkExactOptions,
  type ExactOptions,
  exactNames,
  type Prepared,
  prepareExact,
  runExact,
  runExactSync,
} from './exact-solve.js'
import type { TransportProblem } from './problem.js'

export interface CrossoverOptions extends ExactOptions {
  /**
   * Strength of the entropic term to go down to before the simplex method takes over, in units of the cost. Default: a
   * two-hundredth of how far the median cost is above the least one.
   */
  epsilon?: number
  /** Marginal error, relative to the total mass, to solve the entropic problem to. Default 1e-2. */
  entropicTolerance?: number
}

export interface CrossoverSolution extends ExactSolution {
  /** The entropic term that it went down to. */
  epsilon: number
  /** Iterations of the entropic solver. */
  entropicIterations: number
}

const names: ReadonlySet<string> = new Set([...exactNames, 'epsilon', 'entropicTolerance'])
const entropicIterations = 500
const defaultDivisor = 200

/**
 * Exact optimal transport from an entropic solution: adaptive Sinkhorn-Newton-Sparse down to a small epsilon, then the
 * network simplex method of `emd` on the arcs that its potentials leave nearly tight, with passes over all arcs that add
 * violated ones until there is none. The answer is that of `emd`, with the same proof.
 *
 * It takes a fraction of the pivots, but the entropic solve first: worth it for large problems with weights of many sizes,
 * see docs. `iterations` counts pivots; `timeLimit` is for both parts together.
 *
 * @throws {ExtremaError} as `emd`, which takes lists of arcs too.
 *
 * Source: Tang et al. 2024 (arXiv 2401.12253) for the entropic part; for the rest as `emd`.
 */
export async function crossover(problem: TransportProblem, options: CrossoverOptions = {}): Promise<CrossoverSolution> {
  const { exact, entropic } = prepare(problem, options)
  await exact.kernels.transport.sinkhornNewtonSparse.run(entropic, exact.options.control)
  checkBorrowed(exact.problem)
  takeOver(exact, entropic)
  return withEntropic(await runExact(exact), entropic)
}

/** {@link crossover} on the calling thread. */
export function crossoverSync(problem: TransportProblem, options: CrossoverOptions = {}): CrossoverSolution {
  const { exact, entropic } = prepare(problem, options)
  exact.kernels.transport.sinkhornNewtonSparse.runSync(entropic, exact.options.control)
  takeOver(exact, entropic)
  return withEntropic(runExactSync(exact), entropic)
}

function prepare(problem: TransportProblem, options: CrossoverOptions): { exact: Prepared; entropic: SolveJob } {
  const checked = checkExactOptions(options, names)
  const tolerance = nonNegative('entropicTolerance', options.entropicTolerance, 1e-2)
  const given = options.epsilon === undefined ? undefined : positive('epsilon', options.epsilon)
  const exact = prepareExact(problem, checked)
  const { n, m, cost, a, b } = exact.job.problem
  if (isArcs(cost)) {
    throw new ExtremaError('ERR_SHAPE', 'cost: expected a matrix or points, got a list of arcs, which emd takes')
  }
  const { metric, x, y, d } = cost
  const entropic: SolveJob = {
    problem: { n, m, metric, x, y, d, a, b },
    settings: {
      epsilon: given ?? smallEpsilon(cost),
      tolerance,
      maxIterations: entropicIterations,
      threads: checked.threads,
      float32: false,
      certificate: false,
      paper: false,
      sinkhornIterations: 0,
      sparsity: 0,
    },
    f: exact.job.f.slice(),
    g: exact.job.g.slice(),
    report: new Float64Array(reportLength),
    history: null,
  }
  return { exact, entropic }
}

function smallEpsilon(cost: CostData): number {
  const costs = sampleCosts(cost)
  if (costs.length === 0) return 1
  const [least, median, most] = [costs[0], costs[costs.length >> 1], costs[costs.length - 1]]
  const spread = median > least ? median - least : most - least
  return (spread > 0 ? spread : Math.abs(most) || 1) / defaultDivisor
}

/**
 * Potentials of the entropic problem carry epsilon log of the weights, those of the exact one do not. The time that is left
 * is for the simplex method.
 */
function takeOver(exact: Prepared, { f, g, problem, settings }: SolveJob): void {
  const { job, options } = exact
  for (let i = 0; i < f.length; i++) job.f[i] = f[i] - settings.epsilon * Math.log(problem.a[i])
  for (let j = 0; j < g.length; j++) job.g[j] = g[j] - settings.epsilon * Math.log(problem.b[j])
  job.settings = { ...job.settings, warm: true }
  const timeLimit = Math.max(options.control.timeLimit - (performance.now() - exact.start), Number.MIN_VALUE)
  exact.options = { ...options, control: { ...options.control, timeLimit } }
}

function withEntropic(solution: ExactSolution, { settings, report }: SolveJob): CrossoverSolution {
  return Object.assign(solution, { epsilon: settings.epsilon, entropicIterations: report[reportField.iterations] })
}
