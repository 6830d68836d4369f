import { ExtremaError } from '../../../core/errors.js'
import type { CostProductJob, SparsityJob, SparsityPlanJob } from '../../transport-sparsity.js'
import type { Watch, Work } from '../work.js'
import type { ColumnOracle } from './column-oracle.js'
import { ColumnSolver, type ColumnTerms } from './column-solver.js'
import { Columns, type Visit } from './columns.js'
import { distance, sum } from './sums.js'

/** An entry is as good as the last of a full column if it would be given at least this part of it. */
const tied = 1 - 2e-3

/** The s above which an entry is in the plan, or would be but for the entries allowed. */
function tieLimit(cut: number, count: number, potential: number, { maxNonzeros, gamma, entropy }: ColumnTerms): number {
  if (count < maxNonzeros) return cut
  return entropy ? cut + gamma * Math.log(tied) : tied * cut - (1 - tied) * potential
}

export interface PlanMeasures {
  /** <C, P> */
  value: number
  primal: number
  dual: number
  rowError: number
  columnError: number
  tied: number
}

/** The plan of the potentials x and its ties: what `readPlan` reads off again. */
export function* measurePlan(
  job: SparsityJob,
  oracle: ColumnOracle,
  terms: ColumnTerms,
  x: Float64Array,
  monitor: Watch,
): Work<PlanMeasures> {
  const { byRows } = job.settings
  const { columns, solver, supply, demand, freeSum, columnSum, potential, cut, counts } = oracle
  const { gamma, entropy } = terms
  oracle.use(terms)
  const dual = -(yield* oracle.evaluate(x, new Float64Array(x.length)))
  for (let column = 0; column < columns.count; column++) {
    const limit = tieLimit(cut[column], counts[column], potential[column], terms)
    // A little lower: the same entries must be found in every reading.
    job.cut[column] = limit - 1e-14 * (Math.abs(limit) + Math.abs(potential[column]))
  }
  const costs = new Float64Array(columns.count)
  const penalties = new Float64Array(columns.count)
  const visit: Visit = (column, s, index, from, to) => {
    solver.solve(s, index, from, to, demand[column], potential[column])
    const { plan, count } = solver
    let cost = 0
    let penalty = 0
    for (let r = 0; r < count; r++) {
      const t = plan[r]
      cost += t * (x[index[from + r]] - s[from + r])
      penalty += entropy ? (t > 0 ? gamma * t * (Math.log(t) - 1) : 0) : 0.5 * gamma * t * t
    }
    costs[column] = cost
    penalties[column] = penalty
    job.nonzeros[column] = count
    job.ties[column] = countTies(solver, s, from, to)
    return true
  }
  yield* columns.visit(x, job.cut, columns.length, visit, monitor)
  const value = sum(costs)
  const mass = sum(supply)
  const freeError = distance(freeSum, supply) / mass
  const columnsError = distance(columnSum, demand) / mass
  return {
    value,
    primal: value + sum(penalties),
    dual,
    rowError: byRows ? columnsError : freeError,
    columnError: byRows ? freeError : columnsError,
    tied: job.ties.reduce((total, ties) => total + (ties > 0 ? 1 : 0), 0),
  }
}

/** Moves the candidates tied with the plan behind it and counts them. */
function countTies(solver: ColumnSolver, s: Float64Array, from: number, to: number, index?: Int32Array): number {
  const { count, cut, potential, terms } = solver
  if (count < terms.maxNonzeros) return 0
  const limit = tieLimit(cut, count, potential, terms)
  let ties = 0
  for (let i = from + count; i < to; i++) {
    if (s[i] < limit) continue
    if (index !== undefined) {
      const place = from + count + ties
      ;[s[place], s[i]] = [s[i], s[place]]
      ;[index[place], index[i]] = [index[i], index[place]]
    }
    ties++
  }
  return ties
}

export function* readPlan(job: SparsityPlanJob, monitor: Watch): Work<void> {
  const { problem, settings, f, g, cut, indptr, indices, data, costs, withTies } = job
  const { byRows, maxNonzeros, gamma, entropy, dual } = settings
  const columns = yield* Columns.open(problem, byRows, monitor)
  const solver = new ColumnSolver(columns.length)
  solver.terms = { maxNonzeros, gamma, rho: 0, entropy, dual }
  const [free, own] = byRows ? [g, f] : [f, g]
  const demand = byRows ? problem.a : problem.b
  const order = new Int32Array(columns.length)
  let sound = true
  const visit: Visit = (column, s, index, from, to) => {
    solver.solve(s, index, from, to, demand[column], own[column])
    const { plan, count } = solver
    const found = count + (withTies ? countTies(solver, s, from, to, index) : 0)
    const start = indptr[column]
    // Whoever changes the cost in between changes the plan.
    sound &&= found === indptr[column + 1] - start
    if (!sound) return true
    for (let r = 0; r < found; r++) order[r] = r
    const ranks = order.subarray(0, found).sort((p, q) => index[from + p] - index[from + q])
    for (let r = 0; r < found; r++) {
      const i = index[from + ranks[r]]
      indices[start + r] = i
      data[start + r] = ranks[r] < count ? plan[ranks[r]] : 0
      costs[start + r] = free[i] - s[from + ranks[r]]
    }
    return true
  }
  yield* columns.visit(free, cut, columns.length, visit, monitor)
  if (sound) return
  throw new ExtremaError('ERR_NOT_FINITE', 'cost: expected numbers that stay as they are after the call, got others')
}

export function* costProduct(job: CostProductJob, monitor: Watch): Work<void> {
  const { cost, u, v, out } = job
  const rows = yield* Columns.open(cost, true, monitor)
  const zeros = new Float64Array(rows.length)
  const threshold = new Float64Array(rows.count).fill(Number.NEGATIVE_INFINITY)
  const sums = new Float64Array(rows.count)
  const taken = v.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0)
  const visit: Visit = (row, s, index, from, to) => {
    if (u[row] === 0) return true
    let total = 0
    let found = 0
    for (let k = from; k < to; k++) {
      const weight = v[index[k]]
      if (weight === 0) continue
      total -= s[k] * weight
      found++
    }
    // Forbidden arcs are no candidates.
    sums[row] = found === taken ? u[row] * total : Number.POSITIVE_INFINITY
    return true
  }
  yield* rows.visit(zeros, threshold, rows.length, visit, monitor)
  out[0] = sum(sums)
}
