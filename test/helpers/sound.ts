import { expect } from 'chai'
import type { TransportSolution } from '../../lib/transport/index.js'
import { planOf } from './naive-sinkhorn.js'
import { columnSums, type Dense, dot, largestDifference, marginalErrorOf, rowSums, total } from './transport.js'

interface Asked {
  epsilon: number
  tolerance?: number
  /** How far the costs themselves may be off, where the solver computes them (points) or holds them in float32. */
  costError?: number
  /** Relative error of sums over the plan: float32 needs more. */
  roundoff?: number
}

/**
 * Everything that must hold for any solution, converged or not: what it says about itself is what its potentials say,
 * recomputed here from the definitions.
 */
export function expectSound(solution: TransportSolution, dense: Dense, asked: Asked): void {
  const { n, m, cost, a, b } = dense
  const { epsilon, tolerance = 1e-9, costError = 0, roundoff = 1e-13 } = asked
  const mass = total(a)
  const { potentials, marginalError, residual, status } = solution
  const { f, g } = potentials

  expect(f).to.be.instanceOf(Float64Array)
  expect(g).to.be.instanceOf(Float64Array)
  expect([f.length, g.length]).to.deep.equal([n, m])
  for (const value of [...f, ...g, marginalError, solution.value, solution.regularizedValue]) expectFinite(value)
  expect(solution.elapsed).to.be.at.least(0)
  const least = status === 'time-limit' ? 0 : 1
  expect(solution.iterations).to.satisfy(Number.isInteger).and.be.at.least(least)
  expect(solution.passes).to.satisfy(Number.isInteger).and.be.at.least(least)
  expect(residual).to.equal(marginalError)
  expect(status).to.be.oneOf(['converged', 'iteration-limit', 'time-limit', 'stalled'])
  expect(status === 'converged', `${status} with residual ${residual}`).to.equal(residual <= tolerance)

  // The plan is what the potentials make it. An exponent carries the rounding of its terms over epsilon.
  const weighted = weightedOnly(dense, f, g)
  const expected = planOf(dense, epsilon, weighted.f, weighted.g)
  const { data: plan, shape } = solution.plan()
  expect(shape).to.deep.equal([n, m])
  const size = largestSize(cost) + largestSize(f) + largestSize(g)
  const relative = 1e-14 + (4 * Number.EPSILON * size + costError) / epsilon
  let largest = 0
  for (let k = 0; k < plan.length; k++) {
    if (Math.abs(plan[k] - expected[k]) <= relative * expected[k] + 1e-300) continue
    largest = Math.max(largest, Math.abs(plan[k] / expected[k] - 1)) || Number.POSITIVE_INFINITY
  }
  expect(largest, 'relative difference of plan() and exp((f + g - C) / epsilon)').to.equal(0)

  const slack = roundoff + relative
  expect(marginalError).to.be.closeTo(marginalErrorOf(plan, dense), (slack * (2 * total(plan) + mass)) / mass)
  const moved = total(plan.map((p, k) => (p === 0 ? 0 : p * Math.abs(cost[k]))))
  expect(solution.value).to.be.closeTo(dot(plan, cost), slack * moved + costError * total(plan) + 1e-300)
  const dualTerms = [dot(a, weighted.f), dot(b, weighted.g), -epsilon * total(plan)]
  const dualSize = total(a.map((w, i) => w * Math.abs(f[i]))) + total(b.map((w, j) => w * Math.abs(g[j])))
  const dualSlack = slack * (dualSize + epsilon * total(plan))
  expect(solution.regularizedValue).to.be.closeTo(total(dualTerms), dualSlack)

  if (solution.certificate !== undefined) {
    const { primal, dual, gap } = solution.certificate
    for (const value of [primal, dual, gap]) expectFinite(value)
    const { least, most } = costExtent(cost)
    const scale = mass * Math.max(Math.abs(least), Math.abs(most)) + largestSize(f) * mass
    expect(gap).to.equal(primal - dual)
    expect(gap).to.be.at.least(-slackOf(roundoff, scale) - 2 * costError * mass)
    expect(primal).to.be.closeTo(roundedCost(plan, dense), slackOf(roundoff, scale) + 2 * costError * mass)
    expect(dual).to.be.closeTo(transformedDual(dense, f), slackOf(roundoff, scale) + 2 * costError * mass)
  }
}

function slackOf(roundoff: number, scale: number): number {
  return roundoff * scale + 1e-300
}

function expectFinite(value: number): void {
  if (!Number.isFinite(value)) expect.fail(`expected finite numbers only, got ${value}`)
}

/** Nodes without weight take no part: the potentials that make the plan are -Infinity there. */
function weightedOnly({ a, b }: Dense, f: Float64Array, g: Float64Array): { f: Float64Array; g: Float64Array } {
  const only = (weights: Float64Array) => (value: number, k: number) => (weights[k] > 0 ? value : -Infinity)
  return { f: f.map(only(a)), g: g.map(only(b)) }
}

function largestSize(values: Float64Array): number {
  return values.reduce((largest, value) => (Number.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest), 0)
}

function costExtent(cost: Float64Array): { least: number; most: number } {
  const finite = cost.filter(Number.isFinite)
  return { least: finite.reduce((x, y) => Math.min(x, y)), most: finite.reduce((x, y) => Math.max(x, y)) }
}

/** The cost of the plan after rounding it to the marginals: Altschuler, Weed, Rigollet 2017, algorithm 2. */
export function roundedCost(plan: Float64Array, { n, m, cost, a, b }: Dense): number {
  const rounded = plan.slice()
  const rows = rowSums(rounded, n, m)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) rounded[i * m + j] *= rows[i] > a[i] ? a[i] / rows[i] : 1
  }
  const columns = columnSums(rounded, n, m)
  for (let j = 0; j < m; j++) {
    for (let i = 0; i < n; i++) rounded[i * m + j] *= columns[j] > b[j] ? b[j] / columns[j] : 1
  }
  const rowsNow = rowSums(rounded, n, m)
  const columnsNow = columnSums(rounded, n, m)
  const missingRows = a.map((w, i) => Math.max(0, w - rowsNow[i]))
  const missingColumns = b.map((w, j) => Math.max(0, w - columnsNow[j]))
  const missing = total(missingRows)
  for (let i = 0; i < n && missing > 0; i++) {
    for (let j = 0; j < m; j++) rounded[i * m + j] += (missingRows[i] * missingColumns[j]) / missing
  }
  expect(largestDifference(rowSums(rounded, n, m), a)).to.be.below(1e-13 * total(a))
  return dot(rounded, cost)
}

/** a·f' + b·g' with g' the c-transform of f and f' that of g', over the nodes with weight. */
export function transformedDual({ n, m, cost, a, b }: Dense, f: Float64Array): number {
  let value = 0
  const g = new Float64Array(m)
  for (let j = 0; j < m; j++) {
    g[j] = Number.POSITIVE_INFINITY
    for (let i = 0; i < n; i++) if (a[i] > 0) g[j] = Math.min(g[j], cost[i * m + j] - f[i])
    if (b[j] > 0) value += b[j] * g[j]
  }
  for (let i = 0; i < n; i++) {
    let least = Number.POSITIVE_INFINITY
    for (let j = 0; j < m; j++) if (b[j] > 0) least = Math.min(least, cost[i * m + j] - g[j])
    if (a[i] > 0) value += a[i] * least
  }
  return value
}
