import { type CostData, metrics, type PlanData, type SolveSettings, type TransportKernels } from '../kernels.js'
import { assignmentArguments } from './assignment.js'
import { nativeBarycenter } from './barycenter.js'
import { nativeExact } from './exact.js'
import { nativeGromov } from './gromov.js'
import { joined } from './joined.js'
import { nativeLightBridge } from './light-bridge.js'
import { nativeLine } from './line.js'
import { nativeLowRank } from './low-rank.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'
import { nativeTransportDerivatives } from './transport-derivatives.js'
import { nativeRelaxedTransport } from './transport-relaxed.js'
import { nativeSparsity } from './transport-sparsity.js'

/** The same for all calls: the binding reads it before it returns, and allocating costs more than a small solve. */
const parameterSpace = new Float64Array(15)

/** The numbers of a call, laid out as native/binding/transport.cc reads them. */
function parameters(cost: CostData | undefined, settings: Partial<SolveSettings>, threads: number): Float64Array {
  const p = parameterSpace
  p[0] = cost?.n ?? 0
  p[1] = cost?.m ?? 0
  p[2] = cost?.d ?? 0
  p[3] = cost === undefined ? 0 : metrics.indexOf(cost.metric)
  p[4] = settings.epsilon ?? 1
  p[5] = threads
  p[6] = settings.tolerance ?? 0
  p[7] = settings.maxIterations ?? 0
  p[8] = settings.float32 ? 1 : 0
  p[9] = settings.certificate ? 1 : 0
  p[10] = settings.paper ? 1 : 0
  p[11] = settings.sinkhornIterations ?? 0
  p[12] = settings.sparsity ?? 0
  p[13] = settings.anderson ? 1 : 0
  p[14] = settings.truncated ? 1 : 0
  return p
}

/** For calls that want one number besides the cost: it takes the place of the tolerance. */
function shortParameters(cost: CostData, epsilon: number, threads: number, extra: number): Float64Array {
  return parameters(cost, { epsilon, tolerance: extra }, threads)
}

export function nativeTransport(runtime: Runtime, room: Exports): TransportKernels {
  const solver = (name: 'sinkhorn' | 'sinkhornNewtonSparse') =>
    nativeKernel<Parameters<TransportKernels['sinkhorn']['runSync']>[0]>(runtime, room[name], (job) => {
      const { problem } = job
      return [
        parameters(problem, job.settings, job.settings.threads),
        problem.x,
        problem.y,
        problem.a,
        problem.b,
        job.f,
        job.g,
        job.report,
        job.history,
      ]
    })
  return {
    ...nativeExact(runtime, room),
    ...nativeLine(runtime, room),
    ...nativeBarycenter(runtime, room),
    ...nativeGromov(runtime, room),
    ...nativeLowRank(runtime, room),
    assignment: nativeKernel(runtime, room.assignment, assignmentArguments),
    cloudOrder: nativeKernel(runtime, room.cloudOrder, ({ n, d, points, order }) => [
      Float64Array.of(n, d),
      points,
      order,
    ]),
    ...nativeTransportDerivatives(runtime, room),
    ...nativeRelaxedTransport(runtime, room),
    ...nativeSparsity(runtime, room),
    sinkhorn: solver('sinkhorn'),
    sinkhornNewtonSparse: solver('sinkhornNewtonSparse'),
    batch: nativeKernel(runtime, room.batch, (job) => {
      const shapes = new Float64Array(4 * job.problems.length)
      job.problems.forEach((p, k) => {
        shapes[4 * k] = p.n
        shapes[4 * k + 1] = p.m
        shapes[4 * k + 2] = p.d
        shapes[4 * k + 3] = metrics.indexOf(p.metric)
      })
      return [
        parameters(undefined, job.settings, job.settings.threads),
        job.method === 'sinkhornNewtonSparse',
        shapes,
        job.problems.map((p) => p.x),
        job.problems.map((p) => p.y),
        joined(job.problems.map((p) => p.a)),
        joined(job.problems.map((p) => p.b)),
        job.f,
        job.g,
        job.reports,
      ]
    }),
    plan: nativeKernel(runtime, room.plan, (job) => [
      shortParameters(job.cost, job.epsilon, job.threads, 0),
      job.cost.x,
      job.cost.y,
      job.f,
      job.g,
      job.out,
    ]),
    apply: nativeKernel(runtime, room.apply, (job) => [
      shortParameters(job.cost, job.epsilon, job.threads, job.transpose ? 1 : 0),
      job.cost.x,
      job.cost.y,
      job.f,
      job.g,
      job.v,
      job.out,
    ]),
    transform: nativeKernel(runtime, room.transform, (job) => [
      shortParameters(job.cost, 1, job.threads, job.transpose ? 1 : 0),
      job.cost.x,
      job.cost.y,
      job.potential,
      job.out,
    ]),
    sparsePlan(plan: PlanData, threshold: number) {
      const [indptr, indices, data] = room.sparsePlan(
        shortParameters(plan.cost, plan.epsilon, plan.threads, threshold),
        plan.cost.x,
        plan.cost.y,
        plan.f,
        plan.g,
      )
      return { indptr, indices, data }
    },
    lightBridge: nativeLightBridge(runtime, room),
  }
}
