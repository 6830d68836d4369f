import {
  type DescentData,
  type DescentJob,
  type DescentOutputs,
  descentField,
  descentReportLength,
} from '../backend/descent.js'
import { type BackendName, kernels } from '../backend/index.js'
import type { Watch } from '../backend/portable/descent/flow.js'
import { Descent } from '../backend/portable/descent/solve.js'
import { Terms } from '../backend/portable/descent/terms.js'
import { checkBuffer } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import { type BlockCoordinateDescentOptions, type CheckedOptions, checkOptions } from './options.js'
import {
  checkOracle,
  checkOracleRules,
  follow,
  followSync,
  isOracle,
  OracleModel,
  type OracleProblem,
} from './oracle.js'
import { checkTemplate, checkTerms, type TemplateProblem } from './problem.js'

export type DescentProblem = TemplateProblem | OracleProblem

export interface DescentHistory {
  /** Objective after each iteration. */
  values: Float64Array
  /** Coordinates in the block of each iteration. */
  sizes: Int32Array
  /**
   * Fixed blocks: the number of the block of each iteration. Variable blocks: their coordinates, one iteration behind the
   * other; absent for forests and where there are more than 2^26.
   */
  selected?: Int32Array
}

export interface DescentSolution extends Solution {
  x: Float64Array
  /** Objective at x, with the L1 terms. */
  value: number
  /** Coordinates that are neither 0 under an L1 term nor at a bound; all but zeros where there are no such terms. */
  support: Int32Array
  /** The iteration at which the support last changed: from then on the active set was identified. */
  identified: number
  /**
   * δ of the identification theorem: the least distance of -∂f/∂x_i, over the coordinates off the support, to the border of
   * the subdifferential of the other terms; Infinity if there are none.
   */
  complementarity: number
  /** How often each coordinate was in a block. */
  visits: Int32Array
  /** The fixed block of each coordinate; -1 with variable blocks, and where f does not depend on it. */
  blockOf: Int32Array
  /** Number of fixed blocks, 0 with variable ones. */
  blocks: number
  /** Passes over all coordinates that the blocks add up to. */
  epochs: number
  history?: DescentHistory
}

const mostSelected = 2 ** 26

/**
 * min over x of f(x) + Σ l1_i |x_i| within lower <= x <= upper, for convex f, by steps on chosen blocks of coordinates:
 * least squares, logistic and softmax regression, quadratics and graph Laplacians ({@link labelPropagation}), or f by
 * oracles. Partition, selection and update rules combine freely where that has a meaning.
 *
 * `residual` is the largest L_i |proximal step of coordinate i| (|∇_i f| without other terms) over the largest |∇_i f(0)|
 * (at the start, for oracles); `status` is `'stalled'` if rounding allows no more steps above the tolerance. Coordinates that f does
 * not depend on stay where they are, or go to 0 under an L1 term.
 *
 * Defaults: τ = 5 is the paper's; tolerance 1e-6; maxIterations 1000 passes and at least 100,000 (its experiments stop at 500).
 *
 * @throws {ExtremaError} `ERR_SHAPE` (also: A not symmetric, blocks with cycles under 'message-passing'), `ERR_NOT_FINITE`,
 * `ERR_NOT_POSITIVE` (an indefinite block, or an objective that rises, naming the iteration), `ERR_INFEASIBLE` (lower above
 * upper), `ERR_OPTION`, `ERR_ORACLE`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: Nutini, Laradji, Schmidt, *Let's Make Block Coordinate Descent Converge Faster*, arXiv 1712.08859.
 */
export async function blockCoordinateDescent(
  problem: DescentProblem,
  options: BlockCoordinateDescentOptions = {},
): Promise<DescentSolution> {
  const prepared = prepare(problem, options)
  const { control } = prepared.options.run
  if (prepared.job !== null) {
    await kernels(prepared.backend).descent.solve.run(prepared.job, control)
    checkInputs(prepared.job)
  } else {
    await follow(prepared.steps, control)
  }
  return finish(prepared)
}

/** {@link blockCoordinateDescent} on the calling thread; oracles must not return promises. */
export function blockCoordinateDescentSync(
  problem: DescentProblem,
  options: BlockCoordinateDescentOptions = {},
): DescentSolution {
  const prepared = prepare(problem, options)
  const { control } = prepared.options.run
  if (prepared.job !== null) kernels(prepared.backend).descent.solve.runSync(prepared.job, control)
  else followSync(prepared.steps, control)
  return finish(prepared)
}

interface Prepared {
  options: CheckedOptions
  terms: Pick<DescentData, 'l1' | 'lower' | 'upper'>
  outputs: DescentOutputs
  backend: BackendName
  /** Null for oracles. */
  job: DescentJob | null
  steps: (watch: Watch) => ReturnType<Descent['run']>
  start: number
}

function prepare(problem: DescentProblem, given: BlockCoordinateDescentOptions): Prepared {
  const start = performance.now()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `problem: expected { loss, A, … } or { n, value, gradient }, got ${describe(problem)}`,
    )
  }
  if (isOracle(problem)) return prepareOracle(problem, given, start)
  const data = checkTemplate(problem)
  const terms = new Terms(data)
  const n = data.l1.length
  const quadratic = data.loss === 'quadratic' || data.loss === 'least-squares'
  const options = checkOptions(given, n, { composite: terms.composite, quadratic })
  options.run.control.signal?.throwIfAborted()
  const outputs = outputsOf(options, n)
  const job: DescentJob = { problem: data, rules: options.rules, ...outputs }
  const chosen = kernels(options.run.backend)
  return { options, terms, outputs, backend: chosen.name, job, steps: neverSteps, start }
}

function neverSteps(): never {
  throw new ExtremaError('ERR_INTERNAL', 'steps: expected oracles, got a template')
}

function prepareOracle(problem: OracleProblem, given: BlockCoordinateDescentOptions, start: number): Prepared {
  checkOracle(problem)
  const terms = checkTerms(problem, problem.n)
  const separable = new Terms(terms)
  const fallback = problem.lipschitz === undefined || separable.composite ? 'lipschitz-approximation' : 'matrix'
  const options = checkOptions({ update: fallback, ...given }, problem.n, {
    composite: separable.composite,
    quadratic: false,
  })
  checkOracleRules(problem, options.rules)
  options.run.control.signal?.throwIfAborted()
  const outputs = outputsOf(options, problem.n)
  const model = new OracleModel(problem, outputs.x)
  const steps = (watch: Watch) => new Descent(model, separable, options.rules, outputs, watch).run()
  return { options, terms, outputs, backend: 'portable', job: null, steps, start }
}

function outputsOf({ rules, x, history }: CheckedOptions, n: number): DescentOutputs {
  const { maxIterations, selection, partition, blockSize } = rules
  const perIteration = partition === 'variable' ? blockSize : 1
  const keeps = history && !selection.endsWith('-tree') && maxIterations * perIteration <= mostSelected
  return {
    x,
    visits: new Int32Array(n),
    blockOf: new Int32Array(n).fill(-1),
    values: history ? new Float64Array(maxIterations) : null,
    sizes: history ? new Int32Array(maxIterations) : null,
    selected: keeps ? new Int32Array(maxIterations * perIteration) : null,
    report: new Float64Array(descentReportLength),
  }
}

function checkInputs({ problem }: DescentJob): void {
  const { dense, data, indptr, indices } = problem.matrix
  for (const array of [dense, data, indptr, indices]) if (array !== null) checkBuffer('A', array)
}

function finish({ options, terms, outputs, backend, start }: Prepared): DescentSolution {
  const { x, report, visits, blockOf } = outputs
  const separable = new Terms(terms)
  const support = Int32Array.from(x.keys()).filter((i) =>
    separable.composite ? !separable.isActive(i, x[i]) : x[i] !== 0,
  )
  const iterations = report[descentField.iterations]
  const solution: DescentSolution = {
    status: statuses[report[descentField.ended]],
    iterations,
    residual: report[descentField.residual],
    elapsed: performance.now() - start,
    backend,
    x,
    value: report[descentField.value],
    support,
    identified: report[descentField.identified],
    complementarity: report[descentField.complementarity],
    visits,
    blockOf,
    blocks: report[descentField.blocks],
    epochs: report[descentField.epochs],
  }
  if (options.history) solution.history = historyOf(outputs, iterations, solution.blocks > 0)
  return solution
}

function historyOf({ values, sizes, selected }: DescentOutputs, iterations: number, fixed: boolean): DescentHistory {
  const history: DescentHistory = { values: values!.slice(0, iterations), sizes: sizes!.slice(0, iterations) }
  if (selected !== null) {
    const length = fixed ? iterations : history.sizes.reduce((sum, size) => sum + size, 0)
    history.selected = selected.slice(0, length)
  }
  return history
}
