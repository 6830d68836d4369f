import { costEntry } from '../backend/cost-entry.js'
import type { Control, CostData } from '../backend/kernels.js'
import { assignmentField, assignmentReportLength } from '../backend/transport-assignment.js'
import { isArcs } from '../backend/transport-exact.js'
import { ExtremaError } from '../core/errors.js'
import { crossover, crossoverSync } from './crossover.js'
import { emd, emdSync } from './emd.js'
import { allPotentials } from './exact-potentials.js'
import type { ExactTransportProblem } from './exact-problem.js'
import type { ExactSolution } from './exact-solution.js'
import { checkBorrowed, checkExactOptions, type ExactOptions, type Prepared, prepareExact } from './exact-solve.js'
import { checkCost } from './line.js'
import type { EntropicOptions } from './options.js'
import { checkKept } from './plan-view.js'
import type { CheckedProblem, TransportProblem } from './problem.js'
import { call, type Program } from './program.js'
import { provedPlan } from './proved-plan.js'
import { sinkhorn, sinkhornSync } from './sinkhorn.js'
import { sinkhornNewtonSparse, sinkhornNewtonSparseSync } from './sinkhorn-newton-sparse.js'
import type { TransportSolution } from './solution.js'
import { lineOrder } from './transport-choice.js'
import type { CheckedTransport, TransportMethod } from './transport-options.js'

export type AnySolution = ExactSolution | TransportSolution
type Method = (problem: ExactTransportProblem, options: CheckedTransport) => Program<AnySolution>

/** Every method, in the form in which it is tried. */
export const programs: Record<TransportMethod, Method> = {
  emd: (problem, { rest }) => whole(problem, rest, emd, emdSync),
  crossover: (problem, { rest, epsilon }) =>
    whole(problem as TransportProblem, { ...rest, ...(epsilon && { epsilon }) }, crossover, crossoverSync),
  sinkhorn: (problem, options) => whole(problem as TransportProblem, entropic(options), sinkhorn, sinkhornSync),
  sinkhornNewtonSparse: (problem, options) =>
    whole(problem as TransportProblem, entropic(options), sinkhornNewtonSparse, sinkhornNewtonSparseSync),
  assignment: assigned,
  wasserstein1d: sorted,
}

/** A solver with its own hand-overs, as one step. */
function* whole<Problem, Options, T>(
  problem: Problem,
  options: Options,
  solve: (problem: Problem, options: Options) => Promise<T>,
  solveSync: (problem: Problem, options: Options) => T,
): Program<T> {
  let solution: T | undefined
  yield {
    run: async (control) => {
      solution = await solve(problem, { ...options, ...optionsOf(control) })
    },
    runSync: (control) => {
      solution = solveSync(problem, { ...options, ...optionsOf(control) })
    },
  }
  return solution as T
}

export function optionsOf({ timeLimit, ...control }: Control): Partial<Control> {
  return timeLimit === Number.POSITIVE_INFINITY ? control : { ...control, timeLimit }
}

export function entropic({ rest, epsilon, precision }: CheckedTransport): EntropicOptions {
  return { ...rest, epsilon: epsilon as number, ...(precision && { precision }) }
}

function prepare(problem: ExactTransportProblem, { rest }: CheckedTransport): Prepared {
  return prepareExact(problem, checkExactOptions(rest as ExactOptions))
}

function* assigned(problem: ExactTransportProblem, options: CheckedTransport): Program<AnySolution> {
  const prepared = prepare(problem, options)
  const { problem: checked, kernels } = prepared
  const { threads } = options.run
  const { n, m, a, b, cost } = checked.reduced
  const constant = (weights: Float64Array) => weights.every((weight) => weight === weights[0])
  if (n !== m || isArcs(cost) || !constant(a) || !constant(b)) {
    const expected = 'a matrix or points, as many sources as targets, and one weight for all'
    throw new ExtremaError('ERR_OPTION', `method: expected ${expected} with 'assignment', got another problem`)
  }
  const table = tableOf(cost)
  const [f, g, columns] = [new Float64Array(n), new Float64Array(n), new Int32Array(n)]
  const report = new Float64Array(assignmentReportLength)
  try {
    yield call(kernels.transport.assignment, { n, m, cost: table.x, maximize: false, columns, f, g, report })
  } catch (error) {
    // The simplex method knows the caller's numbers of the rows and what they supply.
    if (error instanceof ExtremaError && error.code === 'ERR_INFEASIBLE') return yield* programs.emd(problem, options)
    throw error
  }
  checkBorrowed(checked)
  // Feasible beyond rounding, by both transforms.
  yield call(kernels.transport.transform, { cost: table, threads, transpose: true, potential: f, out: g })
  yield call(kernels.transport.transform, { cost: table, threads, transpose: false, potential: g, out: f })
  const potentials = allPotentials(checked, f, g, threads)
  let step = potentials.next()
  for (; !step.done; step = potentials.next()) yield call(kernels.transport.transform, step.value)
  const found = Int32Array.from(columns.keys()).filter((i) => columns[i] >= 0)
  return provedPlan({
    ...{ n: checked.n, m: checked.m, a: checked.a, b: checked.b },
    cost: (checked.whole as CheckedProblem).full,
    arcs: {
      row: found.map((i) => checked.rows?.[i] ?? i),
      column: found.map((i) => checked.columns?.[columns[i]] ?? columns[i]),
      mass: new Float64Array(found.length).fill(a[0]),
    },
    potentials: step.value,
    status: report[assignmentField.timeLimit] === 0 ? 'converged' : 'time-limit',
    iterations: report[assignmentField.searches],
    elapsed: performance.now() - prepared.start,
    backend: kernels.name,
  })
}

/** The cost as a matrix. */
function tableOf(cost: CostData): CostData {
  if (cost.metric === 'dense') return cost
  const { n, m } = cost
  const entry = costEntry(cost)
  const x = new Float64Array(n * m)
  for (let i = 0, k = 0; i < n; i++) for (let j = 0; j < m; j++) x[k++] = entry(i, j)
  return { n, m, metric: 'dense', x, y: null, d: 0 }
}

function* sorted(problem: ExactTransportProblem, options: CheckedTransport): Program<AnySolution> {
  const { problem: checked, kernels, start } = prepare(problem, options)
  const { n, m, a, b, whole: all } = checked
  const cost = 'full' in all ? all.full : null
  const order = cost === null ? null : lineOrder(cost)
  if (cost === null || order === null) {
    const expected = 'points of one dimension whose cost is convex'
    throw new ExtremaError('ERR_OPTION', `method: expected ${expected} with 'wasserstein1d', got another cost`)
  }
  const arcs = n + m - 1
  const job = {
    ...{ x: Float64Array.from(cost.x), y: Float64Array.from(cost.y as Float64Array), a, b, order },
    ...{ f: new Float64Array(n), g: new Float64Array(m) },
    ...{ rows: new Int32Array(arcs), columns: new Int32Array(arcs), mass: new Float64Array(arcs) },
    report: new Float64Array(1),
  }
  yield call(kernels.transport.wasserstein1d, job)
  checkKept(cost)
  checkCost(job.report[0])
  return provedPlan({
    ...{ n, m, cost, a, b },
    arcs: { row: job.rows, column: job.columns, mass: job.mass },
    potentials: { f: job.f, g: job.g },
    status: 'converged',
    iterations: 1,
    elapsed: performance.now() - start,
    backend: kernels.name,
  })
}
