import type { CsrParts } from '../kernels.js'
import type { GromovKernels } from '../transport-gromov.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** A plan in either form: dense, indptr, indices, data. */
function planArguments(plan: Float64Array | CsrParts | null): (Float64Array | Int32Array | null)[] {
  if (plan === null || plan instanceof Float64Array) return [plan, null, null, null]
  return [null, plan.indptr, plan.indices, plan.data]
}

export function nativeGromov(runtime: Runtime, room: Exports): GromovKernels {
  return {
    gromovScan: nativeKernel(runtime, room.gromovScan, (job) => [
      Float64Array.of(job.rows, job.columns, job.symmetric ? 1 : 0, job.threads),
      job.data,
      job.weights,
      job.squares,
      job.rowSums,
      job.columnSums,
      job.report,
    ]),
    gromovProduct: nativeKernel(runtime, room.gromovProduct, (job) => [
      Float64Array.of(job.n, job.m, job.threads),
      job.source,
      job.target,
      ...planArguments(job.plan),
      job.product,
      job.features,
      job.out,
      job.report,
    ]),
    gromovBlend: nativeKernel(runtime, room.gromovBlend, (job) => [
      Float64Array.of(job.n, job.m, job.step, job.alpha, job.threads),
      job.plan,
      job.product,
      ...planArguments(job.direction),
      job.directionProduct,
      job.u,
      job.v,
      job.features,
      job.gradient,
    ]),
    gromovCompare: nativeKernel(runtime, room.gromovCompare, (job) => [
      Float64Array.of(job.entropies ? 1 : 0, job.threads),
      job.plan,
      job.next,
      job.report,
    ]),
  }
}
