import type { CsrParts, Kernels, TransportProblemData } from '../backend/kernels.js'
import { type ExactJob, exactField, infeasible } from '../backend/transport-exact.js'
import { statuses } from '../core/solution.js'
import { arcsToCsr } from './arcs.js'
import { exactJob } from './exact-solve.js'
import type { CheckedProblem } from './problem.js'
import { call, type Program } from './program.js'
import { forEntries, type SparseEntries } from './sparse-plan.js'

/** What the network simplex finds: arcs that carry mass, and potentials. */
export interface Flow {
  status: (typeof statuses)[number] | 'infeasible'
  pivots: number
  f: Float64Array
  g: Float64Array
  plan: ExactJob['plan']
}

/** Unregularised transport over all arcs of the cost, or over those that are listed. */
export function* exactFlow(
  problem: TransportProblemData,
  cost: TransportProblemData | CsrParts,
  threads: number,
  kernels: Kernels,
): Program<Flow> {
  const { n, m, a, b } = problem
  const job = exactJob(
    { n, m, cost, a, b },
    { tolerance: 0, maxIterations: Number.POSITIVE_INFINITY, threads, warm: false },
  )
  yield call(kernels.transport.emd, job)
  const status = job.report[exactField.status]
  return {
    status: status === infeasible ? 'infeasible' : statuses[status],
    pivots: job.report[exactField.iterations],
    f: job.f,
    g: job.g,
    plan: job.plan,
  }
}

/** The most arcs that a line has. */
export function mostArcs({ plan: { row, column, mass } }: Flow, byRows: boolean): number {
  const counts = new Map<number, number>()
  const line = byRows ? row : column
  let most = 0
  mass.forEach((amount, k) => {
    if (!(amount > 0)) return
    const count = (counts.get(line[k]) ?? 0) + 1
    counts.set(line[k], count)
    most = Math.max(most, count)
  })
  return most
}

/** The flow as a plan of the whole problem. Where there is flow, the cost is what the potentials add up to. */
export function flowEntries({ f, g, plan }: Flow, { n, m, rows, columns }: CheckedProblem): SparseEntries {
  const { row, column, mass } = plan
  const ofWhole = (numbers: Int32Array, kept: Int32Array | null) =>
    kept === null ? numbers : numbers.map((k) => kept[k])
  const [i, j] = [ofWhole(row, rows), ofWhole(column, columns)]
  const csr = arcsToCsr(n, m, i, j, mass)
  const costs = arcsToCsr(n, m, i, j, mass)
  const price = new Map(Array.from(mass, (_, k) => [i[k] * m + j[k], f[row[k]] + g[column[k]]]))
  forEntries(costs, (p, q, k) => {
    costs.data[k] = price.get(p * m + q)!
  })
  return { csr, costs: costs.data }
}
