import { costEntry } from '../backend/cost-entry.js'
import type { CostData } from '../backend/kernels.js'
import { exactField, exactReportLength } from '../backend/transport-exact.js'
import { type Status, statuses } from '../core/solution.js'
import { type Arcs, BasicSolution } from './exact-solution.js'
import type { Potentials } from './solve.js'

/** What another method than the simplex method has found, at the caller's nodes. */
export interface Found {
  n: number
  m: number
  cost: CostData
  a: Float64Array
  b: Float64Array
  arcs: Arcs
  /** Feasible for the dual problem. */
  potentials: Potentials
  status: Status
  iterations: number
  elapsed: number
  backend: 'native' | 'portable'
}

/** More than rounding leaves of the residual of an optimal plan, and of its marginals. */
const proof = 1e-12
const complete = 1e-8

/** The solution of such a plan, judged by plan and potentials alone as `emd` judges its own. */
export function provedPlan(found: Found): BasicSolution {
  const { n, m, a, b, arcs, potentials } = found
  const entry = costEntry(found.cost)
  const moved = new Sum()
  const dual = new Sum()
  const [rows, columns] = [a.slice(), b.slice()]
  arcs.mass.forEach((mass, k) => {
    if (mass === 0) return
    moved.add(mass * entry(arcs.row[k], arcs.column[k]))
    rows[arcs.row[k]] -= mass
    columns[arcs.column[k]] -= mass
  })
  a.forEach((weight, i) => {
    if (weight > 0) dual.add(weight * potentials.f[i])
  })
  b.forEach((weight, j) => {
    if (weight > 0) dual.add(weight * potentials.g[j])
  })
  const marginalError = (sizes(rows) + sizes(columns)) / sizes(a)
  const primal = marginalError > complete ? Number.POSITIVE_INFINITY : moved.total
  const size = moved.size + dual.size
  const residual = size > 0 ? Math.max(0, primal - dual.total) / size : 0
  const stalled = found.status === 'converged' && !(residual <= proof)
  const report = new Float64Array(exactReportLength)
  report[exactField.status] = statuses.indexOf(stalled ? 'stalled' : found.status)
  report[exactField.iterations] = found.iterations
  report[exactField.rounds] = 1
  report[exactField.entries] = arcs.mass.length
  report[exactField.marginalError] = marginalError
  report[exactField.value] = moved.total
  report[exactField.primal] = primal
  report[exactField.dual] = dual.total
  report[exactField.residual] = residual
  return new BasicSolution({ n, m }, arcs, report, potentials, found.elapsed, found.backend)
}

function sizes(values: Float64Array): number {
  const sum = new Sum()
  values.forEach((value) => {
    sum.add(value)
  })
  return sum.size
}

/** Neumaier's compensated sum, and the plain sum of the sizes. */
class Sum {
  size = 0
  #sum = 0
  #lost = 0

  add(value: number): void {
    const next = this.#sum + value
    this.#lost += Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - next + value : value - next + this.#sum
    this.#sum = next
    this.size += Math.abs(value)
  }

  get total(): number {
    return this.#sum + this.#lost
  }
}
