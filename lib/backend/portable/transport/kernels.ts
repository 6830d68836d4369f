import { ExtremaError } from '../../../core/errors.js'
import { type BatchJob, type CsrParts, reportLength, type SolveJob, type TransportKernels } from '../../kernels.js'
import { Monitor, portableKernel, type Steps } from '../driver.js'
import type { Watch, Work } from '../work.js'
import { assignment } from './assignment.js'
import { portableBarycenter } from './barycenter.js'
import { cloudOrder } from './cloud-order.js'
import type { Report } from './context.js'
import { portableTransportDerivatives } from './derivative-kernels.js'
import { portableExact } from './exact.js'
import { portableGromov } from './gromov.js'
import { portableLightBridge } from './light-bridge/kernels.js'
import { portableLine } from './line.js'
import { portableLowRank } from './low-rank.js'
import { applyPlan, costTransform, formPlan, sparsePlan } from './plan.js'
import { portableRelaxedTransport } from './relaxed-kernels.js'
import { sinkhorn } from './sinkhorn.js'
import { sinkhornNewtonSparse } from './sinkhorn-newton-sparse.js'
import { sparsityConstrained } from './sparsity-constrained.js'
import { costProduct, readPlan } from './sparsity-plan.js'

type Solver = (job: Omit<SolveJob, 'report'>, monitor: Watch) => Work<Report>

const solvers: Record<BatchJob['method'], Solver> = { sinkhorn, sinkhornNewtonSparse }

function solver(solve: Solver) {
  return portableKernel(function* (job: SolveJob, monitor: Monitor): Steps {
    const report = yield* solve(job, monitor)
    report.write(job.report)
  })
}

/** One problem after the other. Progress counts the finished ones. */
function* batch(job: BatchJob, monitor: Monitor): Steps {
  const solve = solvers[job.method]
  const { problems, settings, reports } = job
  const quiet: Watch = { due: () => monitor.due(), expired: () => monitor.expired(), progress: () => {} }
  let fStart = 0
  let gStart = 0
  for (let k = 0; k < problems.length; k++) {
    const problem = problems[k]
    const f = job.f.subarray(fStart, fStart + problem.n)
    const g = job.g.subarray(gStart, gStart + problem.m)
    fStart += problem.n
    gStart += problem.m
    try {
      const report = yield* solve({ problem, settings, f, g, history: null }, quiet)
      report.write(reports.subarray(k * reportLength, (k + 1) * reportLength))
    } catch (error) {
      if (error instanceof ExtremaError) {
        throw new ExtremaError(error.code, `problems[${k}].${error.message}`, { cause: error })
      }
      throw error
    }
    monitor.progress(k + 1, problems.length - k - 1)
    if (monitor.due()) yield
  }
}

/** Runs a kernel's part to its end. */
function finish<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

export const portableTransport: TransportKernels = {
  ...portableExact,
  ...portableLine,
  ...portableBarycenter,
  ...portableGromov,
  ...portableLowRank,
  assignment: portableKernel(assignment),
  cloudOrder: portableKernel(cloudOrder),
  ...portableTransportDerivatives,
  ...portableRelaxedTransport,
  sinkhorn: solver(sinkhorn),
  sinkhornNewtonSparse: solver(sinkhornNewtonSparse),
  batch: portableKernel(batch),
  plan: portableKernel(formPlan),
  apply: portableKernel(applyPlan),
  transform: portableKernel(costTransform),
  sparsityConstrained: portableKernel(sparsityConstrained),
  sparsityPlan: portableKernel(readPlan),
  costProduct: portableKernel(costProduct),
  sparsePlan(plan, threshold): CsrParts {
    return finish(sparsePlan(plan, threshold, new Monitor({ timeLimit: Number.POSITIVE_INFINITY }, true)))
  },
  lightBridge: portableLightBridge,
}
