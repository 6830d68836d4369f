import type { UnbalancedOptions } from '../../lib/transport/index.js'
import { columnSums, type Dense, randomDense, rowSums, total } from './transport.js'

export interface Relaxed {
  epsilon: number
  /** Infinity: the marginal is kept, and counts as met in the objective. */
  penalty: { a: number; b: number }
  reference: 'counting' | 'product'
  /** Default 'kl'. */
  divergence?: 'kl' | 'tv' | 'l2'
}

/** Costs in [0, 1), weights with totals that differ. */
export function uneven(n: number, m: number, seed: number, ratio = 3): Dense {
  const dense = randomDense(n, m, seed)
  return { ...dense, b: dense.b.map((w) => ratio * w) }
}

/** What options ask for. */
export function asked(options: UnbalancedOptions): Relaxed {
  const { marginalPenalty: rho } = options
  return {
    epsilon: options.epsilon,
    penalty: typeof rho === 'number' ? { a: rho, b: rho } : rho,
    reference: options.reference ?? 'counting',
    divergence: options.penalty,
  }
}

/** x log(x / y) - x + y, 0 log 0 being 0. */
export function divergence(x: number, y: number): number {
  return x === 0 ? y : x * Math.log(x / y) - x + y
}

/** What a marginal p costs per unit of rho that should be w. */
function missing(p: number, w: number, kind: Relaxed['divergence'] = 'kl'): number {
  if (kind === 'tv') return Math.abs(p - w)
  return kind === 'l2' ? (p - w) ** 2 / 2 : divergence(p, w)
}

/** <C,P> + rho_a KL(P1 | a) + rho_b KL(Pᵀ1 | b) or another divergence, and the entropic term unless epsilon is zero. */
export function objective(
  plan: Float64Array,
  { n, m, cost, a, b }: Dense,
  { epsilon, penalty, reference, divergence: kind }: Relaxed,
): number {
  const terms: number[] = []
  for (let k = 0; k < n * m; k++) {
    const p = plan[k]
    if (p > 0) terms.push(p * cost[k])
    const w = a[Math.floor(k / m)] * b[k % m]
    if (reference === 'product') terms.push(epsilon * divergence(p, w))
    else if (p > 0) terms.push(epsilon * p * (Math.log(p) - 1))
  }
  const sums = { a: rowSums(plan, n, m), b: columnSums(plan, n, m) }
  if (penalty.a < Infinity) for (let i = 0; i < n; i++) terms.push(penalty.a * missing(sums.a[i], a[i], kind))
  if (penalty.b < Infinity) for (let j = 0; j < m; j++) terms.push(penalty.b * missing(sums.b[j], b[j], kind))
  return total(terms)
}

/** The dual objective at potentials, written down from its definition. */
export function dualObjective(
  f: Float64Array,
  g: Float64Array,
  { n, m, cost, a, b }: Dense,
  { epsilon, penalty, reference, divergence: kind = 'kl' }: Relaxed,
): number {
  // min over p >= 0 of the penalty of p and h p
  const own = (w: number, h: number, rho: number) => {
    if (rho === Infinity) return w * h
    if (kind === 'kl') return rho * w * (1 - Math.exp(-h / rho))
    if (kind === 'tv') return w * Math.min(h, rho)
    return h > rho * w ? (rho * w * w) / 2 : h * w - (h * h) / (2 * rho)
  }
  const terms: number[] = []
  for (let i = 0; i < n; i++) terms.push(own(a[i], f[i], penalty.a))
  for (let j = 0; j < m; j++) terms.push(own(b[j], g[j], penalty.b))
  for (let k = 0; k < n * m; k++) {
    const [i, j] = [Math.floor(k / m), k % m]
    const exponential = Math.exp((f[i] + g[j] - cost[k]) / epsilon)
    terms.push(reference === 'product' ? -epsilon * a[i] * b[j] * (exponential - 1) : -epsilon * exponential)
  }
  return total(terms)
}

/** Solves A x = y by elimination with pivoting. */
export function solveLinear(matrix: number[][], right: number[]): number[] {
  const size = right.length
  const rows = matrix.map((row, i) => [...row, right[i]])
  for (let k = 0; k < size; k++) {
    let pivot = k
    for (let i = k + 1; i < size; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[pivot][k])) pivot = i
    ;[rows[k], rows[pivot]] = [rows[pivot], rows[k]]
    for (let i = k + 1; i < size; i++) {
      const factor = rows[i][k] / rows[k][k]
      for (let j = k; j <= size; j++) rows[i][j] -= factor * rows[k][j]
    }
  }
  const x = new Array<number>(size).fill(0)
  for (let k = size - 1; k >= 0; k--) {
    let rest = rows[k][size]
    for (let j = k + 1; j < size; j++) rest -= rows[k][j] * x[j]
    x[k] = rest / rows[k][k]
  }
  return x
}

/** The optimum by Newton's method on the n m entries of the plan itself, for tiny problems with finite penalties, 'kl' or 'l2'. */
export function relaxedOptimum(dense: Dense, asked: Relaxed): { plan: Float64Array; value: number } {
  const { n, m, cost, a, b } = dense
  const { epsilon, penalty, reference, divergence: kind = 'kl' } = asked
  if (kind === 'tv') throw new Error('total variation is not smooth')
  const slope = (sum: number, w: number) => (kind === 'kl' ? Math.log(sum / w) : sum - w)
  const curvature = (sum: number) => (kind === 'kl' ? 1 / sum : 1)
  const size = n * m
  let plan = cost.map((_, k) => a[Math.floor(k / m)] * b[k % m])
  for (let iteration = 0; iteration < 200; iteration++) {
    const sums = { a: rowSums(plan, n, m), b: columnSums(plan, n, m) }
    const gradient: number[] = []
    const hessian: number[][] = []
    for (let k = 0; k < size; k++) {
      const [i, j] = [Math.floor(k / m), k % m]
      const weight = reference === 'product' ? a[i] * b[j] : 1
      gradient.push(
        cost[k] +
          epsilon * Math.log(plan[k] / weight) +
          penalty.a * slope(sums.a[i], a[i]) +
          penalty.b * slope(sums.b[j], b[j]),
      )
      hessian.push(
        Array.from({ length: size }, (_, l) => {
          let entry = l === k ? epsilon / plan[k] : 0
          if (Math.floor(l / m) === i) entry += penalty.a * curvature(sums.a[i])
          if (l % m === j) entry += penalty.b * curvature(sums.b[j])
          return entry
        }),
      )
    }
    const step = solveLinear(hessian, gradient)
    const decrease = total(step.map((s, k) => s * gradient[k]))
    const value = objective(plan, dense, asked)
    if (decrease < 1e-24 * (1 + Math.abs(value))) return { plan, value }
    const moved = (alpha: number) => plan.map((p, k) => p - alpha * step[k])
    let alpha = 1
    // Near the optimum the gain is below the rounding of the objective, and the full step right.
    const lower = (next: Float64Array) =>
      decrease < 1e-9 || objective(next, dense, asked) <= value - 1e-4 * alpha * decrease
    while (alpha > 1e-9 && !(moved(alpha).every((p) => p > 0) && lower(moved(alpha)))) alpha /= 2
    plan = moved(alpha)
  }
  throw new Error('the oracle did not converge')
}
