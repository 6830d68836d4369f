import {
  type DescentJob,
  type DescentKernels,
  losses,
  type MatrixData,
  partitions,
  selections,
  updates,
} from '../descent.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

const matrixLayout = ({ dense, indptr, indices, data }: MatrixData) => [dense, indptr, indices, data]

/** The arguments as native/binding/descent.cc reads them. */
function layout(job: DescentJob): readonly unknown[] {
  const { problem, rules } = job
  const { matrix } = problem
  const parameters = Float64Array.of(
    losses.indexOf(problem.loss),
    matrix.rows,
    matrix.columns,
    problem.classes,
    problem.l2,
    partitions.indexOf(rules.partition),
    selections.indexOf(rules.selection),
    updates.indexOf(rules.update),
    rules.blockSize,
    rules.rowSums ? 1 : 0,
    rules.cubic,
    ...rules.lattice,
    rules.tolerance,
    rules.maxIterations,
    rules.seed % 2 ** 32,
    Math.floor(rules.seed / 2 ** 32),
    rules.workingSet ? 1 : 0,
    rules.threads,
  )
  return [
    parameters,
    ...matrixLayout(matrix),
    problem.target,
    problem.l1,
    problem.lower,
    problem.upper,
    rules.givenStart,
    rules.givenIndices.length > 0 ? rules.givenIndices : null,
    job.x,
    job.visits,
    job.blockOf,
    job.values,
    job.sizes,
    job.selected,
    job.report,
  ].map(orNull)
}

/** An empty array would look like one whose buffer was taken away. */
const orNull = (value: unknown) => (ArrayBuffer.isView(value) && value.byteLength === 0 ? null : value)

export function nativeDescent(runtime: Runtime, room: Exports): DescentKernels {
  return {
    solve: nativeKernel(runtime, room.solve, layout),
    forest: nativeKernel(runtime, room.forest, ({ matrix, b, x, report, threads }) =>
      [Float64Array.of(matrix.rows, threads), ...matrixLayout(matrix), b, x, report].map(orNull),
    ),
  }
}
