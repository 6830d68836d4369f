import type { CurvatureKernels, GradientRows, SystemSizes } from '../curvature.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

const sizes = ({ m, d, block }: GradientRows) => [m, d, block]
const systems = ({ count, order, last }: SystemSizes) => [count, order, last]

/** The arguments as native/binding/curvature.cc reads them. */
export function nativeCurvature(runtime: Runtime, room: Exports): CurvatureKernels {
  return {
    gram: nativeKernel(runtime, room.gram, (job) => {
      const { rows, others, form, order, row, column, out, threads } = job
      const columns = form === 'columns' ? 1 : 0
      const parameters = Float64Array.of(...sizes(rows), others?.m ?? rows.m, columns, order, row, column, threads)
      return [parameters, rows.g, others?.g ?? null, out]
    }),
    factor: nativeKernel(runtime, room.factor, (job) => [
      Float64Array.of(...systems(job), job.damping, job.divisor, job.threads),
      job.gram,
      job.out,
    ]),
    solve: nativeKernel(runtime, room.solve, (job) => [
      Float64Array.of(...systems(job), job.threads),
      job.factors,
      job.p,
    ]),
    project: nativeKernel(runtime, room.project, ({ rows, x, p, threads }) => [
      Float64Array.of(...sizes(rows), threads),
      rows.g,
      x,
      p,
    ]),
    gather: nativeKernel(runtime, room.gather, ({ rows, w, sum, threads }) => [
      Float64Array.of(...sizes(rows), threads),
      rows.g,
      w,
      sum,
    ]),
    inverseProduct: nativeKernel(runtime, room.inverseProduct, ({ rows, form, factors, damping, x, out, threads }) => [
      Float64Array.of(...sizes(rows), form === 'columns' ? 1 : 0, damping, threads),
      rows.g,
      factors,
      x,
      out,
    ]),
    diagonal: nativeKernel(runtime, room.diagonal, ({ rows, form, factors, damping, divisor, out, threads }) => [
      Float64Array.of(...sizes(rows), form === 'columns' ? 1 : 0, damping, divisor, threads),
      rows.g,
      factors,
      out,
    ]),
    entries: nativeKernel(runtime, room.entries, (job) => [
      Float64Array.of(job.order, job.pitch, job.places.length, job.damping, job.divisor),
      job.factor,
      job.columns,
      job.places,
      job.out,
    ]),
    rankOne: nativeKernel(runtime, room.rankOne, (job) => {
      const { x, n, v, keep, identity, scale, numerator, offset, slope, threads, report } = job
      return [Float64Array.of(n, keep, identity, scale, numerator, offset, slope, threads), x, v, report]
    }),
  }
}
