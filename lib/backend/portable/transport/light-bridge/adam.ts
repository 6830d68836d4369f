import type { BridgeData, FitJob, fitStatuses } from '../../../transport-light-bridge.js'
import type { Watch, Work } from '../../work.js'
import type { Objective, Points } from './loss.js'

// D. P. Kingma, J. Ba, arXiv 1412.6980, algorithm 1.
const BETA1 = 0.9
const BETA2 = 0.999
const TINY = 1e-8

export interface FitReport {
  status: (typeof fitStatuses)[number]
  iterations: number
  residual: number
  loss: number
}

function window(data: BridgeData, dimension: number, iteration: number, batch: number): Points {
  const rows = Math.min(data.rows, batch)
  const start = (iteration * rows) % data.rows
  return { data: data.points.subarray(start * dimension, (start + rows) * dimension), rows }
}

/** The largest entry in size; NaN if there is one. */
export function largest(values: Float64Array): number {
  let most = 0
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i])
    if (!(size <= most)) most = size
    if (Number.isNaN(most)) return most
  }
  return most
}

export function* adam(job: FitJob, objective: Objective, monitor: Watch): Work<FitReport> {
  const { shape, source, target, theta, moments, history } = job
  const { components, dimension, epsilon } = shape
  const size = theta.length
  const gradient = new Float64Array(size)
  const lastGood = theta.slice()
  const first = moments.subarray(0, size)
  const second = moments.subarray(size)
  const allSource = { data: source.points, rows: source.evaluated }
  const allTarget = { data: target.points, rows: target.evaluated }
  const [, , residual, loss] = job.report
  const report: FitReport = { status: 'iteration-limit', iterations: 0, residual, loss }

  function* measure(): Work<boolean> {
    report.loss = yield* objective.evaluate(theta, allSource, allTarget, 0, gradient, monitor)
    report.residual = largest(gradient)
    return Number.isFinite(report.loss) && Number.isFinite(report.residual)
  }
  function* restore(): Work<FitReport> {
    theta.set(lastGood)
    report.status = 'diverged'
    yield* measure()
    return report
  }
  const update = (begin: number, end: number, rate: number, correction: number) => {
    for (let i = begin; i < end; i++) {
      const g = gradient[i]
      first[i] = BETA1 * first[i] + (1 - BETA1) * g
      second[i] = BETA2 * second[i] + (1 - BETA2) * g * g
      theta[i] -= (rate * first[i]) / (Math.sqrt(second[i] * correction) + TINY)
    }
  }

  let good = job.first > 0 || (yield* measure())
  for (let it = 0; good && it < job.iterations && report.residual > job.tolerance; it++) {
    if (monitor.expired()) {
      report.status = 'time-limit'
      break
    }
    const step = job.first + it + 1
    const batchSource = window(source, dimension, it, job.batch)
    const batchTarget = window(target, dimension, it, job.batch)
    const value = yield* objective.evaluate(theta, batchSource, batchTarget, step, gradient, monitor)
    if (!Number.isFinite(value) || !Number.isFinite(largest(gradient))) return yield* restore()
    if (it < history.length) history[it] = value
    lastGood.set(theta)
    const decay = job.cosine ? (1 + Math.cos((Math.PI * (step - 1)) / job.total)) / 2 : 1
    const rate = (job.learningRate * decay) / (1 - BETA1 ** step)
    const correction = 1 / (1 - BETA2 ** step)
    // In units of the data, a mean moves as far as the logarithms do.
    const scales = components * (1 + dimension)
    update(0, components, rate, correction)
    update(components, scales, rate / Math.sqrt(epsilon), correction)
    update(scales, size, rate, correction)
    report.iterations++
    if (report.iterations % job.checkEvery === 0) good = yield* measure()
    monitor.progress(job.first + report.iterations, report.residual)
  }
  const last = report.status !== 'iteration-limit' || job.first + report.iterations >= job.total
  if (good && (last || report.residual <= job.tolerance)) good = yield* measure()
  if (!good) return yield* restore()
  if (report.residual <= job.tolerance) report.status = 'converged'
  return report
}
