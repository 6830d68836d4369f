import type { CsrParts, Kernels } from '../backend/kernels.js'
import { assignmentField, assignmentReportLength } from '../backend/transport-assignment.js'
import { ExtremaError } from '../core/errors.js'
import type { GromovData } from './gromov-problem.js'
import { call, type Program } from './program.js'

/** Whether the vertices of the plans are permutations. */
export function isAssignment({ n, m, a, b }: GromovData): boolean {
  return n === m && a.every((weight) => weight === a[0]) && b.every((weight) => weight === b[0])
}

/** A vertex of the transport polytope at which <cost, .> is least; null if the time was over before. */
export function* vertex(data: GromovData, cost: Float64Array, kernels: Kernels): Program<CsrParts | null> {
  if (!isAssignment(data)) {
    throw new ExtremaError('ERR_OPTION', 'epsilon: expected a number > 0 where weights differ, got undefined')
  }
  const { n, m, a } = data
  const columns = new Int32Array(n)
  const report = new Float64Array(assignmentReportLength)
  const potentials = { f: new Float64Array(n), g: new Float64Array(m) }
  yield call(kernels.transport.assignment, { n, m, cost, maximize: false, columns, ...potentials, report })
  if (report[assignmentField.timeLimit] !== 0) return null
  return { indptr: Int32Array.from({ length: n + 1 }, (_, i) => i), indices: columns, data: a }
}
