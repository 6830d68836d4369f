import { type DictionaryKernels, type SamplesJob, shapings } from '../lowrank-dictionary.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** The arguments that native/binding/lowrank-dictionary.cc reads first. */
function common({ n, rows, samples, coding, threads }: SamplesJob, ...own: number[]): readonly unknown[] {
  const { shaping, keep, threshold, scale } = coding
  return [Float64Array.of(n, rows, shapings.indexOf(shaping), keep, threshold, scale, threads, ...own), samples]
}

export function nativeDictionary(runtime: Runtime, room: Exports): DictionaryKernels {
  return {
    online: nativeKernel(runtime, room.online, (job) => [
      ...common(job, job.batch, job.tolerance, job.patience),
      job.rho,
      job.gamma,
      job.relaxed,
      job.averaged,
      job.covariance,
      job.whitening,
      job.gaps,
      job.report,
    ]),
    offline: nativeKernel(runtime, room.offline, (job) => [
      ...common(job, job.tolerance, job.maxIterations),
      job.dictionary,
      job.history,
      job.report,
    ]),
    gap: nativeKernel(runtime, room.gap, (job) => [...common(job), job.w, job.report]),
    codes: nativeKernel(runtime, room.codes, (job) => [...common(job), job.w, job.out]),
    polar: nativeKernel(runtime, room.polar, ({ n, threads, matrix, near, out, report }) => [
      Float64Array.of(n, n, 0, 0, 0, 1, threads),
      matrix,
      near,
      out,
      report,
    ]),
  }
}
