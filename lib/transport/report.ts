import { reportField } from '../backend/kernels.js'
import { ExtremaError } from '../core/errors.js'
import { type Solution, statuses } from '../core/solution.js'
import type { Certificate } from './solution.js'

/** What the reports of the Newton solvers have in common. */
export interface SolverFields extends Omit<Solution, 'elapsed' | 'backend'> {
  newtonIterations: number
  passes: number
  value: number
  regularizedValue: number
  certificate?: Certificate
  history?: Float64Array
}

/** All input was finite when it was checked: NaN means that the caller wrote into borrowed memory since. */
export function checkSteady(value: number): void {
  if (!Number.isNaN(value)) return
  throw new ExtremaError('ERR_NOT_FINITE', 'cost: expected numbers that stay as they are during the call, got NaN')
}

/** The fields of a solution from the report of its kernel. */
export function solverFields(report: Float64Array, certificate: boolean, history: Float64Array | null): SolverFields {
  const residual = report[reportField.marginalError]
  checkSteady(residual)
  const fields: SolverFields = {
    status: statuses[report[reportField.status]],
    iterations: report[reportField.iterations],
    newtonIterations: report[reportField.newtonIterations],
    passes: report[reportField.passes],
    residual,
    value: report[reportField.value],
    regularizedValue: report[reportField.regularizedValue],
  }
  if (certificate) {
    const primal = report[reportField.primal]
    const dual = report[reportField.dual]
    fields.certificate = { primal, dual, gap: primal - dual }
  }
  if (history !== null) fields.history = history.slice(0, report[reportField.historyLength])
  return fields
}

const longestHistory = 1_000_000

/** Room for the residual of every iteration, where it is wanted. */
export function historyOf(wanted: boolean, maxIterations: number): Float64Array | null {
  return wanted ? new Float64Array(Math.min(maxIterations, longestHistory)) : null
}

/** Values of the nodes with weight at the original nodes, `rest` elsewhere. */
export function spread(values: Float64Array, indices: Int32Array | null, length: number, rest = 0): Float64Array {
  if (indices === null) return values
  const out = new Float64Array(length).fill(rest)
  indices.forEach((index, k) => {
    out[index] = values[k]
  })
  return out
}
