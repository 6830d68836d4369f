import { ExtremaError } from '../../../core/errors.js'
import { type ExactBatchJob, type ExactKernels, exactReportLength } from '../../transport-exact.js'
import { portableKernel } from '../driver.js'
import type { Watch, Work } from '../work.js'
import { networkSimplex } from './network-simplex.js'

/** One problem after the other. Progress counts the finished ones. */
function* batch({ problems, settings, f, g, plan, report }: ExactBatchJob, monitor: Watch): Work<void> {
  const quiet: Watch = { due: () => monitor.due(), expired: () => monitor.expired(), progress: () => {} }
  let i = 0
  let j = 0
  let arc = 0
  for (let k = 0; k < problems.length; k++) {
    const problem = problems[k]
    const { n, m } = problem
    const arcs = n + m - 1
    const job = {
      problem,
      settings,
      f: f.subarray(i, i + n),
      g: g.subarray(j, j + m),
      plan: {
        row: plan.row.subarray(arc, arc + arcs),
        column: plan.column.subarray(arc, arc + arcs),
        mass: plan.mass.subarray(arc, arc + arcs),
      },
      report: report.subarray(k * exactReportLength, (k + 1) * exactReportLength),
    }
    i += n
    j += m
    arc += arcs
    try {
      yield* networkSimplex(job, quiet)
    } catch (error) {
      if (!(error instanceof ExtremaError)) throw error
      throw new ExtremaError(error.code, `problems[${k}].${error.message}`, { cause: error })
    }
    monitor.progress(k + 1, problems.length - k - 1)
    if (monitor.due()) yield
  }
}

export const portableExact: ExactKernels = {
  emd: portableKernel(networkSimplex),
  emdBatch: portableKernel(batch),
}
