import {
  type CompletionJob,
  type CompletionKernels,
  completionSketches,
  completionSolvers,
  innerMethods,
  type TopKJob,
} from '../completion.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** The arguments as native/binding/completion.cc reads them. */
function completeLayout(job: CompletionJob): readonly unknown[] {
  const { m, n, entries, held, settings: s } = job
  const parameters = Float64Array.of(
    ...[m, n, entries.count, held?.count ?? 0, s.rank, s.regularization, s.confidence, s.incoherence, s.tolerance],
    ...[s.innerTolerance, s.maxIterations, s.innerIterations, s.sketchRows, s.repeats, s.patience],
    ...[s.biases, s.nonNegative, s.reuse, s.spectral, s.single].map(Number),
    ...[completionSolvers.indexOf(s.solver), innerMethods.indexOf(s.inner), completionSketches.indexOf(s.sketch)],
    ...[s.threads, s.key[0], s.key[1]],
  )
  return [
    parameters,
    ...[entries.rows, entries.indptr, entries.columns, entries.values, entries.weights],
    ...[held?.rows ?? null, held?.columns ?? null, held?.values ?? null],
    ...[job.u, job.v, job.rowBias, job.columnBias, job.rowCounts, job.columnCounts, job.history, job.report],
  ]
}

function topKLayout(job: TopKJob, productsOnly: boolean): readonly unknown[] {
  const { n, rank, k, threads, u, v, columnBias, rows, indptr, indices, columns, scores } = job
  const parameters = Float64Array.of(n, rank, k, threads, productsOnly ? 1 : 0)
  return [parameters, u, v, columnBias, rows, indptr, indices, columns, scores]
}

export function nativeCompletion(runtime: Runtime, room: Exports): CompletionKernels {
  return {
    complete: nativeKernel(runtime, room.complete, completeLayout),
    topK: nativeKernel(runtime, room.topK, (job: TopKJob) => topKLayout(job, false)),
  }
}

/** The products of {@link CompletionKernels.topK} without its selection: what benchmarks hold it against. */
export function topKProducts(runtime: Runtime, room: Exports, job: TopKJob): void {
  nativeKernel(runtime, room.topK, (products: TopKJob) => topKLayout(products, true)).runSync(job, {
    timeLimit: Number.POSITIVE_INFINITY,
  })
}
