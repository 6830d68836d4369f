import { kernels } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import { runNames } from '../backend/options.js'
import { unbalancedField, unbalancedReportLength } from '../backend/transport-relaxed.js'
import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, positive, type SolverOptions } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { type CheckedOptions, checkOptions, startPotential } from './options.js'
import { capMissing, movable, remains } from './partial-mass.js'
import { checkKept, PlanView, type TransportPlan } from './plan-view.js'
import { checkProblem, type TransportProblem } from './problem.js'
import { call, type Program } from './program.js'
import { historyOf, solverFields, spread } from './report.js'
import type { Certificate } from './solution.js'
import { expand, fillMissing, missingPotentials, withoutMass } from './solve.js'

export interface PartialOptions extends SolverOptions {
  /** What is to move, > 0 and at most the smaller total of the weights. */
  mass: number
  /** Strength of the entropic term, > 0, in units of the cost. */
  epsilon: number
  /** Stop when (|P1 + s - a|_1 + |Pᵀ1 + t - b|_1 + the errors of sum s and sum t) / mass <= tolerance. Default 1e-9. */
  tolerance?: number
  /** Where to start from, as in `solution.potentials`. */
  warmStart?: { f: VectorLike; g: VectorLike; price: number }
  /** Keep the residual of every iteration (the first million) in `solution.history`. Default false. */
  history?: boolean
  /** Bound the problem without its entropic terms; four more passes. Default true. */
  certificate?: boolean
}

/** The state of a partial solve. */
export interface PartialSolution extends Solution, TransportPlan {
  /** <C, P>: what moving by this plan costs. */
  value: number
  /** The dual objective, at the optimum <C,P> + epsilon (sum P (log P - 1) + sum s (log s - 1) + sum t (log t - 1)). */
  regularizedValue: number
  /**
   * P_ij = exp((f_i + g_j + price - C_ij) / epsilon), while s_i = exp(f_i / epsilon) and t_j = exp(g_j / epsilon) stay. They
   * are the derivatives of `regularizedValue` with respect to a, b and mass; f and g end up <= 0 where epsilon is small.
   */
  potentials: { f: Float64Array; g: Float64Array; price: number }
  /** P 1 and Pᵀ 1: what leaves each source and reaches each target. */
  marginals: { a: Float64Array; b: Float64Array }
  /** Sum of the plan. */
  mass: number
  /** Bounds of the least cost of moving `mass`: `dual <= min <C,P> <= primal`. */
  certificate?: Certificate
  /** Newton steps among the iterations. */
  newtonIterations: number
  /** Passes over all n × m exponentials. */
  passes: number
  /** Residual after each iteration, with `history: true`. */
  history?: Float64Array
}

const defaultIterations = 500
const partialNames: ReadonlySet<string> = new Set([
  'mass',
  'epsilon',
  'tolerance',
  'maxIterations',
  ...runNames,
  'warmStart',
  'history',
  'certificate',
])

export interface CheckedPartial {
  common: CheckedOptions
  mass: number
  price: number
  control: Control
}

export function checkPartial(options: PartialOptions): CheckedPartial {
  const start = options?.warmStart
  let price = 0
  let given = options
  if (typeof start === 'object' && start !== null) {
    price = finite('warmStart.price', start.price)
    const { price: _, ...warmStart } = start
    given = { ...options, warmStart } as PartialOptions
  }
  const common = checkOptions(given, partialNames, defaultIterations)
  return { common, mass: positive('mass', options.mass), price, control: common.control }
}

function finite(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new ExtremaError('ERR_OPTION', `${name}: expected a finite number, got ${describe(value)}`)
}

export function* solvePartial(
  problem: TransportProblem,
  { common, mass, price }: CheckedPartial,
): Program<PartialSolution> {
  const start = performance.now()
  common.control.signal?.throwIfAborted()
  const { settings, warmStart } = common
  const checked = checkProblem(problem, true, false)
  const { full, reduced, n, m, rows, columns } = checked
  const job = {
    problem: reduced,
    mass: movable(mass, checked),
    settings,
    f: startPotential('f', warmStart, n, rows),
    g: startPotential('g', warmStart, m, columns),
    price: Float64Array.of(price),
    rowSum: new Float64Array(reduced.n),
    columnSum: new Float64Array(reduced.m),
    report: new Float64Array(unbalancedReportLength),
    history: historyOf(common.history, settings.maxIterations),
  }
  const chosen = kernels(common.backend)
  yield call(chosen.transport.partial, job)
  checkKept(full)
  const fields = solverFields(job.report, settings.certificate, job.history)

  // Potentials of the plan have the price in g.
  const { f, g } = expand(checked, job.f, add(job.g, job.price[0]))
  const plan = {
    cost: full,
    epsilon: settings.epsilon,
    threads: settings.threads,
    f: withoutMass(f, full.a, rows),
    g: withoutMass(g, full.b, columns),
  }
  for (const transform of missingPotentials(checked, f, g, settings.threads)) {
    yield call(chosen.transport.transform, transform)
    fillMissing(transform, f, g)
  }
  const potentials = { f, g: add(g, -job.price[0]), price: job.price[0] }
  capMissing(potentials.f, full.a, rows)
  capMissing(potentials.g, full.b, columns)
  const border = { row: remains(full.b, job.mass), column: remains(full.a, job.mass) }
  return Object.assign(new PlanView(plan, chosen.name, { kind: 'partial', border, price: job.price[0] }), {
    ...fields,
    mass: job.report[unbalancedField.mass],
    potentials,
    marginals: { a: spread(job.rowSum, rows, n), b: spread(job.columnSum, columns, m) },
    elapsed: performance.now() - start,
    backend: chosen.name,
  })
}

function add(values: Float64Array, by: number): Float64Array {
  return values.map((value) => value + by)
}
