import type { Watch, Work } from '../work.js'

const mostSweeps = 60
/** Rows below this share of the whole are rounding errors, and are left alone. */
const faint = 1e-14

/**
 * a = uᵀ diag(s) v with row-major u and v, s descending, by one-sided Jacobi rotations of the rows of a (Golub, Van Loan,
 * Matrix Computations, 4th edition, section 8.6.3). Rows of v whose s is 0 are 0.
 */
export class Svd {
  readonly u: Float64Array
  readonly s: Float64Array
  readonly v: Float64Array

  constructor(
    private readonly n: number,
    private readonly watch: Watch,
  ) {
    this.u = new Float64Array(n * n)
    this.s = new Float64Array(n)
    this.v = new Float64Array(n * n)
  }

  *decompose(a: Float64Array): Work<void> {
    const { n, u, s, v, watch } = this
    v.set(a)
    u.fill(0)
    for (let i = 0; i < n; i++) u[i * n + i] = 1
    let squares = 0
    for (const entry of v) squares += entry * entry
    const negligible = squares * faint ** 2
    for (let sweep = 0, rotated = true; rotated && sweep < mostSweeps; sweep++) {
      rotated = false
      for (let p = 0; p < n - 1; p++) {
        for (let q = p + 1; q < n; q++) {
          if (rotate(u, v, n, p, q, negligible)) rotated = true
        }
        if (watch.due()) yield
      }
    }
    for (let i = 0; i < n; i++) s[i] = norm(v, i * n, n)
    this.sort()
    for (let i = 0; i < n; i++) {
      const factor = s[i] > 0 ? 1 / s[i] : 0
      for (let j = i * n; j < (i + 1) * n; j++) v[j] *= factor
    }
  }

  private sort(): void {
    const { n, u, s, v } = this
    for (let i = 0; i < n - 1; i++) {
      let best = i
      for (let k = i + 1; k < n; k++) if (s[k] > s[best]) best = k
      if (best === i) continue
      ;[s[i], s[best]] = [s[best], s[i]]
      for (const rows of [u, v]) {
        for (let j = 0; j < n; j++) {
          const entry = rows[i * n + j]
          rows[i * n + j] = rows[best * n + j]
          rows[best * n + j] = entry
        }
      }
    }
  }
}

function norm(a: Float64Array, at: number, n: number): number {
  let largest = 0
  for (let j = at; j < at + n; j++) largest = Math.max(largest, Math.abs(a[j]))
  if (largest === 0) return 0
  let squares = 0
  for (let j = at; j < at + n; j++) squares += (a[j] / largest) ** 2
  return largest * Math.sqrt(squares)
}

/** Makes rows p and q of v orthogonal; the same rotation to u. False if they were. */
function rotate(u: Float64Array, v: Float64Array, n: number, p: number, q: number, negligible: number): boolean {
  const [pRow, qRow] = [p * n, q * n]
  let alpha = 0
  let beta = 0
  let gamma = 0
  for (let j = 0; j < n; j++) {
    const [x, y] = [v[pRow + j], v[qRow + j]]
    alpha += x * x
    beta += y * y
    gamma += x * y
  }
  if (Math.min(alpha, beta) <= negligible) return false
  if (Math.abs(gamma) <= n * Number.EPSILON * Math.sqrt(alpha) * Math.sqrt(beta)) return false
  const zeta = (beta - alpha) / (2 * gamma)
  const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
  const cosine = 1 / Math.sqrt(1 + tangent * tangent)
  const sine = cosine * tangent
  turn(v, pRow, qRow, n, cosine, sine)
  turn(u, pRow, qRow, n, cosine, sine)
  return true
}

function turn(rows: Float64Array, p: number, q: number, n: number, cosine: number, sine: number): void {
  for (let j = 0; j < n; j++) {
    const [x, y] = [rows[p + j], rows[q + j]]
    rows[p + j] = cosine * x - sine * y
    rows[q + j] = sine * x + cosine * y
  }
}
