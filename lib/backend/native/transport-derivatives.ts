import type { CostData } from '../kernels.js'
import type { DerivativeKernels, PlanWeight } from '../transport-derivatives.js'
import { costNumbers } from './cost.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** The numbers of a call, laid out as native/binding/transport-derivatives.cc reads them. */
function parameters(cost: CostData, epsilon: number, threads: number, ...own: number[]): Float64Array {
  return Float64Array.of(...costNumbers(cost), epsilon, threads, ...own)
}

function parts({ dense, left, right }: PlanWeight) {
  return [dense, left, right]
}

export function nativeTransportDerivatives(runtime: Runtime, room: Exports): DerivativeKernels {
  return {
    symmetric: nativeKernel(runtime, room.symmetric, ({ cost, ...job }) => [
      parameters(cost, job.epsilon, job.threads, job.tolerance, job.maxIterations),
      cost.x,
      cost.y,
      job.a,
      job.f,
      job.report,
      job.name,
    ]),
    softTransform: nativeKernel(runtime, room.softTransform, ({ cost, ...job }) => [
      parameters(cost, job.epsilon, job.threads, job.transpose ? 1 : 0),
      cost.x,
      cost.y,
      job.potential,
      job.out,
    ]),
    pointGradient: nativeKernel(runtime, room.pointGradient, ({ cost, weight, ...job }) => [
      parameters(cost, job.epsilon, job.threads, 0, 0, weight.rank),
      cost.x,
      cost.y,
      job.f,
      job.g,
      job.alpha,
      job.beta,
      ...parts(weight),
      job.out,
    ]),
    planVjp: nativeKernel(runtime, room.planVjp, ({ problem, weight, ...job }) => {
      const { border } = problem
      const limits = [job.tolerance, job.maxIterations, weight.rank]
      return [
        parameters(problem, job.epsilon, job.threads, ...limits, Number(border?.row ?? 0), Number(border?.column ?? 0)),
        problem.x,
        problem.y,
        problem.a,
        problem.b,
        job.f,
        job.g,
        job.bendA,
        job.bendB,
        ...parts(weight),
        job.u,
        job.v,
        job.costGradient,
        job.report,
      ]
    }),
  }
}
