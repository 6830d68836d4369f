import type { Work } from '../work.js'
import type { Context } from './context.js'
import { PlanPass, planPass } from './plan-pass.js'
import { distance, innerProduct, sum } from './sums.js'
import { columnTransform, rowTransform } from './transform-pass.js'

/** Measures the state: marginal error, <C,P>, dual value. One pass. */
export function* measure({ problem, settings, cost, f, g, mass, report, monitor }: Context): Work<void> {
  const { n, m, a, b } = problem
  const pass = new PlanPass(settings.epsilon, f, g)
  const rowSum = new Float64Array(n)
  const rowCost = new Float64Array(n)
  const columnSum = new Float64Array(m)
  pass.rowSum = rowSum
  pass.rowCost = rowCost
  pass.columnSum = columnSum
  yield* planPass(cost, pass, monitor)
  report.marginalError = (distance(rowSum, a) + distance(columnSum, b)) / mass
  report.value = sum(rowCost)
  report.regularizedValue = innerProduct(a, f) + innerProduct(b, g) - settings.epsilon * sum(rowSum)
}

/**
 * Rounds the plan to the marginals and transforms the potentials: primal and dual bounds of unregularised transport.
 * Altschuler, Weed, Rigollet 2017 (Algorithm 2) for the primal side; two c-transforms for the dual one.
 */
export function* certify({ problem, settings, cost, f, g, report, monitor }: Context): Work<void> {
  const { n, m, a, b } = problem
  const x = new Float64Array(n)
  const y = new Float64Array(m)
  const columnSum = new Float64Array(m)
  const rowSum = new Float64Array(n)
  const rowCost = new Float64Array(n)

  const rows = new PlanPass(settings.epsilon, f, g) // P <- diag(min(1, a / P1)) P
  rows.scaling = 'capped'
  rows.a = a
  rows.scale = x
  rows.columnSum = columnSum
  yield* planPass(cost, rows, monitor)
  for (let j = 0; j < m; j++) y[j] = columnSum[j] > b[j] ? b[j] / columnSum[j] : 1

  const columns = new PlanPass(settings.epsilon, f, g) // P <- P diag(min(1, b / P^T 1))
  columns.columnWeight = y
  columns.rowSum = rowSum
  columns.rowCost = rowCost
  yield* planPass(cost, columns, monitor)
  let missing = 0
  for (let i = 0; i < n; i++) {
    rowCost[i] *= x[i]
    x[i] = Math.max(0, a[i] - x[i] * rowSum[i])
    missing += x[i]
  }
  for (let j = 0; j < m; j++) y[j] = Math.max(0, b[j] - y[j] * columnSum[j])
  report.primal = sum(rowCost)

  const dualG = new Float64Array(m) // g_j <- min_i (C_ij - f_i)
  yield* columnTransform(cost, f, dualG, monitor)
  const dualF = new Float64Array(n) // f_i <- min_j (C_ij - g_j), and the cost of the correction err_a err_b^T
  yield* rowTransform(cost, dualG, dualF, monitor, y, rowCost)
  if (missing > 0) {
    for (let i = 0; i < n; i++) rowCost[i] = x[i] === 0 ? 0 : rowCost[i] * (x[i] / missing)
    report.primal += sum(rowCost)
  }
  report.dual = innerProduct(a, dualF) + innerProduct(b, dualG)
}
