import { kernels } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import { runNames } from '../backend/options.js'
import {
  divergences,
  type MarginalDivergence,
  type Relaxation,
  unbalancedField,
  unbalancedReportLength,
} from '../backend/transport-relaxed.js'
import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, oneOf, type SolverOptions } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { type CheckedOptions, checkOptions, startPotential } from './options.js'
import { checkKept, PlanView, type TransportPlan } from './plan-view.js'
import { checkProblem, type TransportProblem } from './problem.js'
import { call, type Program, runProgram, runProgramSync } from './program.js'
import { historyOf, solverFields, spread } from './report.js'
import type { Certificate } from './solution.js'
import { expand, fillMissing, missingPotentials, withoutMass } from './solve.js'

export interface UnbalancedOptions extends SolverOptions {
  /** Strength of the entropic term, > 0, in units of the cost. */
  epsilon: number
  /**
   * Price rho of a marginal that is not met, > 0, in units of the cost (`'l2'`: per unit of mass): rho KL(P1 | a) for the
   * sources and the same for the targets, or `{ a, b }` for a price each. Infinity keeps the marginal.
   */
  marginalPenalty: number | { a: number; b: number }
  /**
   * What rho multiplies. `'kl'` (default) is KL(P1 | a) = sum p log(p / a) - p + a. `'tv'` is |P1 - a|_1: rho is what a
   * missing unit costs, however many there are, so that arcs dearer than both prices carry nothing. `'l2'` is
   * |P1 - a|² / 2.
   */
  penalty?: MarginalDivergence
  /**
   * The entropic term: `'counting'` (default) is epsilon sum P (log P - 1), as everywhere in this package; `'product'` is
   * epsilon KL(P | a bᵀ), which does not draw the mass towards one per entry of the plan. Other than with fixed marginals,
   * the two have different plans.
   */
  reference?: 'counting' | 'product'
  /**
   * Stop when (|P1 - a exp(-f / rho)|_1 + |Pᵀ1 - b exp(-g / rho)|_1) <= tolerance × the mass of the plan: the potentials'
   * own marginals; a and b where they are kept. With `'l2'` those are max(0, a - f / rho), to the digits that a and f have; with `'tv'` a, or anything below
   * where f = rho, or above where f = -rho. Default 1e-9.
   */
  tolerance?: number
  /** Potentials to start from, as in `solution.potentials`. */
  warmStart?: { f: VectorLike; g: VectorLike }
  /** Keep the residual of every iteration (the first million) in `solution.history`. Default false. */
  history?: boolean
  /** Bound the problem without its entropic term; three more passes. Default true. */
  certificate?: boolean
}

/** The state of an unbalanced solve. */
export interface UnbalancedSolution extends Solution, TransportPlan {
  /** <C, P>: what moving by this plan costs. */
  value: number
  /** The whole objective at this plan: <C, P>, the penalties and the entropic term. */
  regularizedValue: number
  /** The dual objective at the potentials: a lower bound of the optimum. */
  dualValue: number
  /** regularizedValue - dualValue >= 0, computed without cancellation. (Kept marginals count as met.) */
  gap: number
  /**
   * Dual potentials of all n sources and m targets: P_ij = exp((f_i + g_j - C_ij) / epsilon), times a_i b_j with
   * `reference: 'product'`; at the optimum P1 = a exp(-f / rho) with `'kl'`, max(0, a - f / rho) with `'l2'`, and a wherever
   * |f| < rho with `'tv'`, whose potentials stay within [-rho, rho]. Nodes without weight have the largest that is feasible
   * without the entropic term, those that every arc is forbidden to 1000 rho (`'tv'`: rho, `'l2'`: rho a).
   */
  potentials: { f: Float64Array; g: Float64Array }
  /** P 1 and Pᵀ 1: what leaves each source and reaches each target. */
  marginals: { a: Float64Array; b: Float64Array }
  /** Sum of the plan. */
  mass: number
  /** Bounds of the optimum without the entropic term: `dual <= min <C,P> + penalties <= primal`. */
  certificate?: Certificate
  /** Newton steps among the iterations. */
  newtonIterations: number
  /** Passes over all n × m exponentials. */
  passes: number
  /** Residual after each iteration, with `history: true`. */
  history?: Float64Array
}

const defaultIterations = 500
const references = ['counting', 'product'] as const
const penaltyNames: ReadonlySet<string> = new Set(['a', 'b'])
const unbalancedNames: ReadonlySet<string> = new Set([
  'epsilon',
  'marginalPenalty',
  'penalty',
  'reference',
  'tolerance',
  'maxIterations',
  ...runNames,
  'warmStart',
  'history',
  'certificate',
])

interface Checked {
  common: CheckedOptions
  relaxation: Relaxation
  control: Control
}

function checkUnbalanced(options: UnbalancedOptions): Checked {
  const common = checkOptions(options, unbalancedNames, defaultIterations)
  const { a, b } = prices(options.marginalPenalty)
  const divergence = oneOf('penalty', options.penalty, divergences, 'kl')
  const productReference = oneOf('reference', options.reference, references, 'counting') === 'product'
  return {
    common,
    relaxation: { divergence, penaltyA: a, penaltyB: b, productReference },
    control: common.control,
  }
}

function prices(given: UnbalancedOptions['marginalPenalty']): { a: number; b: number } {
  if (typeof given !== 'object' || given === null) {
    const both = price('marginalPenalty', given)
    return { a: both, b: both }
  }
  checkNames('marginalPenalty', given, penaltyNames)
  return { a: price('marginalPenalty.a', given.a), b: price('marginalPenalty.b', given.b) }
}

function price(name: string, value: unknown): number {
  if (typeof value === 'number' && value > 0) return value
  const code = typeof value === 'number' && !Number.isNaN(value) ? 'ERR_NOT_POSITIVE' : 'ERR_OPTION'
  throw new ExtremaError(
    code,
    `${name}: expected a number > 0 (or Infinity to keep the marginal), got ${describe(value)}`,
  )
}

/**
 * Entropic transport with relaxed marginals: min <C,P> + epsilon sum P (log P - 1) + rho_a KL(P1 | a) + rho_b KL(Pᵀ1 | b)
 * over plans P >= 0, with KL(p | a) = sum p log(p / a) - p + a. The totals of a and b may differ: what is too far away, or
 * too much, is left behind or made up at a price of about rho per unit. `penalty` takes total variation or least squares in
 * place of KL.
 *
 * Sinkhorn iterations that take the best translation of the potentials along, a continuation in epsilon and sparse Newton
 * steps as in {@link sinkhornNewtonSparse}: tens of iterations for any epsilon and penalty. Points are never expanded to
 * n × m numbers. `maxIterations` defaults to 500 and counts Newton steps, and blocks of Sinkhorn sweeps as one. `status` is
 * `'stalled'` when rounding keeps the residual above the tolerance.
 *
 * @throws {ExtremaError} as {@link sinkhorn}; `ERR_MASS` for unequal totals where both marginals are kept;
 * `ERR_INFEASIBLE` where a kept marginal has no allowed arc; `ERR_NOT_POSITIVE`
 * for a weight of 0 with `'tv'` or `'l2'` and `reference: 'counting'`, where mass may still go; `ERR_NOT_FINITE` where the plan's mass overflows.
 *
 * Source: Chizat, Peyré, Schmitzer, Vialard 2018 (arXiv 1607.05816), section 4 for the penalties; Séjourné, Vialard, Peyré
 * 2022 (arXiv 2201.00730), H-Sinkhorn, for the translations. Bertsekas 1982, projected Newton steps, for the bounds of total
 * variation.
 */
export async function unbalanced(problem: TransportProblem, options: UnbalancedOptions): Promise<UnbalancedSolution> {
  const checked = checkUnbalanced(options)
  return runProgram(program(problem, checked), checked.control)
}

/** {@link unbalanced} on the calling thread. */
export function unbalancedSync(problem: TransportProblem, options: UnbalancedOptions): UnbalancedSolution {
  const checked = checkUnbalanced(options)
  return runProgramSync(program(problem, checked), checked.control)
}

function* program(problem: TransportProblem, { common, relaxation }: Checked): Program<UnbalancedSolution> {
  const start = performance.now()
  common.control.signal?.throwIfAborted()
  const { settings, warmStart } = common
  const kept = Math.min(relaxation.penaltyA, relaxation.penaltyB) === Number.POSITIVE_INFINITY
  const checked = checkProblem(problem, true, kept)
  const { full, reduced, n, m, rows, columns } = checked
  if (relaxation.divergence !== 'kl' && !relaxation.productReference) {
    // Without weights in its reference the plan may bring mass to a node that has none; the kernels leave such nodes out.
    const sides = [
      ['a', full.a, relaxation.penaltyA],
      ['b', full.b, relaxation.penaltyB],
    ] as const
    for (const [name, weights, price] of sides) {
      const at = price === Number.POSITIVE_INFINITY ? -1 : weights.indexOf(0)
      if (at < 0) continue
      throw new ExtremaError(
        'ERR_NOT_POSITIVE',
        `${name}[${at}]: expected a positive weight with penalty '${relaxation.divergence}' and reference 'counting', got 0`,
      )
    }
  }
  // The kernel's potentials have the weights of P's reference measure in them.
  const logFactor = relaxation.productReference ? settings.epsilon : 0
  const job = {
    problem: { ...reduced, relaxation },
    settings,
    f: startPotential('f', warmStart, n, rows),
    g: startPotential('g', warmStart, m, columns),
    rowSum: new Float64Array(reduced.n),
    columnSum: new Float64Array(reduced.m),
    report: new Float64Array(unbalancedReportLength),
    history: historyOf(common.history, settings.maxIterations),
  }
  if (warmStart !== undefined) {
    job.f = moved(job.f, 0, reduced.a, logFactor)
    job.g = moved(job.g, 0, reduced.b, logFactor)
  }
  const chosen = kernels(common.backend)
  yield call(chosen.transport.unbalanced, job)
  checkKept(full)
  const { report } = job
  const fields = solverFields(report, settings.certificate, job.history)

  // The plan is read off without the translation, whose size would cost digits.
  const inner = expand(checked, job.f, job.g)
  const plan = {
    cost: full,
    epsilon: settings.epsilon,
    threads: settings.threads,
    f: withoutMass(inner.f, full.a, rows),
    g: withoutMass(inner.g, full.b, columns),
  }
  const translation = report[unbalancedField.translation]
  const potentials = expand(
    checked,
    moved(job.f, translation, reduced.a, -logFactor),
    moved(job.g, -translation, reduced.b, -logFactor),
  )
  for (const transform of missingPotentials(checked, potentials.f, potentials.g, settings.threads)) {
    yield call(chosen.transport.transform, transform)
    fillMissing(transform, potentials.f, potentials.g)
  }
  return Object.assign(
    new PlanView(plan, chosen.name, kept ? undefined : { kind: 'relaxed', relaxation, potentials }),
    {
      ...fields,
      dualValue: report[unbalancedField.dualValue],
      gap: report[unbalancedField.gap],
      mass: report[unbalancedField.mass],
      potentials,
      marginals: { a: spread(job.rowSum, rows, n), b: spread(job.columnSum, columns, m) },
      elapsed: performance.now() - start,
      backend: chosen.name,
    },
  )
}

/** values + by + factor log(weights) */
function moved(values: Float64Array, by: number, weights: Float64Array, factor: number): Float64Array {
  return values.map((value, i) => value + by + (factor === 0 ? 0 : factor * Math.log(weights[i])))
}
