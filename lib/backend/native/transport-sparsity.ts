import { type CostData, metrics } from '../kernels.js'
import { continuations, type SparsityKernels, type SparsitySettings, sparsityMethods } from '../transport-sparsity.js'
import { nativeKernel, type Runtime } from './runtime.js'

// biome-ignore lint/suspicious/noExplicitAny: the argument layouts below are the types.
type Exports = Record<string, (...args: any[]) => any>

/** The numbers of a call, laid out as native/binding/transport-sparsity.cc reads them. */
function parameters({ n, m, d, metric }: CostData, settings: SparsitySettings): Float64Array {
  return Float64Array.from([
    n,
    m,
    d,
    metrics.indexOf(metric),
    settings.byRows ? 1 : 0,
    settings.maxNonzeros,
    settings.gamma,
    settings.entropy ? 1 : 0,
    settings.dual ? 1 : 0,
    sparsityMethods.indexOf(settings.method),
    continuations.indexOf(settings.continuation),
    settings.tolerance,
    settings.maxIterations,
    settings.learningRate,
    settings.batchSize,
    settings.seed[0],
    settings.seed[1],
    settings.threads,
  ])
}

export function nativeSparsity(runtime: Runtime, room: Exports): SparsityKernels {
  return {
    sparsityConstrained: nativeKernel(runtime, room.sparsityConstrained, ({ problem, settings, ...job }) => [
      parameters(problem, settings),
      problem.x,
      problem.y,
      problem.a,
      problem.b,
      job.f,
      job.g,
      job.nonzeros,
      job.ties,
      job.cut,
      job.report,
      job.stages,
    ]),
    sparsityPlan: nativeKernel(runtime, room.sparsityPlan, ({ problem, settings, ...job }) => [
      parameters(problem, settings),
      problem.x,
      problem.y,
      problem.a,
      problem.b,
      job.f,
      job.g,
      job.cut,
      job.withTies,
      job.indptr,
      job.indices,
      job.data,
      job.costs,
    ]),
    costProduct: nativeKernel(runtime, room.costProduct, ({ cost, threads, u, v, out }) => [
      Float64Array.of(cost.n, cost.m, cost.d, metrics.indexOf(cost.metric), threads),
      cost.x,
      cost.y,
      u,
      v,
      out,
    ]),
  }
}
