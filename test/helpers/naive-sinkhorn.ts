import { columnSums, type Dense, distanceL1, total } from './transport.js'

/** P_ij = exp((f_i + g_j - C_ij) / epsilon) */
export function planOf({ n, m, cost }: Dense, epsilon: number, f: Float64Array, g: Float64Array): Float64Array {
  const plan = new Float64Array(n * m)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) plan[i * m + j] = Math.exp((f[i] + g[j] - cost[i * m + j]) / epsilon)
  }
  return plan
}

export interface NaiveSolution {
  f: Float64Array
  g: Float64Array
  plan: Float64Array
  iterations: number
}

/**
 * Sinkhorn's iteration written down from its definition, every update a log-sum-exp. Zero weights are fine: their
 * potentials become -Infinity and their plan entries zero.
 */
export function naiveSinkhorn(dense: Dense, epsilon: number, tolerance = 1e-13, most = 200_000): NaiveSolution {
  const { n, m, cost, a, b } = dense
  const f = new Float64Array(n)
  const g = new Float64Array(m)
  const logA = a.map(Math.log)
  const logB = b.map(Math.log)
  const scratch = new Float64Array(Math.max(n, m))

  const logSumExp = (count: number) => {
    let largest = Number.NEGATIVE_INFINITY
    for (let k = 0; k < count; k++) if (scratch[k] > largest) largest = scratch[k]
    if (largest === Number.NEGATIVE_INFINITY) return largest
    let sum = 0
    for (let k = 0; k < count; k++) sum += Math.exp(scratch[k] - largest)
    return largest + Math.log(sum)
  }

  for (let iteration = 1; ; iteration++) {
    for (let j = 0; j < m; j++) {
      for (let i = 0; i < n; i++) scratch[i] = (f[i] - cost[i * m + j]) / epsilon
      g[j] = epsilon * (logB[j] - logSumExp(n))
    }
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) scratch[j] = (g[j] - cost[i * m + j]) / epsilon
      f[i] = epsilon * (logA[i] - logSumExp(m))
    }
    // The rows hold exactly now; the columns tell the error.
    if (iteration % 10 !== 0 && iteration !== most) continue
    const plan = planOf(dense, epsilon, f, g)
    if (distanceL1(columnSums(plan, n, m), b) <= tolerance * total(a)) return { f, g, plan, iterations: iteration }
    if (iteration === most) throw new Error(`the oracle did not converge in ${most} iterations`)
  }
}
