import { ExtremaError } from '../../../core/errors.js'
import type { ApplyJob, CsrParts, PlanData, TransformJob } from '../../kernels.js'
import type { Watch, Work } from '../work.js'
import { openCost } from './cost.js'
import { PlanPass, planPass } from './plan-pass.js'
import { ThresholdPass, thresholdPass } from './threshold-pass.js'
import { columnTransform, rowTransform } from './transform-pass.js'

// What is read off a solution. Potentials of nodes without weight are -Infinity.

export function* formPlan(job: PlanData & { out: Float64Array }, monitor: Watch): Work<void> {
  const cost = yield* openCost(job.cost, monitor)
  const pass = new PlanPass(job.epsilon, job.f, job.g)
  pass.store = job.out
  yield* planPass(cost, pass, monitor)
}

export function* applyPlan(job: ApplyJob, monitor: Watch): Work<void> {
  const cost = yield* openCost(job.cost, monitor)
  const pass = new PlanPass(job.epsilon, job.f, job.g)
  if (job.transpose) {
    pass.scaling = 'given'
    pass.scale = job.v
    pass.columnSum = job.out
  } else {
    pass.columnWeight = job.v
    pass.rowSum = job.out
  }
  yield* planPass(cost, pass, monitor)
}

export function* sparsePlan(plan: PlanData, threshold: number, monitor: Watch): Work<CsrParts> {
  const cost = yield* openCost(plan.cost, monitor)
  const pass = new ThresholdPass(plan.epsilon, plan.f, plan.g, Math.log(threshold))
  const kept = yield* thresholdPass(cost, pass, monitor)
  if (kept === null) throw new ExtremaError('ERR_MEMORY', 'threshold: more than 2^31 - 1 entries of the plan reach it')
  return kept
}

export function* costTransform(job: TransformJob, monitor: Watch): Work<void> {
  const cost = yield* openCost(job.cost, monitor)
  if (job.transpose) yield* columnTransform(cost, job.potential, job.out, monitor)
  else yield* rowTransform(cost, job.potential, job.out, monitor)
}
