import type { LineKernels } from '../transport-line.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

export function nativeLine(runtime: Runtime, room: Exports): LineKernels {
  return {
    wasserstein1d: nativeKernel(runtime, room.wasserstein1d, (job) => [
      job.order,
      job.x,
      job.y,
      job.a,
      job.b,
      job.f,
      job.g,
      job.rows,
      job.columns,
      job.mass,
      job.report,
    ]),
    slicedWasserstein: nativeKernel(runtime, room.slicedWasserstein, (job) => [
      Float64Array.of(job.d, job.order, job.threads),
      job.x,
      job.y,
      job.a,
      job.b,
      job.directions,
      job.values,
      job.gradientX,
      job.gradientY,
      job.report,
    ]),
  }
}
