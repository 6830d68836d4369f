import type { BridgeMixture, BridgeShape, LightBridgeKernels } from '../transport-light-bridge.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** The numbers of a call, laid out as native/binding/light-bridge.cc reads them. */
function parameters(shape: BridgeShape, threads: number, ...own: number[]): Float64Array {
  return Float64Array.of(shape.components, shape.dimension, Number(shape.full), shape.epsilon, threads, ...own)
}

function mixtureArguments({ logWeights, means, scales }: BridgeMixture): Float64Array[] {
  return [logWeights, means, scales]
}

export function nativeLightBridge(runtime: Runtime, room: Exports): LightBridgeKernels {
  return {
    fit: nativeKernel(runtime, room.lightBridgeFit, (job) => {
      const { source, target } = job
      const numbers = parameters(
        job.shape,
        job.threads,
        job.floor,
        Number(job.matching),
        source.rows,
        source.evaluated,
        target.rows,
        target.evaluated,
        Number(job.method === 'lbfgs'),
        job.learningRate,
        Number(job.cosine),
        job.batch,
        job.first,
        job.iterations,
        job.total,
        job.tolerance,
        job.checkEvery,
      )
      const { draws, theta, moments, history, report } = job
      return [numbers, source.points, target.points, draws, theta, moments, history, report]
    }),
    loss: nativeKernel(runtime, room.lightBridgeLoss, (job) => {
      const { source, target } = job
      const numbers = parameters(
        job.shape,
        job.threads,
        job.floor,
        Number(job.matching),
        source.rows,
        source.evaluated,
        target.rows,
        target.evaluated,
      )
      return [numbers, source.points, target.points, job.draws, job.theta, job.gradient, job.value]
    }),
    evaluate: nativeKernel(runtime, room.lightBridgeEvaluate, (job) => [
      parameters(job.mixture, job.threads, Number(job.side === 'source')),
      ...mixtureArguments(job.mixture),
      job.x,
      job.logSum,
      job.weights,
    ]),
    drift: nativeKernel(runtime, room.lightBridgeDrift, (job) => [
      parameters(job.mixture, job.threads, job.t),
      ...mixtureArguments(job.mixture),
      job.x,
      job.out,
    ]),
    sample: nativeKernel(runtime, room.lightBridgeSample, (job) => [
      parameters(job.mixture, job.threads, job.count),
      ...mixtureArguments(job.mixture),
      job.x,
      job.picks,
      job.normals,
      job.out,
    ]),
    trajectories: nativeKernel(runtime, room.lightBridgeTrajectories, (job) => [
      parameters(job.mixture, job.threads),
      ...mixtureArguments(job.mixture),
      job.x,
      job.grid,
      job.keep,
      job.normals,
      job.out,
    ]),
  }
}
