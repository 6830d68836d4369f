import type { DenseKernels } from '../linear-dense.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** The numbers of a job as native/binding/linear-dense.cc reads them. */
function numbers(...values: (number | boolean)[]): Float64Array {
  return Float64Array.from(values, Number)
}

export function nativeDense(runtime: Runtime, room: Exports): DenseKernels {
  return {
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
