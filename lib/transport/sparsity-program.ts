import { kernels } from '../backend/index.js'
import type { Kernels } from '../backend/kernels.js'
import {
  sparsityField as field,
  mostStages,
  type SparsityJob,
  sparsityReportLength,
  stageFields,
} from '../backend/transport-sparsity.js'
import { ExtremaError } from '../core/errors.js'
import { whole } from '../core/options.js'
import { type Status, statuses } from '../core/solution.js'
import { startPotential } from './options.js'
import { checkKept } from './plan-view.js'
import { type CheckedProblem, checkProblem, type TransportProblem } from './problem.js'
import { call, type Program, runProgramSync } from './program.js'
import { checkSteady } from './report.js'
import { expand, fillMissing, missingPotentials } from './solve.js'
import { entriesOf, type SparseEntries } from './sparse-plan.js'
import { exactFlow, type Flow, flowEntries, mostArcs } from './sparsity-exact.js'
import type { CheckedSparsity } from './sparsity-options.js'
import { countNonzeros, type PlanValues, roundedEntries, valuesOf } from './sparsity-repair.js'
import { SparsePlanView, type SparsitySolution, type SparsityStage } from './sparsity-solution.js'

const noControl = { timeLimit: Number.POSITIVE_INFINITY }

/** k, checked against the length of a line. */
export function checkNonzeros(maxNonzeros: unknown, length: number): number {
  if (maxNonzeros !== undefined) return whole('maxNonzeros', maxNonzeros, length, 1, length)
  throw new ExtremaError('ERR_OPTION', `maxNonzeros: expected a whole number from 1 to ${length}, got undefined`)
}

/** A solve on its way. */
interface Solve {
  given: CheckedProblem
  job: SparsityJob
  kernels: Kernels
}

/** A plan that is not, or no longer, what the potentials make. */
interface OtherPlan extends PlanValues {
  entries: SparseEntries
}

/** A solve with at most `limit(length)` entries per line of that length. */
export function* sparsityProgram(
  problem: TransportProblem,
  checked: CheckedSparsity,
  limit: (length: number) => number,
): Program<SparsitySolution> {
  const start = performance.now()
  checked.control.signal?.throwIfAborted()
  const given = checkProblem(problem, true)
  const { full, n, m, rows, columns } = given
  const { byRows, threads, tolerance } = checked.settings
  const solve = { given, job: jobOf(given, checked, limit(byRows ? m : n)), kernels: kernels(checked.backend) }
  const { job } = solve
  const { report } = job
  const flow = yield* startFromFlow(solve)
  yield call(solve.kernels.transport.sparsityConstrained, job)
  checkKept(full)
  checkSteady(report[field.rowError] + report[field.columnError] + report[field.dual])
  job.settings.gamma = report[field.gamma]

  const { f, g } = expand(given, job.f, job.g)
  for (const transform of missingPotentials(given, f, g, threads)) {
    yield call(solve.kernels.transport.transform, transform)
    fillMissing(transform, f, g)
  }
  const dualValue = report[field.dual]
  const solution: Omit<SparsitySolution, 'elapsed' | keyof SparsePlanView> = {
    status: statuses[report[field.status]],
    iterations: report[field.iterations],
    passes: report[field.passes],
    residual: report[field.rowError] + report[field.columnError],
    value: report[field.value],
    primalValue: report[field.primal],
    dualValue,
    gap: report[field.primal] - dualValue,
    gamma: report[field.gamma],
    potentials: { f, g },
    rowError: report[field.rowError],
    columnError: report[field.columnError],
    nonzeros: spreadCounts(job.nonzeros, byRows ? rows : columns, byRows ? n : m),
    tieColumns: tiedLines(job.ties, byRows ? rows : columns),
    stages: stagesOf(job.stages, report[field.stages]),
    backend: solve.kernels.name,
  }
  let read = () => {
    checkKept(full)
    return runProgramSync(readEntries(solve), noControl)
  }
  const replace = ({ entries, ...values }: OtherPlan) => {
    Object.assign(solution, values)
    solution.gap = values.primalValue - dualValue
    solution.nonzeros = countNonzeros(entries, byRows)
    read = () => entries
  }
  if (flow !== null) {
    const plan = yield* describeFlow(solve, flow, solution)
    if (plan !== null) {
      replace(plan)
      solution.residual = plan.rowError + plan.columnError
      if (solution.residual <= tolerance) solution.status = 'converged'
    }
  }
  if (checked.repair === 'round') {
    replace(yield* otherPlan(solve, roundedEntries(yield* readEntries(solve), full.a, full.b)))
    solution.repaired = true
  } else if (checked.repair === 'flow') {
    const repaired = solution.status === 'converged' ? null : yield* flowPlan(solve)
    if (typeof repaired === 'string') solution.repairFailure = repaired
    else if (repaired !== null) replace(repaired)
    solution.repaired = typeof repaired !== 'string'
  }
  return Object.assign(new SparsePlanView(read), solution, { elapsed: performance.now() - start })
}

function jobOf(given: CheckedProblem, { settings, warmStart }: CheckedSparsity, maxNonzeros: number): SparsityJob {
  const { reduced, n, m, rows, columns } = given
  const [lines, length] = settings.byRows ? [reduced.n, reduced.m] : [reduced.m, reduced.n]
  return {
    problem: reduced,
    settings: { ...settings, maxNonzeros: Math.min(maxNonzeros, length) },
    f: startPotential('f', warmStart, n, rows),
    g: startPotential('g', warmStart, m, columns),
    nonzeros: new Int32Array(lines),
    ties: new Int32Array(lines),
    cut: new Float64Array(lines),
    report: new Float64Array(sparsityReportLength),
    stages: new Float64Array(mostStages * stageFields),
  }
}

/**
 * With one entry per line every regulariser is a constant: the network simplex finds the potentials, and the kernel has
 * only to measure them. Null where there is no plan at all, which the kernel says better.
 */
function* startFromFlow({ job, kernels }: Solve): Program<Flow | null> {
  const { problem, settings } = job
  const length = settings.byRows ? problem.m : problem.n
  if (settings.method !== 'lbfgs' || settings.maxNonzeros > 1 || length === 1) return null
  const flow = yield* exactFlow(problem, problem, settings.threads, kernels)
  if (flow.status === 'infeasible') return null
  job.f.set(flow.f)
  job.g.set(flow.g)
  job.settings = { ...settings, dual: false, continuation: 'none', maxIterations: 0 }
  return flow
}

/** Says how it came about, and takes the flow's own plan if it has one entry per line: it is the best there is. */
function* describeFlow(
  solve: Solve,
  flow: Flow,
  solution: Pick<SparsitySolution, 'status' | 'iterations' | 'stages' | 'exact' | 'note'>,
): Program<OtherPlan | null> {
  const { byRows } = solve.job.settings
  solution.iterations = flow.pivots
  solution.stages[0].iterations = flow.pivots
  if (flow.status !== 'converged') {
    solution.status = flow.status as Status
    return null
  }
  solution.exact = true
  solution.note =
    'With one entry per line the regulariser is a constant: the dual was solved exactly, as unregularised transport.'
  if (mostArcs(flow, byRows) > 1) {
    solution.status = 'stalled'
    return null
  }
  return yield* otherPlan(solve, flowEntries(flow, solve.given))
}

/** The least <C,P> on the entries of the plan and those tied with them, or why there is none. */
function* flowPlan(solve: Solve): Program<OtherPlan | NonNullable<SparsitySolution['repairFailure']>> {
  const { job, kernels } = solve
  const { byRows, maxNonzeros, threads } = job.settings
  const lists = yield* readLists(solve, true)
  const { csr, costs } = entriesOf([job.problem.n, job.problem.m], byRows, lists, null, null)
  const flow = yield* exactFlow(job.problem, { ...csr, data: costs }, threads, kernels)
  if (flow.status === 'infeasible') return 'infeasible'
  if (flow.status !== 'converged') return 'time-limit'
  if (mostArcs(flow, byRows) > maxNonzeros) return 'cardinality'
  return yield* otherPlan(solve, flowEntries(flow, solve.given))
}

function* otherPlan({ given, job, kernels }: Solve, entries: SparseEntries): Program<OtherPlan> {
  const values = yield* valuesOf(entries, given, kernels, job.settings, job.settings.threads)
  return { entries, ...values }
}

/** The entries of the plan. */
function* readEntries(solve: Solve): Program<SparseEntries> {
  const { n, m, rows, columns } = solve.given
  return entriesOf([n, m], solve.job.settings.byRows, yield* readLists(solve, false), rows, columns)
}

/** The entries of the plan, line by line; with ties also those that are as good, with mass 0. */
function* readLists({ job, kernels }: Solve, withTies: boolean) {
  const { problem, settings, f, g, cut, nonzeros, ties } = job
  const indptr = new Int32Array(nonzeros.length + 1)
  nonzeros.forEach((count, line) => {
    indptr[line + 1] = indptr[line] + count + (withTies ? ties[line] : 0)
  })
  // Not empty: the native side takes that for memory that has gone away.
  const room = Math.max(1, indptr[nonzeros.length])
  const lists = { indptr, indices: new Int32Array(room), data: new Float64Array(room), costs: new Float64Array(room) }
  yield call(kernels.transport.sparsityPlan, { problem, settings, f, g, cut, withTies, ...lists })
  return lists
}

function spreadCounts(counts: Int32Array, numbers: Int32Array | null, length: number): Int32Array {
  if (numbers === null) return counts
  const out = new Int32Array(length)
  numbers.forEach((line, k) => {
    out[line] = counts[k]
  })
  return out
}

function tiedLines(ties: Int32Array, numbers: Int32Array | null): Int32Array {
  const tied: number[] = []
  ties.forEach((count, line) => {
    if (count > 0) tied.push(numbers?.[line] ?? line)
  })
  return Int32Array.from(tied)
}

function stagesOf(fields: Float64Array, count: number): SparsityStage[] {
  return Array.from({ length: count }, (_, stage) => {
    const [maxNonzeros, smoothing, dualValue, iterations] = fields.subarray(stage * stageFields)
    return { maxNonzeros, smoothing, dualValue, iterations }
  })
}
