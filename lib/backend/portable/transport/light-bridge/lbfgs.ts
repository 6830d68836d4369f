import type { FitJob } from '../../../transport-light-bridge.js'
import { lbfgs } from '../../lbfgs.js'
import type { Watch, Work } from '../../work.js'
import { type FitReport, largest } from './adam.js'
import type { Objective } from './loss.js'

/** The first step changes no coordinate of theta by more. */
const FIRST_STEP = 0.1
/** Of the value, relative. */
const ROUNDOFF = 4e-15

/** On all evaluation rows at once, by L-BFGS. history: the loss after each iteration. */
export function* lbfgsFit(job: FitJob, objective: Objective, monitor: Watch): Work<FitReport> {
  const { source, target, theta, history, tolerance, iterations } = job
  const allSource = { data: source.points, rows: source.evaluated }
  const allTarget = { data: target.points, rows: target.evaluated }
  const running = lbfgs(theta, { tolerance, maxIterations: iterations, firstStep: FIRST_STEP })
  for (let begun = false; ; begun = true) {
    const { done, value: trial } = running.next()
    if (done) return { status: trial.status, iterations: trial.iterations, residual: trial.residual, loss: trial.value }
    // The first point is always measured: there must be something to report.
    if (begun && monitor.expired()) {
      const gradient = new Float64Array(theta.length)
      const loss = yield* objective.evaluate(theta, allSource, allTarget, 0, gradient, monitor)
      return { status: 'time-limit', iterations: trial.iteration, residual: largest(gradient), loss }
    }
    trial.value = yield* objective.evaluate(trial.x, allSource, allTarget, 0, trial.gradient, monitor)
    trial.residual = largest(trial.gradient)
    trial.roundoff = ROUNDOFF * (1 + Math.abs(trial.value))
    // The last trial of an iteration is the one it takes.
    if (trial.iteration < history.length) history[trial.iteration] = trial.value
    monitor.progress(trial.iteration, trial.residual)
  }
}
