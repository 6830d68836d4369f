import { type GapJob, gapField, type OnlineJob, onlineField } from '../../lowrank-dictionary.js'
import type { Watch, Work } from '../work.js'
import { Gradient, type Sums } from './dictionary-gradient.js'
import { Polar } from './polar.js'
import { inner, multiply } from './products.js'

// The constants of native/lowrank/online-dictionary.cc, which says what they are.
const firstSamples = 2
const manySamples = 8
const growth = 1.1
const leastVariance = 1e-12

const power = (job: OnlineJob | GapJob) => (job.coding.shaping === 'cube' ? 3 : 4)
const frobenius = (a: Float64Array) => Math.sqrt(inner(a, a))

export function* learnOnline(job: OnlineJob, watch: Watch): Work<void> {
  const { rows, batch, patience, report } = job
  const online = new Online(job, watch)
  report[onlineField.status] = 1
  for (let begin = 0; begin < rows; begin += batch) {
    if (watch.expired()) {
      report[onlineField.status] = 2
      return
    }
    const count = Math.min(batch, rows - begin)
    yield* online.step(begin, count)
    report[onlineField.rows] += count
    if (patience > 0 && report[onlineField.calm] >= patience) {
      report[onlineField.status] = 0
      return
    }
    watch.progress(report[onlineField.steps], report[onlineField.relativeGap])
    if (watch.due()) yield
  }
}

class Online {
  private readonly gradient: Gradient
  private readonly polar: Polar
  private readonly g: Float64Array
  private readonly vertex: Float64Array
  private readonly turned: Float64Array

  constructor(
    private readonly job: OnlineJob,
    private readonly watch: Watch,
  ) {
    const { n, rows, batch } = job
    this.gradient = new Gradient(job, Math.min(batch, rows), watch)
    this.polar = new Polar(n, watch)
    this.g = new Float64Array(n * n)
    this.vertex = new Float64Array(n * n)
    this.turned = new Float64Array(n * n)
  }

  *step(begin: number, rows: number): Work<void> {
    const { job, watch, turned } = this
    const { n, whitening, relaxed: A, averaged: G, report, gaps } = job
    let w = A
    let g = this.g
    if (job.covariance !== null) {
      yield* this.gradient.addSquares(begin, rows, job.covariance)
      report[onlineField.seen] += rows
    }
    if (whitening !== null) {
      if (!(yield* this.whiten(whitening))) {
        report[onlineField.skipped]++
        return
      }
      yield* multiply(whitening, A, n, n, n, turned, watch)
      w = turned
    }
    const sums = yield* this.gradient.evaluate(begin, rows, w, g)
    if (sums.largest === 0) {
      report[onlineField.skipped]++
      return
    }
    if (whitening !== null) {
      yield* multiply(whitening, g, n, n, n, turned, watch)
      g = turned
    }
    report[onlineField.objective] += sums.objective
    report[onlineField.second] += sums.second
    report[onlineField.fourth] += sums.fourth
    report[onlineField.coefficients] += rows * n

    const t = report[onlineField.steps]
    const rho = job.rho[t]
    const gamma = job.gamma[t]
    // G_t = (1 - rho) G_{t-1} + rho g_t
    const factor = (rho * power(job)) / rows
    for (let k = 0; k < n * n; k++) G[k] = (1 - rho) * G[k] + factor * g[k]
    const norm = frobenius(G)
    if (norm > 0) {
      // S_t = argmax <G_t, S> over the spectral ball; A_t = A_{t-1} + gamma (S_t - A_{t-1})
      const S = this.vertex
      if (!(yield* this.polar.factor(G, A, S))) report[onlineField.rankDeficient]++
      const gap = Math.max(0, inner(G, S) - inner(G, A))
      report[onlineField.gap] = gap
      report[onlineField.relativeGap] = gap / norm
      for (let k = 0; k < n * n; k++) A[k] += gamma * (S[k] - A[k])
      if (report[onlineField.relativeGap] <= job.tolerance) report[onlineField.calm]++
      else report[onlineField.calm] = 0
    } else {
      report[onlineField.degenerate]++
      report[onlineField.gap] = 0
      report[onlineField.relativeGap] = 0
      report[onlineField.calm] = 0
    }
    gaps[t] = report[onlineField.gap]
    report[onlineField.steps]++
  }

  /** False while there are too few rows to invert their covariance. */
  private *whiten(whitening: Float64Array): Work<boolean> {
    const { n, covariance, report } = this.job
    const seen = report[onlineField.seen]
    const at = report[onlineField.whitenedAt]
    if (seen < firstSamples * n) return false
    if (at > 0 && seen > manySamples * n && seen < growth * at) return true
    this.g.set((covariance as Float64Array).map((sum) => sum / seen))
    yield* this.polar.inverseRoot(this.g, leastVariance, whitening)
    report[onlineField.whitenedAt] = seen
    return true
  }
}

export function* measureGap(job: GapJob, watch: Watch): Work<void> {
  const { n, rows, w, report } = job
  const g = new Float64Array(n * n)
  const sums: Sums = yield* new Gradient(job, rows, watch).evaluate(0, rows, w, g)
  for (let k = 0; k < n * n; k++) g[k] *= power(job) / rows
  report[gapField.objective] = sums.objective
  report[gapField.second] = sums.second
  report[gapField.fourth] = sums.fourth
  const norm = frobenius(g)
  if (norm === 0) return
  const vertex = new Float64Array(n * n)
  yield* new Polar(n, watch).factor(g, w, vertex)
  report[gapField.gap] = Math.max(0, inner(g, vertex) - inner(g, w))
  report[gapField.relativeGap] = report[gapField.gap] / norm
}
