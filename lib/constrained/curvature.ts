import { type FactorJob, factorField, factorReportLength } from '../backend/constrained.js'
import { System } from '../backend/portable/constrained/system.js'
import { symmetricEigen } from '../backend/portable/linear/tridiagonal-eigen.js'
import { dot } from '../backend/portable/linear/vectors.js'
import type { Clock, Work } from '../backend/portable/work.js'
import { generator } from '../random/index.js'
import { eliminationOrder, kktMatrix } from './kkt.js'
import { type SystemMatrix, toDense, toSparse } from './matrix.js'

/** Sparse systems below this are factored densely, with pivoting. */
const mostDense = 400
/** Constraints up to which λ_min(GGᵀ) is computed and not estimated. */
const mostExact = 300
/** Least pivot of an envelope, as a part of the largest entry. */
const pivotFloor = 1e-13

/** The job that factors Γ, for its inertia or for Γ z = b. */
export function factorJob(kkt: SystemMatrix, n: number, b: Float64Array | null): FactorJob {
  const isSmall = kkt.indptr === null || kkt.rows <= mostDense
  return {
    matrix: isSmall ? toDense(kkt) : kkt,
    order: isSmall ? null : eliminationOrder(toSparse(kkt), n),
    positive: n,
    floor: pivotFloor,
    b,
    z: new Float64Array(b === null ? 1 : kkt.rows),
    report: new Float64Array(factorReportLength),
  }
}

/** Whether Zᵀ(H + shift I)Z is positive definite: Γ then has as many positive eigenvalues as variables (Gould 1985). */
export function isPositive(job: FactorJob, n: number): boolean {
  const { report } = job
  return report[factorField.positive] === n && report[factorField.replaced] === 0
}

export function inertiaJob(h: SystemMatrix, g: SystemMatrix, shift: number): FactorJob {
  return factorJob(kktMatrix(h, g, shift), h.rows, null)
}

/** λ_min(GGᵀ): exact for few constraints, else Lanczos' estimate, which lies above it. */
export function* jacobianEigenvalue(jacobian: SystemMatrix, clock: Clock): Work<number> {
  const g = new System(jacobian)
  const m = g.rows
  const row = new Float64Array(g.columns)
  if (m <= mostExact) {
    const gram = new Float64Array(m * m)
    for (let i = 0; i < m; i++) {
      g.add(i, 1, row)
      for (let j = 0; j <= i; j++) {
        const value = g.dot(j, row)
        gram[i * m + j] = value
        gram[j * m + i] = value
      }
      g.clear(i, row)
      if (clock.due()) yield
    }
    const { values } = yield* symmetricEigen(gram, m, clock)
    return Math.max(0, values[0])
  }
  const apply = (v: Float64Array, out: Float64Array) => {
    row.fill(0)
    for (let i = 0; i < m; i++) g.add(i, v[i], row)
    g.multiply(row, out)
  }
  return Math.max(0, yield* leastEigenvalue(apply, generator(1).normal(m), m, clock))
}

const mostSteps = 4000
const checkInterval = 25

/** Lanczos without reorthogonalization, which the extreme Ritz values do not need, until the least one stands still. */
function* leastEigenvalue(
  apply: (v: Float64Array, out: Float64Array) => void,
  start: Float64Array,
  /** Of the space that it works in: after as many steps there is nothing left but rounding. */
  dimension: number,
  clock: Clock,
): Work<number> {
  const n = start.length
  let v: Float64Array = start
  const size = Math.sqrt(dot(v, v))
  if (size === 0) return Number.POSITIVE_INFINITY
  for (let i = 0; i < n; i++) v[i] /= size
  let before: Float64Array = new Float64Array(n)
  let w = new Float64Array(n)
  const diagonal: number[] = []
  const squares: number[] = []
  let beta = 0
  let scale = 0
  let last = Number.POSITIVE_INFINITY
  for (let k = 0; k < mostSteps; k++) {
    apply(v, w)
    const alpha = dot(v, w)
    for (let i = 0; i < n; i++) w[i] -= alpha * v[i] + beta * before[i]
    diagonal.push(alpha)
    beta = Math.sqrt(dot(w, w))
    scale = Math.max(scale, Math.abs(alpha) + beta)
    const isEnd = beta <= 1e-8 * scale || k + 1 === Math.min(dimension, mostSteps)
    if (isEnd || k % checkInterval === checkInterval - 1) {
      const least = leastOfTridiagonal(diagonal, squares, scale)
      if (isEnd || Math.abs(last - least) <= 1e-3 * Math.abs(least)) return least
      last = least
    }
    squares.push(beta * beta)
    const free = before
    before = v
    for (let i = 0; i < n; i++) free[i] = w[i] / beta
    v = free
    w = w.fill(0)
    if (clock.due()) yield
  }
  return last
}

/** By bisection on Sturm's count of negative pivots. */
function leastOfTridiagonal(diagonal: number[], squares: number[], scale: number): number {
  const hasBelow = (x: number): boolean => {
    let pivot = diagonal[0] - x
    for (let i = 1; i < diagonal.length && pivot > 0; i++) pivot = diagonal[i] - x - squares[i - 1] / pivot
    return pivot <= 0
  }
  let low = -2 * scale
  let high = 2 * scale
  for (let k = 0; k < 200 && high - low > 1e-15 * scale; k++) {
    const middle = (low + high) / 2
    if (hasBelow(middle)) high = middle
    else low = middle
  }
  return (low + high) / 2
}
