import { kernels } from '../backend/index.js'
import type { CostData } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import type { BarycenterJob, CostAxis } from '../backend/transport-barycenter.js'
import {
  copyIfSmallFloat64,
  type MatrixLike,
  type NdArray,
  shapeText,
  toDenseMatrix,
  type VectorLike,
} from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, flag, nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import { type GridCost, gridAxes, gridPoints, isGridCost } from './grid-cost.js'
import { checkKept } from './plan-view.js'
import { readWeights } from './problem.js'
import { checkSteady } from './report.js'
import { readShares, rescaled } from './shares.js'

export interface BarycenterProblem {
  /** N × N costs between the places of a histogram, finite; or a grid. A contiguous Float64Array is used in place. */
  cost: MatrixLike | GridCost
  /** K × N, >= 0, all rows with the same total (to 1e-6 relative; they are rescaled to that of the first). */
  histograms: MatrixLike
  /** Weights lambda of the K histograms, >= 0, of any total. Default: 1/K each. */
  weights?: VectorLike
}

export interface BarycenterOptions extends SolverOptions {
  /** Strength of the entropic term, in units of the cost. */
  epsilon: number
  /**
   * Minimise Sinkhorn divergences instead of entropic costs, which takes away the blur of the entropic term: the
   * barycenter of equal histograms is that histogram. Needs a symmetric cost. Default true.
   */
  debiased?: boolean
  /**
   * `'accelerated'` (default): from large epsilon to small, with Anderson acceleration. `'paper'`: the iteration as
   * published.
   */
  variant?: 'accelerated' | 'paper'
}

export interface BarycenterSolution extends Solution {
  /** The histogram b of N places, with the total of the given ones. */
  barycenter: Float64Array
  /**
   * sum_k lambda_k OT_epsilon(a_k, b), where OT_epsilon = min <C,P> + epsilon sum P (log P - 1). Without debiasing it is
   * what b minimises, and its derivative with respect to a_k is lambda_k f_k.
   */
  regularizedValue: number
  /**
   * K × N: the plan of histogram k is P_ij = exp((f_ki + g_kj - C_ij) / epsilon). Its rows hold exactly; f is -Infinity
   * where the histogram is 0.
   */
  potentials: { f: NdArray; g: NdArray }
  /** The N × N plan from histogram k to the barycenter, formed now. */
  plan(k: number): NdArray
}

const problemNames: ReadonlySet<string> = new Set(['cost', 'histograms', 'weights'])
const optionNames: ReadonlySet<string> = new Set([
  'epsilon',
  'debiased',
  'variant',
  'tolerance',
  'maxIterations',
  ...runNames,
])
const variants = ['accelerated', 'paper'] as const

/**
 * The barycenter of K histograms over the same N places: the histogram b that minimises sum_k lambda_k OT_epsilon(a_k, b),
 * or when `debiased` the sum of the Sinkhorn divergences S_epsilon(a_k, b) = OT_epsilon(a_k, b) - OT_epsilon(a_k, a_k) / 2
 * - OT_epsilon(b, b) / 2. All in the log domain: no epsilon is too small for the numbers, but it takes more iterations.
 *
 * Per iteration 2K + 1 products with the kernel exp(-C / epsilon), each O(N²), on a {@link gridCost} O(N sum of the sides).
 *
 * `residual` is the largest |P_kᵀ1 - b|_1 (debiased: also |d K d - b|_1) over the total, of this very solution.
 * `tolerance` defaults to 1e-7, debiased to 1e-3; `maxIterations` to 5,000. Debiasing undoes a blur of width
 * sqrt(epsilon). Where that is wider than what the histograms show, the exact minimiser consists of spikes, and stopping
 * early is what keeps it smooth: take a smaller epsilon rather than a smaller tolerance.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_OPTION`, `ERR_BUFFER`,
 * `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: Benamou, Carlier, Cuturi, Nenna, Peyré 2015 (arXiv 1412.5154), section 3.2; Janati, Cuturi, Gramfort 2020 (arXiv
 * 2006.02575), algorithm 1; on grids Solomon et al. 2015, "Convolutional Wasserstein distances".
 */
export async function barycenter(problem: BarycenterProblem, options: BarycenterOptions): Promise<BarycenterSolution> {
  const prepared = prepare(problem, options)
  await prepared.kernels.transport.barycenter.run(prepared.job, prepared.control)
  return finish(prepared)
}

/** {@link barycenter} on the calling thread. */
export function barycenterSync(problem: BarycenterProblem, options: BarycenterOptions): BarycenterSolution {
  const prepared = prepare(problem, options)
  prepared.kernels.transport.barycenter.runSync(prepared.job, prepared.control)
  return finish(prepared)
}

function prepare(problem: BarycenterProblem, options: BarycenterOptions) {
  const start = performance.now()
  const { control, backend, threads } = checkRunOptions(options, optionNames, '{ epsilon, … }')
  const debiased = flag('debiased', options.debiased, true)
  const settings = {
    epsilon: positive('epsilon', options.epsilon),
    debiased,
    plain: oneOf('variant', options.variant, variants, 'accelerated') === 'paper',
    tolerance: nonNegative('tolerance', options.tolerance, debiased ? 1e-3 : 1e-7),
    maxIterations: whole('maxIterations', options.maxIterations, 5000, 1),
    threads,
  }
  control.signal?.throwIfAborted()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { cost, histograms, weights }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, problemNames)
  const cost = readCost(problem.cost)
  const { histograms, count } = readHistograms(problem.histograms, cost.n)
  const job: BarycenterJob = {
    ...settings,
    axes: cost.axes,
    histograms,
    weights: readShares(problem.weights, count, 'histograms'),
    barycenter: new Float64Array(cost.n),
    f: new Float64Array(count * cost.n),
    g: new Float64Array(count * cost.n),
    report: new Float64Array(4),
  }
  return { job, control, start, cost, count, kernels: kernels(backend) }
}

interface ReadCost {
  n: number
  axes: CostAxis[]
  /** The cost between all places, for reading plans. */
  whole(): CostData
}

function readCost(cost: BarycenterProblem['cost']): ReadCost {
  if (isGridCost(cost)) {
    const axes = gridAxes(cost)
    return { n: axes.reduce((product, { n }) => product * n, 1), axes, whole: () => gridPoints(cost) }
  }
  const { data, rows: n, columns } = toDenseMatrix('cost', cost)
  if (n === 0 || n !== columns) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `cost: expected a non-empty square matrix or a gridCost, got ${shapeText(n, columns)}`,
    )
  }
  const kept = copyIfSmallFloat64(data)
  const whole: CostData = { n, m: n, metric: 'dense', x: kept, y: null, d: 0 }
  return { n, axes: [{ n, cost: kept, grid: false }], whole: () => whole }
}

/** A copy, with all rows of the total of the first. */
function readHistograms(given: MatrixLike, n: number): { histograms: Float64Array; count: number } {
  const { data, rows: count, columns } = toDenseMatrix('histograms', given)
  if (count === 0 || columns !== n) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `histograms: expected K×${n} numbers to match the cost, got ${shapeText(count, columns)}`,
    )
  }
  const histograms = new Float64Array(count * n)
  let first = 0
  for (let k = 0; k < count; k++) {
    const row = readWeights(`histograms[${k}]`, data.subarray(k * n, (k + 1) * n), n, () => 'the cost')
    if (k === 0) first = row.total
    histograms.set(rescaled(`histograms[${k}]`, row.weights, row.total, first, 'histograms[0]'), k * n)
  }
  return { histograms, count }
}

function finish({ job, start, cost, count, kernels }: ReturnType<typeof prepare>): BarycenterSolution {
  const { n } = cost
  const [status, iterations, residual, regularizedValue] = job.report
  checkSteady(residual)
  const { epsilon, threads, f, g } = job
  return {
    status: statuses[status],
    iterations,
    residual,
    elapsed: performance.now() - start,
    backend: kernels.name,
    barycenter: job.barycenter,
    regularizedValue,
    potentials: { f: { data: f, shape: [count, n] }, g: { data: g, shape: [count, n] } },
    plan(k) {
      const row = whole('k', k, 0, 0, count - 1)
      const [from, to] = [row * n, (row + 1) * n]
      const data = cost.whole()
      checkKept(data)
      const out = new Float64Array(n * n)
      const plan = { cost: data, epsilon, threads, f: f.subarray(from, to), g: g.subarray(from, to), out }
      kernels.transport.plan.runSync(plan, { timeLimit: Number.POSITIVE_INFINITY })
      return { data: out, shape: [n, n] }
    },
  }
}
