import type { MoeKernels, RouteJob } from '../moe.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** The arguments as native/binding/moe.cc reads them. */
function layout(job: RouteJob, subgradient: boolean, maxIterations: number): readonly unknown[] {
  const { tokens, experts, k, partial, scores, capacity, choices, prices, report } = job
  const parameters = Float64Array.of(tokens, experts, k, partial ? 1 : 0, subgradient ? 1 : 0, maxIterations)
  return [parameters, scores, capacity, choices, prices, report]
}

export function nativeMoe(runtime: Runtime, room: Exports): MoeKernels {
  return {
    route: nativeKernel(runtime, room.route, (job) => layout(job, false, 0)),
    prices: nativeKernel(runtime, room.prices, (job) => layout(job, job.steps === 'subgradient', job.maxIterations)),
  }
}
