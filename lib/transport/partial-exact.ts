import { kernels } from '../backend/index.js'
import { checkRunOptions, type RunOptions, runNames } from '../backend/options.js'
import { type ExactJob, exactField, infeasible } from '../backend/transport-exact.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, positive, type SolverOptions, whole } from '../core/options.js'
import { BasicSolution, type ExactSolution } from './exact-solution.js'
import { exactJob } from './exact-solve.js'
import { capMissing, movable, remains } from './partial-mass.js'
import { checkKept } from './plan-view.js'
import { type CheckedProblem, checkProblem, type TransportProblem } from './problem.js'
import { call, type Program } from './program.js'
import { checkSteady } from './report.js'
import { expand, fillMissing, missingPotentials } from './solve.js'
import { total } from './sparse-plan.js'

export interface ExactPartialOptions extends SolverOptions {
  /** What is to move, > 0 and at most the smaller total of the weights. */
  mass: number
  epsilon?: undefined
  /** Stop as soon as the gap, relative to the sizes of its terms, is no larger. Default 0: until the plan is proven optimal. */
  tolerance?: number
  /** Most pivots. Default: no limit. */
  maxIterations?: number
}

export interface ExactPartialSolution extends Omit<ExactSolution, 'potentials'> {
  /**
   * Optimal for the dual problem: f_i + g_j + price <= C_ij, equal where the plan has mass; f_i <= 0, zero where something
   * stays, and the same of g. Derivatives of `value` with respect to a, b and mass, as far as those are unique.
   */
  potentials: { f: Float64Array; g: Float64Array; price: number }
  /** P 1 and Pᵀ 1: what leaves each source and reaches each target. */
  marginals: { a: Float64Array; b: Float64Array }
  /** Sum of the plan. */
  mass: number
}

const exactNames: ReadonlySet<string> = new Set(['mass', 'epsilon', 'tolerance', 'maxIterations', ...runNames])

export interface CheckedExactPartial extends RunOptions {
  mass: number
  tolerance: number
  maxIterations: number
}

export function checkExactPartial(options: ExactPartialOptions): CheckedExactPartial {
  return {
    ...checkRunOptions(options, exactNames, '{ mass, … }'),
    mass: positive('mass', options.mass),
    tolerance: nonNegative('tolerance', options.tolerance, 0),
    maxIterations: whole('maxIterations', options.maxIterations, Number.POSITIVE_INFINITY, 1),
  }
}

export function* solveExactPartial(
  problem: TransportProblem,
  { mass, tolerance, maxIterations, threads, control, backend }: CheckedExactPartial,
): Program<ExactPartialSolution> {
  const start = performance.now()
  control.signal?.throwIfAborted()
  const checked = checkProblem(problem, true, false)
  const { full, reduced, n, m, rows, columns } = checked
  const moving = movable(mass, checked)
  const [stayA, stayB] = [remains(reduced.a, moving), remains(reduced.b, moving)]
  const a = bordered(reduced.a, moving, stayA, reduced.b, stayB)
  const b = bordered(reduced.b, moving, stayB, reduced.a, stayA)
  const border = { row: stayB, column: stayA }
  const job = exactJob(
    { n: a.length, m: b.length, cost: reduced, border, a, b },
    { tolerance, maxIterations, threads, warm: false },
  )
  const chosen = kernels(backend)
  yield call(chosen.transport.emd, job)
  checkKept(full)
  checkOutcome(job, moving)

  const inner = innerPotentials(job, reduced.n, reduced.m)
  const { price } = inner
  const { f, g } = expand(checked, inner.f, moved(inner.g, price))
  for (const transform of missingPotentials(checked, f, g, threads)) {
    yield call(chosen.transport.transform, transform)
    fillMissing(transform, f, g)
  }
  const potentials = { f, g: moved(g, -price), price }
  capMissing(potentials.f, full.a, rows)
  capMissing(potentials.g, full.b, columns)
  const arcs = coreArcs(job, checked)
  const marginals = { a: new Float64Array(n), b: new Float64Array(m) }
  let total = 0
  arcs.mass.forEach((amount, k) => {
    marginals.a[arcs.row[k]] += amount
    marginals.b[arcs.column[k]] += amount
    total += amount
  })
  const elapsed = performance.now() - start
  const solution = new BasicSolution({ n, m }, arcs, job.report, potentials, elapsed, chosen.name)
  return Object.assign(solution, { potentials, marginals, mass: total })
}

/** The weights of one side with what stays of the other behind them. */
function bordered(
  weights: Float64Array,
  mass: number,
  stays: boolean,
  others: Float64Array,
  othersStay: boolean,
): Float64Array {
  const out = new Float64Array(weights.length + Number(othersStay))
  // A side of which nothing stays moves as a whole, but for rounding.
  const factor = stays ? 1 : mass / total(weights)
  weights.forEach((weight, i) => {
    out[i] = factor * weight
  })
  if (othersStay) out[weights.length] = total(others) - mass
  return out
}

function checkOutcome({ problem, report, f, g }: ExactJob, mass: number): void {
  if (report[exactField.status] === infeasible) {
    // 1 at the nodes of a violated cut.
    const cut = (weights: Float64Array, marked: Float64Array) =>
      weights.reduce((sum, weight, i) => sum + (marked[i] === 1 ? weight : 0), 0)
    const missing = cut(problem.a, f) - cut(problem.b, g)
    const [most, wanted] = [mass - missing, mass].map((value) => Number(value.toPrecision(6)))
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      `mass: expected at most ${most}, which the allowed (finite) arcs can move, got ${wanted}`,
    )
  }
  checkSteady(report[exactField.residual])
}

/** Potentials of the nodes, less those of the border, whose arcs cost nothing. */
function innerPotentials({ f, g }: ExactJob, n: number, m: number) {
  // A side that moves altogether has no border; its price is the least that leaves no potential positive.
  const largest = (values: Float64Array) =>
    values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  const column = g.length > m ? g[m] : -largest(f.subarray(0, n))
  const row = f.length > n ? f[n] : -largest(g.subarray(0, m))
  return { f: moved(f.subarray(0, n), column), g: moved(g.subarray(0, m), row), price: -row - column }
}

function moved(values: Float64Array, by: number): Float64Array {
  return values.map((value) => value + by)
}

/** What moves between the nodes themselves, by their original numbers. */
function coreArcs({ plan, report }: ExactJob, { reduced, rows, columns }: CheckedProblem) {
  const inner: number[] = []
  for (let k = 0; k < report[exactField.entries]; k++) {
    if (plan.row[k] < reduced.n && plan.column[k] < reduced.m) inner.push(k)
  }
  return {
    row: Int32Array.from(inner, (k) => rows?.[plan.row[k]] ?? plan.row[k]),
    column: Int32Array.from(inner, (k) => columns?.[plan.column[k]] ?? plan.column[k]),
    mass: Float64Array.from(inner, (k) => plan.mass[k]),
  }
}
