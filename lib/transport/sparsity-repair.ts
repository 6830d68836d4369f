import type { Kernels } from '../backend/kernels.js'
import type { CheckedProblem } from './problem.js'
import { call, type Program } from './program.js'
import { forEntries, marginalsOf, type SparseEntries, total } from './sparse-plan.js'

/** What is measured of a plan that was repaired. */
export interface PlanValues {
  value: number
  primalValue: number
  rowError: number
  columnError: number
}

/** Rounds the plan to its marginals: Altschuler, Weed and Rigollet 2017, algorithm 2. */
export function roundedEntries({ csr, costs }: SparseEntries, a: Float64Array, b: Float64Array): SparseEntries {
  const rowSums = marginalsOf({ csr, costs }).rows
  const data = csr.data.slice()
  forEntries(csr, (i, _j, k) => {
    if (rowSums[i] > a[i]) data[k] *= a[i] / rowSums[i]
  })
  const rounded = { csr: { ...csr, data }, costs }
  const columnSums = marginalsOf(rounded).columns
  forEntries(csr, (_i, j, k) => {
    if (columnSums[j] > b[j]) data[k] *= b[j] / columnSums[j]
  })
  const { rows, columns } = marginalsOf(rounded)
  const u = a.map((weight, i) => Math.max(0, weight - rows[i]))
  const v = b.map((weight, j) => Math.max(0, weight - columns[j]))
  const missing = total(u)
  if (!(missing > 0)) return rounded
  return { ...rounded, spread: { u: u.map((weight) => weight / missing), v } }
}

/** Values of a plan that is no longer what its potentials make it. */
export function* valuesOf(
  entries: SparseEntries,
  { full }: CheckedProblem,
  kernels: Kernels,
  regularizer: { gamma: number; entropy: boolean },
  threads: number,
): Program<PlanValues> {
  const { csr, costs, spread } = entries
  const { a, b } = full
  const { gamma, entropy } = regularizer
  let value = 0
  let penalty = 0
  const term = (mass: number) => (entropy ? (mass > 0 ? mass * (Math.log(mass) - 1) : 0) : 0.5 * mass * mass)
  forEntries(csr, (i, j, k) => {
    const shared = spread === undefined ? 0 : spread.u[i] * spread.v[j]
    value += csr.data[k] * costs[k]
    penalty += term(csr.data[k] + shared) - term(shared)
  })
  if (spread !== undefined) {
    const { u, v } = spread
    const out = new Float64Array(1)
    yield call(kernels.transport.costProduct, { cost: full, threads, u, v, out })
    value += out[0]
    penalty += spreadPenalty(u, v, entropy)
  }
  const { rows, columns } = marginalsOf(entries)
  const mass = total(a)
  return {
    value,
    primalValue: value + gamma * penalty,
    rowError: distance(rows, a) / mass,
    columnError: distance(columns, b) / mass,
  }
}

/** The regulariser of u vᵀ, which needs no product of its entries. */
function spreadPenalty(u: Float64Array, v: Float64Array, entropy: boolean): number {
  if (!entropy) return 0.5 * squares(u) * squares(v)
  const logs = (x: Float64Array) => x.reduce((sum, value) => sum + (value > 0 ? value * Math.log(value) : 0), 0)
  return logs(u) * total(v) + logs(v) * total(u) - total(u) * total(v)
}

function squares(x: Float64Array): number {
  return x.reduce((sum, value) => sum + value * value, 0)
}

function distance(x: Float64Array, y: Float64Array): number {
  return x.reduce((sum, value, k) => sum + Math.abs(value - y[k]), 0)
}

/** Entries > 0 of each line. */
export function countNonzeros({ csr, spread }: SparseEntries, byRows: boolean): Int32Array {
  const [n, m] = csr.shape
  const counts = new Int32Array(byRows ? n : m)
  const [own, other] = spread === undefined ? [] : byRows ? [spread.u, spread.v] : [spread.v, spread.u]
  const filled = other?.reduce((count, value) => count + (value > 0 ? 1 : 0), 0) ?? 0
  counts.forEach((_, line) => {
    if ((own?.[line] ?? 0) > 0) counts[line] = filled
  })
  forEntries(csr, (i, j, k) => {
    if (csr.data[k] > 0 && !((spread?.u[i] ?? 0) * (spread?.v[j] ?? 0) > 0)) counts[byRows ? i : j]++
  })
  return counts
}
