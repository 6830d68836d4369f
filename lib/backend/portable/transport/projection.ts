import type { ProjectionJob } from '../../transport-barycenter.js'
import { exp } from '../math.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import { openCost } from './cost.js'

/** Twin of native/transport/projection.cc. */
export function* projection(job: ProjectionJob, monitor: Watch): Work<void> {
  const { g, values, columns, out } = job
  const { n, m } = job.cost
  const cost = yield* openCost(job.cost, monitor)
  const inverse = 1 / job.epsilon
  const weights = new Float64Array(m)
  for (let i = 0; i < n; i++) {
    let top = Number.NEGATIVE_INFINITY
    for (let start = 0; start < m; start += segmentLength) {
      const end = Math.min(start + segmentLength, m)
      cost.read(i, start, end)
      top = Math.max(top, scores(cost.data, cost.offset, g, weights, start, end))
      if (monitor.due()) yield
    }
    let sum = 0
    for (let j = 0; j < m; j++) {
      weights[j] = exp((weights[j] - top) * inverse)
      sum += weights[j]
    }
    for (let c = 0; c < columns; c++) {
      let total = 0
      for (let j = 0, k = c; j < m; j++, k += columns) total += weights[j] * values[k]
      out[i * columns + c] = total / sum
      if (monitor.due()) yield
    }
    monitor.progress(i + 1, n - i - 1)
  }
}

/** out_j = g_j - c_j; returns the largest. */
function scores(
  c: Float64Array,
  offset: number,
  g: Float64Array,
  out: Float64Array,
  start: number,
  end: number,
): number {
  let most = Number.NEGATIVE_INFINITY
  for (let j = start; j < end; j++) {
    const score = g[j] - c[offset + j]
    out[j] = score
    if (score > most) most = score
  }
  return most
}
