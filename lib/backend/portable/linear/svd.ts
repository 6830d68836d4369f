import { factorField, type SvdJob } from '../../linear-dense.js'
import type { Watch, Work } from '../work.js'
import {
  addScaled,
  dot,
  invariantError,
  normOf,
  probe,
  product,
  relativeDifference,
  scanMatrix,
  signOf,
  timesVector,
  transposed,
  unitOf,
} from './matrix.js'
import { factorColumns, formQ } from './qr.js'

type Clock = Pick<Watch, 'due'>

const mostSweeps = 60

export interface Svd {
  /** Descending. */
  s: Float64Array
  /** m × k. */
  u: Float64Array
  /** k × n. */
  vt: Float64Array
}

export function* svd(job: SvdJob, monitor: Watch): Work<void> {
  const { m, n, a, s, u, vt, report } = job
  const { largest, rowSum } = yield* scanMatrix('matrix', a, m, n, monitor)
  const unit = largest === 0 ? 1 : unitOf(largest)
  const scaled = a.map((value) => value / unit)
  const found = yield* svdOf(scaled, m, n, monitor)
  for (let i = 0; i < s.length; i++) s[i] = found.s[i] * unit
  if (u === null || vt === null) {
    report[factorField.residual] = largest === 0 ? 0 : yield* invariantError(a, s, unit, monitor)
    return
  }
  u.set(found.u)
  vt.set(found.vt)
  const k = s.length
  const z = probe(n)
  const inner = yield* timesVector(vt, k, n, z, monitor)
  for (let i = 0; i < k; i++) inner[i] *= s[i]
  const factors = yield* timesVector(u, m, k, inner, monitor)
  report[factorField.residual] = relativeDifference(factors, yield* timesVector(a, m, n, z, monitor), rowSum)
}

/**
 * QR, then Jacobi's rotations from one side on Rᵀ until its columns are orthogonal: accurate to rounding also in small
 * singular values. Entries are near one in magnitude at most. Signs: the largest entry of each column of u is positive.
 *
 * Source: Golub, Van Loan, Matrix Computations, 4th edition, section 8.6.4.
 */
export function* svdOf(a: Float64Array, m: number, n: number, clock: Clock): Work<Svd> {
  if (m < n) {
    const { s, u, vt } = yield* svdOf(transposed(a, m, n), n, m, clock)
    return oriented({ s, u: transposed(vt, m, m), vt: transposed(u, n, m) }, m, n)
  }
  const columns = transposed(a, m, n)
  const tau = new Float64Array(n)
  const permutation = new Int32Array(n)
  yield* factorColumns(columns, m, n, tau, permutation, true, clock)
  // A P = Q R. The columns of Rᵀ, rows here, rotated: Rᵀ W = V S, so that A P = (Q W) S Vᵀ.
  const work = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) work[i * n + j] = columns[j * m + i]
  const rotation = new Float64Array(n * n)
  for (let i = 0; i < n; i++) rotation[i * n + i] = 1
  yield* orthogonalize(work, rotation, n, clock)
  const norms = Float64Array.from({ length: n }, (_, i) => normOf(work, i * n, n))
  const order = Array.from(norms.keys()).sort((i, j) => norms[j] - norms[i] || i - j)
  const s = Float64Array.from(order, (i) => norms[i])
  const right = new Float64Array(n * n)
  const inner = new Float64Array(n * n)
  order.forEach((from, to) => {
    for (let j = 0; j < n; j++) {
      if (norms[from] > 0) right[to * n + j] = work[from * n + j] / norms[from]
      inner[j * n + to] = rotation[from * n + j]
    }
  })
  complete(right, n, s)
  const vt = new Float64Array(n * n)
  for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) vt[k * n + permutation[j]] = right[k * n + j]
  const q = yield* formQ(columns, tau, m, n, clock)
  return oriented({ s, u: yield* product(q, inner, m, n, n, clock), vt }, m, n)
}

/** Rotates the rows of x to orthogonal ones, and the rows of `rotation` with them. */
function* orthogonalize(x: Float64Array, rotation: Float64Array, n: number, clock: Clock): Work<void> {
  // Columns whose cosine is below this are left alone.
  const orthogonal = Math.sqrt(n) * Number.EPSILON
  for (let sweep = 0; sweep < mostSweeps; sweep++) {
    let rotated = false
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const [at, bt] = [p * n, q * n]
        const alpha = dot(x, at, x, at, n)
        const beta = dot(x, bt, x, bt, n)
        const gamma = dot(x, at, x, bt, n)
        if (!(Math.abs(gamma) > orthogonal * Math.sqrt(alpha * beta)) || gamma === 0) continue
        rotated = true
        const zeta = (beta - alpha) / (2 * gamma)
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
        const cosine = 1 / Math.sqrt(1 + t * t)
        rotate(x, at, bt, n, cosine, cosine * t)
        rotate(rotation, at, bt, n, cosine, cosine * t)
        if (clock.due()) yield
      }
    }
    if (!rotated) return
  }
}

function rotate(x: Float64Array, at: number, bt: number, n: number, cosine: number, sine: number): void {
  for (let i = 0; i < n; i++) {
    const [a, b] = [x[at + i], x[bt + i]]
    x[at + i] = cosine * a - sine * b
    x[bt + i] = sine * a + cosine * b
  }
}

/** Rows of singular values that are nothing but rounding have no direction of their own: any that is orthogonal will do. */
function complete(rows: Float64Array, n: number, s: Float64Array): void {
  const negligible = n * Number.EPSILON * (s[0] ?? 0)
  for (let k = 0; k < n; k++) {
    if (s[k] > negligible) continue
    for (let axis = 0; axis < n; axis++) {
      const row = rows.subarray(k * n, (k + 1) * n)
      row.fill(0)
      row[axis] = 1
      for (let pass = 0; pass < 2; pass++) {
        for (let j = 0; j < k; j++) addScaled(-dot(rows, j * n, row, 0, n), rows, j * n, row, 0, n)
      }
      const length = normOf(row, 0, n)
      // Some axis keeps at least 1 / sqrt(n) of its length.
      if (length < 0.5 / Math.sqrt(n)) continue
      for (let i = 0; i < n; i++) row[i] /= length
      break
    }
  }
}

function oriented({ s, u, vt }: Svd, m: number, n: number): Svd {
  const k = s.length
  for (let j = 0; j < k; j++) {
    if (signOf(u, j, m, k) > 0) continue
    for (let i = 0; i < m; i++) u[i * k + j] = -u[i * k + j]
    for (let i = 0; i < n; i++) vt[j * n + i] = -vt[j * n + i]
  }
  return { s, u, vt }
}
