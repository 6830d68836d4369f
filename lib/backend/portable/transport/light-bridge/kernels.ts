import { type FitJob, fitStatuses, type LightBridgeKernels, type LossJob } from '../../../transport-light-bridge.js'
import { type Monitor, portableKernel, type Steps } from '../../driver.js'
import { adam } from './adam.js'
import { drift, evaluate, sample, trajectories } from './inference.js'
import { lbfgsFit } from './lbfgs.js'
import { Loss, type Objective } from './loss.js'
import { Matching } from './matching.js'

function objectiveOf({ shape, floor, matching, draws }: LossJob | FitJob): Objective {
  return matching ? new Matching(shape, floor, draws) : new Loss(shape, floor)
}

function* fit(job: FitJob, monitor: Monitor): Steps {
  const { status, iterations, residual, loss } = yield* (job.method === 'lbfgs' ? lbfgsFit : adam)(
    job,
    objectiveOf(job),
    monitor,
  )
  job.report.set([fitStatuses.indexOf(status), iterations, residual, loss])
}

function* loss(job: LossJob, monitor: Monitor): Steps {
  const { source, target, theta, gradient } = job
  const allSource = { data: source.points, rows: source.evaluated }
  const allTarget = { data: target.points, rows: target.evaluated }
  job.value[0] = yield* objectiveOf(job).evaluate(theta, allSource, allTarget, 0, gradient, monitor)
}

export const portableLightBridge: LightBridgeKernels = {
  fit: portableKernel(fit),
  loss: portableKernel(loss),
  evaluate: portableKernel(evaluate),
  drift: portableKernel(drift),
  sample: portableKernel(sample),
  trajectories: portableKernel(trajectories),
}
