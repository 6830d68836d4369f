import { type ApplyQJob, factorField, type QrJob } from '../../linear-dense.js'
import type { Watch, Work } from '../work.js'
import { addScaled, dot, normOf, probe, relativeDifference, scanMatrix, timesVector, transposed } from './matrix.js'

type Clock = Pick<Watch, 'due'>

/** Below this much of its old value a downdated norm is formed anew (LAPACK's sqrt(epsilon)). */
const trusted = Math.sqrt(Number.EPSILON)

/** Householder's reflections, column by column. */
export function* qr(job: QrJob, monitor: Watch): Work<void> {
  const { m, n, a, reflectors, tau, permutation, r, q, report } = job
  const k = Math.min(m, n)
  const { rowSum } = yield* scanMatrix('matrix', a, m, n, monitor)
  reflectors.set(transposed(a, m, n))
  yield* factorColumns(reflectors, m, n, tau, permutation, job.pivoting, monitor)
  for (let i = 0; i < k; i++) for (let j = 0; j < n; j++) r[i * n + j] = j < i ? 0 : reflectors[j * m + i]
  if (q !== null) q.set(yield* formQ(reflectors, tau, m, k, monitor))
  const signs = probe(n)
  const z = new Float64Array(n)
  for (let j = 0; j < n; j++) z[permutation[j]] = signs[j]
  const factors = new Float64Array(m)
  factors.set(yield* timesVector(r, k, n, signs, monitor))
  yield* reflectVectors(reflectors, tau, m, k, false, factors, 1, monitor)
  report[factorField.residual] = relativeDifference(factors, yield* timesVector(a, m, n, z, monitor), rowSum)
}

/** Factors columns, stored as the rows of c (n × m). */
export function* factorColumns(
  c: Float64Array,
  m: number,
  n: number,
  tau: Float64Array,
  permutation: Int32Array,
  pivoting: boolean,
  clock: Clock,
): Work<void> {
  const k = Math.min(m, n)
  for (let j = 0; j < n; j++) permutation[j] = j
  const norms = new Float64Array(n)
  if (pivoting) for (let j = 0; j < n; j++) norms[j] = normOf(c, j * m, m)
  const formed = norms.slice()
  for (let i = 0; i < k; i++) {
    if (pivoting) {
      let best = i
      for (let j = i + 1; j < n; j++) if (norms[j] > norms[best]) best = j
      if (best !== i) {
        const column = c.slice(i * m, (i + 1) * m)
        c.copyWithin(i * m, best * m, (best + 1) * m)
        c.set(column, best * m)
        const index = permutation[i]
        permutation[i] = permutation[best]
        permutation[best] = index
        norms[best] = norms[i]
        formed[best] = formed[i]
      }
    }
    const at = i * m + i
    tau[i] = reflector(c, at, m - i)
    for (let j = i + 1; j < n; j++) {
      const other = j * m + i
      if (tau[i] !== 0) {
        const inner = c[other] + dot(c, at + 1, c, other + 1, m - i - 1)
        c[other] -= tau[i] * inner
        addScaled(-tau[i] * inner, c, at + 1, c, other + 1, m - i - 1)
      }
      if (pivoting && norms[j] !== 0) {
        const share = Math.max(0, 1 - (Math.abs(c[other]) / norms[j]) ** 2)
        if (share * (norms[j] / formed[j]) ** 2 <= trusted) {
          norms[j] = normOf(c, other + 1, m - i - 1)
          formed[j] = norms[j]
        } else {
          norms[j] *= Math.sqrt(share)
        }
      }
      if (clock.due()) yield
    }
    if (clock.due()) yield
  }
}

/**
 * The reflection I - tau v vᵀ that leaves only the first of n numbers, where its result is written; v has a one there, and
 * its rest replaces the numbers. Returns tau.
 */
function reflector(x: Float64Array, at: number, n: number): number {
  const rest = normOf(x, at + 1, n - 1)
  if (rest === 0) return 0
  const first = x[at]
  const beta = first > 0 || Object.is(first, 0) ? -Math.hypot(first, rest) : Math.hypot(first, rest)
  const scale = 1 / (first - beta)
  for (let i = at + 1; i < at + n; i++) x[i] *= scale
  x[at] = beta
  return (beta - first) / beta
}

/** b <- Q b or Qᵀ b, m × columns. */
export function* reflectVectors(
  reflectors: Float64Array,
  tau: Float64Array,
  m: number,
  k: number,
  transpose: boolean,
  b: Float64Array,
  columns: number,
  clock: Clock,
): Work<void> {
  const inner = new Float64Array(columns)
  for (let step = 0; step < k; step++) {
    const j = transpose ? step : k - 1 - step
    if (tau[j] === 0) continue
    const v = j * m
    inner.set(b.subarray(j * columns, (j + 1) * columns))
    for (let i = j + 1; i < m; i++) addScaled(reflectors[v + i], b, i * columns, inner, 0, columns)
    addScaled(-tau[j], inner, 0, b, j * columns, columns)
    for (let i = j + 1; i < m; i++) addScaled(-tau[j] * reflectors[v + i], inner, 0, b, i * columns, columns)
    if (clock.due()) yield
  }
}

export function* applyQ(job: ApplyQJob, monitor: Watch): Work<void> {
  const { reflectors, tau, m, k, transpose, b, columns } = job
  yield* reflectVectors(reflectors, tau, m, k, transpose, b, columns, monitor)
}

/** The first k columns of Q, m × k. */
export function* formQ(
  reflectors: Float64Array,
  tau: Float64Array,
  m: number,
  k: number,
  clock: Clock,
): Work<Float64Array> {
  const q = new Float64Array(m * k)
  for (let j = 0; j < k; j++) q[j * k + j] = 1
  yield* reflectVectors(reflectors, tau, m, k, false, q, k, clock)
  return q
}
