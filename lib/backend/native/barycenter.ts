import { metrics } from '../kernels.js'
import type { BarycenterKernels } from '../transport-barycenter.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

export function nativeBarycenter(runtime: Runtime, room: Exports): BarycenterKernels {
  return {
    barycenter: nativeKernel(runtime, room.barycenter, (job) => [
      Float64Array.of(
        job.epsilon,
        Number(job.debiased),
        Number(job.plain),
        job.tolerance,
        job.maxIterations,
        job.threads,
      ),
      Float64Array.from(job.axes, ({ n }) => n),
      Float64Array.from(job.axes, ({ n, grid }) => (grid ? -1 : n)),
      job.axes.map(({ cost }) => cost),
      job.histograms,
      job.weights,
      job.barycenter,
      job.f,
      job.g,
      job.report,
    ]),
    projection: nativeKernel(runtime, room.projection, (job) => {
      const { n, m, d, metric, x, y } = job.cost
      return [
        Float64Array.of(n, m, d, metrics.indexOf(metric), job.epsilon, job.threads, job.columns),
        x,
        y,
        job.g,
        job.values,
        job.out,
      ]
    }),
  }
}
