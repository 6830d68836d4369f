import { reportField, type SolveJob, type SolveSettings, type TransportProblemData } from '../../kernels.js'
import { isRelaxed } from '../../transport-relaxed.js'
import type { Watch, Work } from '../work.js'
import { BorderedRows } from './border.js'
import { type CostRows, openCost } from './cost.js'
import { type CostRange, costRange } from './cost-range.js'
import { checkFeasible } from './feasibility.js'
import { sum } from './sums.js'

/** In the order of `statuses` in lib/core/solution.ts. */
export const status = { converged: 0, iterationLimit: 1, timeLimit: 2, stalled: 3 } as const

/** What a solver finds, before it goes into the array of the job. */
export class Report {
  status: number = status.iterationLimit
  iterations = 0
  newtonIterations = 0
  /** Over all n × m entries, the final measurement not counted. */
  passes = 0
  /** (|P1 - a|_1 + |P^T 1 - b|_1) / sum a */
  marginalError = 0
  /** <C, P> */
  value = 0
  regularizedValue = 0
  /** dual <= OT <= primal */
  primal = 0
  dual = 0
  /** Share of the entries of all passes that were left out. */
  skipped = 0
  private historyLength = 0

  constructor(private readonly history: Float64Array | null) {}

  /** Keeps the marginal error of an iteration, while there is room. */
  remember(error: number): void {
    if (this.history !== null && this.historyLength < this.history.length) this.history[this.historyLength++] = error
  }

  write(out: Float64Array): void {
    for (const [name, index] of Object.entries(reportField)) out[index] = this[name as keyof typeof reportField]
  }
}

/** Everything of a solve that is set up once. f and g hold the start and receive the result. */
export interface Context {
  problem: TransportProblemData
  settings: SolveSettings
  f: Float64Array
  g: Float64Array
  cost: CostRows
  range: CostRange
  /** sum a */
  mass: number
  report: Report
  monitor: Watch
}

/** `feasible`: no need to look for a plan that avoids forbidden arcs. */
export function* openContext(job: Omit<SolveJob, 'report'>, monitor: Watch, feasible = false): Work<Context> {
  const { problem, settings, f, g } = job
  const { border } = problem
  const core =
    border === undefined
      ? problem
      : { ...problem, n: problem.n - Number(border.row), m: problem.m - Number(border.column) }
  const plain = yield* openCost(core, monitor)
  const range = yield* costRange(plain, monitor)
  const cost =
    border === undefined ? plain : new BorderedRows(plain, border, Number.isFinite(range.least) ? range.least : 0)
  if (range.forbids && !isRelaxed(problem) && !feasible) yield* checkFeasible(problem, monitor)
  return { problem, settings, f, g, cost, range, mass: sum(problem.a), report: new Report(job.history), monitor }
}
