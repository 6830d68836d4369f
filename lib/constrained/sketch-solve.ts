import { type RowBlocksData, type SketchSolveJob, sketchField, sketchReportLength } from '../backend/constrained.js'
import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import { type Csr, checkFinite, type MatrixLike, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, nonNegative, type SolverOptions, whole } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import { frobenius, toSystem } from './matrix.js'
import { squares } from './merit.js'
import { blockSizeFor, checkBlocks, checkSketch, type SketchOptions, sketchNames } from './options.js'
import { BlockFactors } from './row-blocks.js'
import { runSteps, runStepsSync, type Steps } from './steps.js'

/** A z = b, which has a solution. */
export interface SketchSolveProblem {
  /** Dense or CSR, of any shape. */
  matrix: MatrixLike | Csr
  b: VectorLike
  /** Where to begin. Default zeros. */
  x0?: VectorLike
}

export interface SketchSolveOptions extends SolverOptions, SketchOptions {
  /** Of ‖A x - b‖ / ‖b‖. Default 1e-6. */
  tolerance?: number
  /** Sketches. Default 100,000. */
  maxIterations?: number
  /** Sketches to skip in the stream of `seed`: a solve that goes on from another's x takes its count. Default 0. */
  drawn?: number
}

export interface SketchSolveSolution extends Solution {
  /** The solution nearest to x0, as far as it was reached. */
  x: Float64Array
  /** Rows of A read, and floating-point operations. */
  rows: number
  flops: number
}

const names: ReadonlySet<string> = new Set(['tolerance', 'maxIterations', 'drawn', ...sketchNames, ...runNames])
const problemNames = new Set(['matrix', 'b', 'x0'])

/**
 * Solves consistent linear equations A x = b by sketch-and-project: x <- x - AᵀS (Sᵀ A Aᵀ S)† Sᵀ (A x - b) with a fresh random S
 * every time, the nearest point to x that satisfies the sketched equations. The error never grows; `iterations` counts sketches,
 * `residual` is ‖A x - b‖ / ‖b‖.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER`; the reason of `signal` when aborted.
 *
 * Source: Gower, Richtárik, "Randomized iterative methods for linear systems", SIAM J. Matrix Anal. Appl. 36 (2015).
 */
export async function sketchSolve(
  problem: SketchSolveProblem,
  options: SketchSolveOptions = {},
): Promise<SketchSolveSolution> {
  const prepared = prepare(problem, options)
  return runSteps(steps(prepared), prepared.control)
}

/** {@link sketchSolve} on the calling thread. */
export function sketchSolveSync(problem: SketchSolveProblem, options: SketchSolveOptions = {}): SketchSolveSolution {
  const prepared = prepare(problem, options)
  return runStepsSync(steps(prepared), prepared.control)
}

function* steps(prepared: Prepared): Steps<SketchSolveSolution> {
  const { job, blocks, kernels, control } = prepared
  let flops = 0
  if (blocks !== null) {
    const factored = yield* new BlockFactors(kernels, blocks).of(job.matrix)
    job.blocks = factored.blocks
    flops = factored.flops
  }
  const kernel = kernels.constrained.sketchSolve
  const { onProgress } = control
  yield {
    run: (part) => kernel.run(job, { ...part, onProgress }),
    runSync: (part) => kernel.runSync(job, { ...part, onProgress }),
  }
  return finish(prepared, flops)
}

interface Prepared {
  job: SketchSolveJob
  blocks: RowBlocksData | null
  size: number
  control: Control
  kernels: Kernels
  start: number
}

function prepare(problem: SketchSolveProblem, options: SketchSolveOptions): Prepared {
  const start = performance.now()
  const { control, backend, threads } = checkRunOptions(options, names, '{ sketch, … }')
  const sketch = checkSketch(options)
  const tolerance = nonNegative('tolerance', options.tolerance, 1e-6)
  const maxSketches = whole('maxIterations', options.maxIterations, 100_000, 0, 2 ** 52)
  const drawn = whole('drawn', options.drawn, 0, 0, 2 ** 52)
  control.signal?.throwIfAborted()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { matrix, b }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, problemNames)
  const matrix = toSystem('matrix', problem.matrix, 'ERR_NOT_FINITE')
  if (matrix.rows === 0 || matrix.columns === 0) {
    throw new ExtremaError('ERR_SHAPE', `matrix: expected a non-empty matrix, got ${matrix.rows}×${matrix.columns}`)
  }
  checkBlocks(sketch, matrix.rows)
  const b = vector('b', problem.b, matrix.rows)
  const z = problem.x0 === undefined ? new Float64Array(matrix.columns) : vector('x0', problem.x0, matrix.columns)
  const size = Math.sqrt(squares(b))
  const job: SketchSolveJob = {
    matrix,
    b,
    sketch: sketch.sketch,
    blockSize: blockSizeFor(sketch, matrix.rows),
    blocks: null,
    byNorm: sketch.byNorm,
    maxSketches,
    threshold: tolerance * size,
    rounding: 2 ** -50 * frobenius(matrix),
    coarse: 0,
    descent: null,
    descentBound: 0,
    key: sketch.key,
    drawn,
    threads,
    z,
    report: new Float64Array(sketchReportLength),
  }
  return { job, blocks: sketch.blocks, size, control, kernels: kernels(backend), start }
}

function vector(name: string, value: VectorLike, length: number): Float64Array {
  const copy = Float64Array.from(checkFinite(name, toFloat64(name, value)))
  if (copy.length === length) return copy
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${length} numbers to match the matrix, got ${copy.length}`)
}

function finish({ job: { z, report, threshold }, size, kernels, start }: Prepared, more: number): SketchSolveSolution {
  const status = statuses[report[sketchField.ended]]
  return {
    // Rounding may leave no sketch anything to do above the tolerance.
    status: status === 'converged' && report[sketchField.residual] > threshold ? 'stalled' : status,
    iterations: report[sketchField.sketches],
    residual: report[sketchField.residual] / (size || 1),
    elapsed: performance.now() - start,
    backend: kernels.name,
    x: z,
    rows: report[sketchField.rows],
    flops: report[sketchField.flops] + more,
  }
}
