import { type ConstrainedKernels, type SystemMatrix, sketchKinds } from '../constrained.js'
import { factorArrays } from './linear-sparse.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** The arguments as native/binding/constrained.cc reads them. */
function layout(
  { rows, columns, data, indptr, indices }: SystemMatrix,
  parameters: number[],
  ...rest: unknown[]
): unknown[] {
  return [Float64Array.of(rows, columns, ...parameters), data, indptr, indices, ...rest]
}

export function nativeConstrained(runtime: Runtime, room: Exports): ConstrainedKernels {
  return {
    sketchSolve: nativeKernel(runtime, room.sketchSolve, (job) => {
      const kind = sketchKinds.indexOf(job.sketch)
      const { blockSize, maxSketches, threshold, coarse, descentBound, drawn, threads, rounding } = job
      const byNorm = job.byNorm ? 1 : 0
      const parameters = [
        kind,
        blockSize,
        byNorm,
        maxSketches,
        threshold,
        coarse,
        descentBound,
        drawn,
        threads,
        rounding,
      ]
      const { b, descent, key, z, report, blocks } = job
      const given =
        blocks === null ? [null, null, null] : [blocks.offsets, blocks.rows, blocks.factors.map(factorArrays)]
      return layout(job.matrix, parameters, b, descent, key, z, report, ...given)
    }),
    factor: nativeKernel(runtime, room.factor, (job) =>
      layout(job.matrix, [job.positive, job.floor], job.order, job.b, job.z, job.report),
    ),
  }
}
