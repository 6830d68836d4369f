import { type DenseKernels, innerMethods, type MatrixData, type SketchData, sketchKinds } from '../linear-dense.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** The numbers of a job as native/binding/linear-dense.cc reads them. */
function numbers(...values: (number | boolean)[]): Float64Array {
  return Float64Array.from(values, Number)
}

/** Five arguments. */
function matrix({ rows, columns, dense, indptr, indices, values }: MatrixData): readonly unknown[] {
  return [numbers(rows, columns), dense, indptr, indices, values]
}

function sketched({ kind, rows, inputRows, nonzeros, key, selection, scales }: SketchData): readonly unknown[] {
  return [numbers(sketchKinds.indexOf(kind), rows, inputRows, nonzeros, key[0], key[1]), selection, scales]
}

export function nativeDense(runtime: Runtime, room: Exports): DenseKernels {
  return {
    sketch: nativeKernel(runtime, room.sketch, (job) => [
      numbers(job.draw, job.threads),
      ...matrix(job.matrix),
      ...sketched(job.sketch),
      job.out,
    ]),
    sketchTranspose: nativeKernel(runtime, room.sketchTranspose, (job) => [
      numbers(job.columns, job.threads),
      ...sketched(job.sketch),
      job.y,
      job.out,
    ]),
    sketchFactor: nativeKernel(runtime, room.sketchFactor, (job) => [
      numbers(job.threads),
      ...matrix(job.matrix),
      ...sketched(job.sketch),
      job.factor,
      job.report,
    ]),
    leastSquares: nativeKernel(runtime, room.leastSquares, (job) => [
      numbers(
        innerMethods.indexOf(job.method),
        job.tolerance,
        job.maxIterations,
        job.refinements,
        job.warm,
        job.threads,
      ),
      ...matrix(job.matrix),
      ...sketched(job.sketch),
      job.b,
      job.x,
      job.history,
      job.report,
    ]),
    cholesky: nativeKernel(runtime, room.cholesky, ({ n, threads, a, factor, report }) => [
      numbers(n, threads),
      a,
      factor,
      report,
    ]),
    lu: nativeKernel(runtime, room.lu, ({ n, threads, a, factors, permutation, report }) => [
      numbers(n, threads),
      a,
      factors,
      permutation,
      report,
    ]),
    qr: nativeKernel(runtime, room.qr, (job) => [
      numbers(job.m, job.n, job.pivoting, job.threads),
      job.a,
      job.reflectors,
      job.tau,
      job.permutation,
      job.r,
      job.q,
      job.report,
    ]),
    applyQ: nativeKernel(runtime, room.applyQ, (job) => [
      numbers(job.m, job.k, job.columns, job.transpose, job.threads),
      job.reflectors,
      job.tau,
      job.b,
    ]),
    triangularSolve: nativeKernel(runtime, room.triangularSolve, (job) => [
      numbers(job.n, job.pitch, job.columns, job.lower, job.transpose, job.unit, job.threads),
      job.a,
      job.b,
    ]),
    symmetricEigen: nativeKernel(runtime, room.symmetricEigen, ({ n, threads, a, values, vectors, report }) => [
      numbers(n, threads),
      a,
      values,
      vectors,
      report,
    ]),
    svd: nativeKernel(runtime, room.svd, ({ m, n, threads, a, s, u, vt, report }) => [
      numbers(m, n, threads),
      a,
      s,
      u,
      vt,
      report,
    ]),
  }
}
