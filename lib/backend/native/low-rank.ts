import type { LowRankKernels } from '../transport-low-rank.js'
import { nativeKernel, type Runtime } from './runtime.js'

// biome-ignore lint/suspicious/noExplicitAny: the argument layouts below are the types.
type Exports = Record<string, (...args: any[]) => any>

export function nativeLowRank(runtime: Runtime, room: Exports): LowRankKernels {
  return {
    lowRankSinkhorn: nativeKernel(runtime, room.lowRankSinkhorn, (job) => [
      Float64Array.of(
        ...[job.rank, job.factors, job.scale, job.epsilon, job.tolerance, job.maxIterations, job.threads],
      ),
      job.cost,
      job.u,
      job.w,
      job.a,
      job.b,
      job.q,
      job.r,
      job.g,
      job.report,
    ]),
  }
}
