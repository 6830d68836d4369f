import { kernels } from '../backend/index.js'
import { type SketchFactorJob, sketchFactorField, sketchFactorReportLength } from '../backend/linear-dense.js'
import { runNames } from '../backend/options.js'
import type { NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import type { SolverOptions } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { allocate, ending, type Run, startRun } from './direct.js'
import { checkStill, type MatrixOrCsr, matrixData } from './matrix-data.js'
import { type SketchShape, sketchNames } from './sketch-data.js'
import { leastSquaresSketch } from './sketched-least-squares.js'

export interface SketchedPreconditionerOptions
  extends SketchShape,
    Pick<SolverOptions, 'threads' | 'signal' | 'backend'> {
  /** Rows s > n of the sketch. Default as for `sketchedLeastSquares`. */
  sketchRows?: number
}

export interface SketchedPreconditioner extends Solution {
  /** For `lsqr(…, { preconditioner })`, or any iteration on the normal equations: M = Rᵀ R is near to Aᵀ A. */
  preconditioner: { kind: 'upper'; r: NdArray }
}

const names: ReadonlySet<string> = new Set([
  'sketchRows',
  ...sketchNames,
  ...runNames.filter((name) => name !== 'timeLimit' && name !== 'onProgress'),
])

/**
 * The triangular factor R of a sketch S A = Q R of a dense or sparse N × n matrix with independent columns, as a
 * preconditioner for least squares: singular values of A R⁻¹ are within 1 / (1 ± sqrt(n / s)), about. `residual` is 0.
 *
 * @throws {ExtremaError} `ERR_SINGULAR` for dependent columns (`sketchedLeastSquares` takes them), `ERR_SHAPE`,
 * `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: Rokhlin, Tygert, PNAS 105 (2008), 13212-13217.
 */
export async function sketchedPreconditioner(
  matrix: MatrixOrCsr,
  options: SketchedPreconditionerOptions = {},
): Promise<SketchedPreconditioner> {
  const { run, job } = prepare(matrix, options)
  await kernels(run.backend).linear.sketchFactor.run(job, run.control)
  checkStill('matrix', job.matrix)
  return finish(run, job)
}

/** {@link sketchedPreconditioner} on the calling thread. */
export function sketchedPreconditionerSync(
  matrix: MatrixOrCsr,
  options: SketchedPreconditionerOptions = {},
): SketchedPreconditioner {
  const { run, job } = prepare(matrix, options)
  kernels(run.backend).linear.sketchFactor.runSync(job, run.control)
  return finish(run, job)
}

function prepare(matrix: MatrixOrCsr, options: SketchedPreconditionerOptions): { run: Run; job: SketchFactorJob } {
  const run = startRun(options, names)
  const a = matrixData('matrix', matrix)
  const job: SketchFactorJob = {
    matrix: a,
    sketch: leastSquaresSketch(options, options.sketchRows, a),
    threads: run.threads,
    factor: allocate(a.columns * a.columns),
    report: new Float64Array(sketchFactorReportLength),
  }
  return { run, job }
}

function finish(run: Run, { matrix: { columns: n }, factor, report }: SketchFactorJob): SketchedPreconditioner {
  if (report[sketchFactorField.triangular] === 0) {
    const rank = report[sketchFactorField.rank]
    throw new ExtremaError('ERR_SINGULAR', `matrix: expected ${n} independent columns, got ${rank}`)
  }
  return { ...ending(run, 0), preconditioner: { kind: 'upper', r: { data: factor, shape: [n, n] } } }
}
