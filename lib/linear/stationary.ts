import { iterativeReportLength, type StationaryJob } from '../backend/linear-sparse.js'
import type { Step } from '../backend/portable/linear/step.js'
import { ExtremaError } from '../core/errors.js'
import { callKernel, type Run } from './drive.js'
import {
  bothForms,
  finish,
  type IterativeOptions,
  iterativeNames,
  type LinearProblem,
  type LinearSolution,
  type Prepared,
  prepareSystem,
  problemNames,
  type SymmetricOptions,
} from './iterative.js'
import { checkOmega } from './preconditioner.js'
import { rowsOf } from './rows.js'

export interface JacobiOptions extends IterativeOptions {
  /** Relaxation of each step, in (0, 2). Default 1. */
  omega?: number
}

export interface RelaxationOptions extends SymmetricOptions {
  /** Relaxation of each step, in (0, 2): 1 is the method of Gauss and Seidel, and the default. */
  omega?: number
}

const jacobiNames: ReadonlySet<string> = new Set([...iterativeNames, 'omega'])
const sweepNames: ReadonlySet<string> = new Set([...jacobiNames, 'checkSymmetry'])

/** Both forms of a stationary iteration. */
export function stationaryForms(method: StationaryJob['method']) {
  const form = {
    problemNames,
    optionNames: method === 'jacobi' ? jacobiNames : sweepNames,
    square: true,
    iterations: () => 10_000,
  }
  return bothForms(
    (problem: LinearProblem, options: RelaxationOptions) => {
      const prepared = prepareSystem(problem, options, form)
      prepared.settings.omega = checkOmega('omega', options.omega, 1)
      if (method === 'jacobi') prepared.settings.checkSymmetry = false
      if (prepared.matrix.data === null) {
        throw new ExtremaError('ERR_OPTION', 'matrix: expected one with entries, got one with matvec only')
      }
      return prepared
    },
    (prepared, run) => steps(method, prepared, run),
  )
}

function* steps(method: StationaryJob['method'], prepared: Prepared, run: Run): Step<LinearSolution> {
  const { matrix, b, x, settings, history, kernels } = prepared
  const report = new Float64Array(iterativeReportLength)
  const rows = yield* rowsOf('matrix', matrix.data!, run.monitor)
  const job: StationaryJob = { method, matrix: rows, b, x, settings, history, report }
  yield* callKernel(kernels.linear.stationary, job, run, true)
  return finish(prepared, report)
}
