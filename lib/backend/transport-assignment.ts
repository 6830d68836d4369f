import type { FloatArray } from '../core/arrays.js'

/** Rectangular linear assignment: n × m costs, row-major; infinite ones (-infinite, if `maximize`) forbid. */
export interface AssignmentJob {
  n: number
  m: number
  cost: FloatArray
  maximize: boolean
  /** Result: the column of each row, -1 for none. */
  columns: Int32Array
  f: Float64Array
  g: Float64Array
  report: Float64Array
}

/** Indices into `AssignmentJob.report`. */
export const assignmentField = { timeLimit: 0, searches: 1, primal: 2, dual: 3 } as const
export const assignmentReportLength = 4
