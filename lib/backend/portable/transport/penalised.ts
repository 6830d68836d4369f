// Unbalanced transport whose marginals are penalised by total variation or least squares: what `unbalanced` does for them.
// Twin of native/transport/penalised.cc.

import { ExtremaError } from '../../../core/errors.js'
import { type UnbalancedJob, unbalancedField } from '../../transport-relaxed.js'
import type { Work } from '../work.js'
import { type Context, status } from './context.js'
import { Marginals } from './marginals.js'
import { Penalty } from './penalty.js'
import { PenaltyNewton } from './penalty-newton.js'
import { PlanPass, planPass } from './plan-pass.js'
import { sum } from './sums.js'
import { columnTransform, rowTransform } from './transform-pass.js'

export function* penalised(context: Context, job: UnbalancedJob): Work<void> {
  const { problem, settings, f, g, cost, range, report, monitor } = context
  const { divergence, penaltyA, penaltyB, productReference } = job.problem.relaxation
  const a = new Penalty(divergence, penaltyA, problem.a, productReference)
  const b = new Penalty(divergence, penaltyB, problem.b, productReference)
  if (range.forbids) {
    const nodes = new Marginals(problem, settings.epsilon)
    yield* nodes.leaveOutIsolated(cost, monitor)
    for (let i = 0; i < problem.n; i++) if (nodes.a.leftOut(i)) a.leaveOut(i)
    for (let j = 0; j < problem.m; j++) if (nodes.b.leftOut(j)) b.leaveOut(j)
  }
  yield* new PenaltyNewton(context, a, b).run()
  a.setEpsilon(settings.epsilon)
  b.setEpsilon(settings.epsilon)

  const { rowSum, columnSum } = job
  const rowCost = new Float64Array(problem.n)
  const pass = new PlanPass(settings.epsilon, f, g)
  pass.rowSum = rowSum
  pass.rowCost = rowCost
  pass.columnSum = columnSum
  yield* planPass(cost, pass, monitor)
  const demandA = demandOf(a, f, rowSum)
  const demandB = demandOf(b, g, columnSum)
  const error = missedOf(a, f, rowSum) + missedOf(b, g, columnSum)
  report.marginalError = error === 0 ? 0 : (2 * error) / (sum(demandA) + sum(demandB))
  report.value = sum(rowCost)
  const mass = sum(rowSum)
  const reference = productReference ? context.mass * sum(problem.b) : 0
  const terms = valueOf(a, f) + valueOf(b, g)
  const dualValue = terms - settings.epsilon * (mass - reference)
  const gap = sum(f.map((F, i) => a.gap(i, F, rowSum[i]))) + sum(g.map((G, j) => b.gap(j, G, columnSum[j])))
  report.regularizedValue = dualValue + gap
  if (!Number.isFinite(mass) || !Number.isFinite(report.regularizedValue)) {
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      'cost, marginalPenalty: the mass of the plan overflows; raise the costs, the penalties or epsilon',
    )
  }
  if (report.marginalError <= settings.tolerance) report.status = status.converged
  else if (report.status === status.converged) report.status = status.stalled
  if (settings.certificate) yield* certify(context, a, b, rowSum, columnSum)
  report.write(job.report)
  const figures = { dualValue, gap, mass, translation: 0 }
  for (const [name, index] of Object.entries(unbalancedField)) job.report[index] = figures[name as keyof typeof figures]
}

function demandOf(side: Penalty, potential: Float64Array, total: Float64Array): Float64Array {
  return total.map((x, i) => (side.leftOut(i) ? 0 : side.demand(i, potential[i], x)))
}

function missedOf(side: Penalty, potential: Float64Array, total: Float64Array): number {
  return sum(total.map((x, i) => (side.leftOut(i) ? 0 : side.missed(i, potential[i], x))))
}

function valueOf(side: Penalty, potential: Float64Array): number {
  return sum(potential.map((F, i) => side.value(i, F)))
}

/**
 * Bounds of the problem without its entropic term: of the primal by the plan, its rows (or columns) scaled where that side
 * is kept; of the dual by potentials that are feasible for it.
 */
function* certify(context: Context, a: Penalty, b: Penalty, rowSum: Float64Array, columnSum: Float64Array): Work<void> {
  const { problem, settings, cost, range, f, g, report, monitor } = context
  const { n, m } = problem
  const x = rowSum.map((total, i) => (a.relaxed ? 1 : problem.a[i] / total))
  const y = columnSum.map((total, j) => (b.relaxed ? 1 : problem.b[j] / total))
  const rows = new Float64Array(n)
  const columns = new Float64Array(m)
  const rowCost = new Float64Array(n)
  const pass = new PlanPass(settings.epsilon, f, g)
  pass.columnWeight = y
  pass.rowSum = rows
  pass.rowCost = rowCost
  pass.scaling = 'given'
  pass.scale = x
  pass.columnSum = columns
  yield* planPass(cost, pass, monitor)
  let primal = 0
  for (let i = 0; i < n; i++) primal += x[i] * rowCost[i] + a.penalty(i, x[i] * rows[i])
  for (let j = 0; j < m; j++) primal += b.penalty(j, y[j] * columns[j])
  report.primal = Number.isNaN(primal) ? Number.POSITIVE_INFINITY : primal

  const plainF = f.map((F, i) => F - a.offset[i])
  const own = yield* feasibleDual(context, a, b, plainF)
  // Where penalties are small against epsilon, these may be far out.
  const constant = yield* feasibleDual(context, a, b, new Float64Array(n).fill(range.least))
  report.dual = Math.max(own, constant)
}

/** The dual value without entropy at f, lowered where no column could follow, and its c-transforms. */
function* feasibleDual({ cost, problem, monitor }: Context, a: Penalty, b: Penalty, f: Float64Array): Work<number> {
  const g = new Float64Array(problem.m)
  if (problem.relaxation!.divergence === 'tv' && b.relaxed) {
    const most = new Float64Array(problem.n) // g >= -rho_b wants f_i <= C_ij + rho_b
    yield* rowTransform(cost, g, most, monitor)
    for (let i = 0; i < f.length; i++) f[i] = Math.min(f[i], most[i] + b.rho)
  }
  yield* columnTransform(cost, f, g, monitor) // g_j <- min_i (C_ij - f_i)
  cap(b, g)
  yield* rowTransform(cost, g, f, monitor) // f_i <- min_j (C_ij - g_j)
  cap(a, f)
  let total = 0
  for (let i = 0; i < f.length; i++) total += a.value(i, f[i] + a.offset[i])
  for (let j = 0; j < g.length; j++) total += b.value(j, g[j] + b.offset[j])
  return Number.isNaN(total) ? Number.NEGATIVE_INFINITY : total
}

/** More than the potential that asks for nothing is worth no more. */
function cap(side: Penalty, potential: Float64Array): void {
  if (!side.relaxed) return
  for (let i = 0; i < potential.length; i++) potential[i] = Math.min(potential[i], side.nothing(i) - side.offset[i])
}
