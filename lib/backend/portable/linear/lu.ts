import { factorField, type LuJob } from '../../linear-dense.js'
import type { Watch, Work } from '../work.js'
import { addScaled, probe, relativeDifference, scanMatrix, timesVector } from './matrix.js'

export function* lu(job: LuJob, monitor: Watch): Work<void> {
  const { n, a, factors, permutation, report } = job
  const { rowSum } = yield* scanMatrix('matrix', a, n, n, monitor)
  factors.set(a)
  const sign = yield* eliminate(factors, n, permutation, monitor)
  let rank = 0
  while (rank < n && factors[rank * n + rank] !== 0) rank++
  report[factorField.sign] = sign
  report[factorField.rank] = rank
  // P A z against L (U z).
  const z = probe(n)
  const whole = yield* timesVector(a, n, n, z, monitor)
  const upper = new Float64Array(n)
  const both = new Float64Array(n)
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) upper[i] += factors[i * n + j] * z[j]
  for (let i = 0; i < n; i++) {
    both[i] = upper[i]
    for (let j = 0; j < i; j++) both[i] += factors[i * n + j] * upper[j]
  }
  const permuted = Float64Array.from(permutation, (row) => whole[row])
  report[factorField.residual] = relativeDifference(both, permuted, rowSum)
}

/**
 * Gaussian elimination in place, with row exchanges: the largest entry of the column becomes the pivot. Returns the sign of
 * the permutation.
 */
export function* eliminate(
  factors: Float64Array,
  n: number,
  permutation: Int32Array,
  monitor: Pick<Watch, 'due'>,
): Work<number> {
  for (let i = 0; i < n; i++) permutation[i] = i
  let sign = 1
  for (let k = 0; k < n; k++) {
    let best = k
    for (let i = k + 1; i < n; i++) {
      if (Math.abs(factors[i * n + k]) > Math.abs(factors[best * n + k])) best = i
    }
    if (best !== k) {
      exchange(factors, k * n, best * n, n)
      const row = permutation[k]
      permutation[k] = permutation[best]
      permutation[best] = row
      sign = -sign
    }
    const pivot = factors[k * n + k]
    if (pivot === 0) continue
    for (let i = k + 1; i < n; i++) {
      const factor = factors[i * n + k] / pivot
      factors[i * n + k] = factor
      if (factor !== 0) addScaled(-factor, factors, k * n + k + 1, factors, i * n + k + 1, n - k - 1)
    }
    if (monitor.due()) yield
  }
  return sign
}

function exchange(x: Float64Array, i: number, j: number, n: number): void {
  const row = x.slice(i, i + n)
  x.copyWithin(i, j, j + n)
  x.set(row, j)
}
