import type { CostData } from '../kernels.js'
import { divergences, type RelaxedKernels, type RelaxedSettings } from '../transport-relaxed.js'
import { costNumbers } from './cost.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** The numbers of a call, laid out as native/binding/transport-relaxed.cc reads them. */
function parameters(cost: CostData, settings: RelaxedSettings, ...own: number[]): Float64Array {
  const { epsilon, threads, tolerance, maxIterations, certificate } = settings
  return Float64Array.from([
    ...costNumbers(cost),
    epsilon,
    threads,
    tolerance,
    maxIterations,
    certificate ? 1 : 0,
    ...own,
  ])
}

export function nativeRelaxedTransport(runtime: Runtime, room: Exports): RelaxedKernels {
  return {
    unbalanced: nativeKernel(runtime, room.unbalanced, ({ problem, settings, ...job }) => {
      const { penaltyA, penaltyB, productReference, divergence } = problem.relaxation
      return [
        parameters(problem, settings, penaltyA, penaltyB, productReference ? 1 : 0, divergences.indexOf(divergence)),
        problem.x,
        problem.y,
        problem.a,
        problem.b,
        job.f,
        job.g,
        job.rowSum,
        job.columnSum,
        job.report,
        job.history,
      ]
    }),
    partial: nativeKernel(runtime, room.partial, ({ problem, settings, ...job }) => [
      parameters(problem, settings, job.mass),
      problem.x,
      problem.y,
      problem.a,
      problem.b,
      job.f,
      job.g,
      job.price,
      job.rowSum,
      job.columnSum,
      job.report,
      job.history,
    ]),
  }
}
