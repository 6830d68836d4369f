import { metrics } from '../kernels.js'
import { type ExactKernels, type ExactProblemData, type ExactSettings, isArcs } from '../transport-exact.js'
import { joined } from './joined.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

// As native/binding/exact.cc reads them.

function parameters({ threads, tolerance, maxIterations, warm }: ExactSettings): Float64Array {
  return Float64Array.of(threads, tolerance, maxIterations, warm ? 1 : 0)
}

function shape({ n, m, cost, border }: ExactProblemData): number[] {
  const [row, column] = [Number(border?.row ?? 0), Number(border?.column ?? 0)]
  return isArcs(cost) ? [n, m, 0, 0, row, column] : [n, m, cost.d, metrics.indexOf(cost.metric), row, column]
}

/** x, y, starts, columns */
function costArrays({ cost }: ExactProblemData) {
  return isArcs(cost) ? [cost.data, null, cost.indptr, cost.indices] : [cost.x, cost.y, null, null]
}

export function nativeExact(runtime: Runtime, room: Exports): ExactKernels {
  return {
    emd: nativeKernel(runtime, room.emd, ({ problem, settings, f, g, plan, report }) => [
      parameters(settings),
      Float64Array.from(shape(problem)),
      ...costArrays(problem),
      problem.a,
      problem.b,
      f,
      g,
      plan.row,
      plan.column,
      plan.mass,
      report,
    ]),
    emdBatch: nativeKernel(runtime, room.emdBatch, ({ problems, settings, f, g, plan, report }) => {
      const costs = problems.map(costArrays)
      return [
        parameters(settings),
        Float64Array.from(problems.flatMap(shape)),
        ...[0, 1, 2, 3].map((part) => costs.map((arrays) => arrays[part])),
        joined(problems.map(({ a }) => a)),
        joined(problems.map(({ b }) => b)),
        f,
        g,
        plan.row,
        plan.column,
        plan.mass,
        report,
      ]
    }),
  }
}
