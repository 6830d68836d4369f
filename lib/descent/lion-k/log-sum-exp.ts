import { projectSimplex } from '../../core/projections.js'
import type { Potential } from './potential.js'

/** The distance of y from the simplex. */
function excess(y: Float64Array): number {
  const nearest = projectSimplex(y)
  return Math.sqrt(y.reduce((sum, value, i) => sum + (value - nearest[i]) ** 2, 0))
}

/** log Σ exp z_i; dK is the softmax, K* the negative entropy on the simplex. */
export const logSumExp: Potential = {
  value(z) {
    let [most, sum] = [Number.NEGATIVE_INFINITY, 0]
    for (const value of z) most = Math.max(most, value)
    for (const value of z) sum += Math.exp(value - most)
    return most + Math.log(sum)
  },
  subgradient(z, out) {
    const value = logSumExp.value(z)
    for (let i = 0; i < z.length; i++) out[i] = Math.exp(z[i] - value)
  },
  conjugate: (y, tolerance) =>
    excess(y) > tolerance
      ? Number.POSITIVE_INFINITY
      : y.reduce((sum, value) => sum + (value > 0 ? value * Math.log(value) : 0), 0),
  excess,
}
