import type { ForestJob } from '../backend/descent.js'
import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import { type Csr, checkFinite, type MatrixLike, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import type { SolverOptions } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { checkMatrix } from './matrix.js'

export interface ForestOptions extends Pick<SolverOptions, 'threads' | 'signal' | 'backend'> {}

export interface ForestSolution extends Solution {
  x: Float64Array
  /** Trees of the forest. */
  trees: number
}

const names: ReadonlySet<string> = new Set(['threads', 'signal', 'backend'])

interface Prepared {
  job: ForestJob
  control: Control
  kernels: Kernels
  start: number
}

/**
 * Solves A x = b for symmetric positive definite A whose off-diagonal entries are the edges of a forest, in time
 * linear in its size: messages from the leaves to the roots and back (Gaussian belief propagation, which is elimination
 * without fill). `residual` is the largest |b - A x|, `iterations` 1.
 *
 * @param A n × n, dense or CSR with ascending columns
 * @throws {ExtremaError} `ERR_SHAPE` (also for a cycle, naming a node on it, and an A that is not symmetric),
 * `ERR_NOT_POSITIVE` (naming a node with a pivot <= 0), `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER`
 *
 * Source: Nutini, Laradji, Schmidt, arXiv 1712.08859, section 5.4.
 */
export async function solveForest(
  A: MatrixLike | Csr,
  b: VectorLike,
  options: ForestOptions = {},
): Promise<ForestSolution> {
  const prepared = prepare(A, b, options)
  await prepared.kernels.descent.forest.run(prepared.job, prepared.control)
  return finish(prepared)
}

/** {@link solveForest} on the calling thread. */
export function solveForestSync(A: MatrixLike | Csr, b: VectorLike, options: ForestOptions = {}): ForestSolution {
  const prepared = prepare(A, b, options)
  prepared.kernels.descent.forest.runSync(prepared.job, prepared.control)
  return finish(prepared)
}

function prepare(A: MatrixLike | Csr, b: VectorLike, options: ForestOptions): Prepared {
  const start = performance.now()
  const { control, backend, threads } = checkRunOptions(options, names, '{ threads, signal, backend }')
  control.signal?.throwIfAborted()
  const matrix = checkMatrix('A', A)
  if (matrix.rows !== matrix.columns) {
    throw new ExtremaError('ERR_SHAPE', `A: expected a square matrix, got ${matrix.rows}×${matrix.columns}`)
  }
  const right = toFloat64('b', b)
  if (right.length !== matrix.rows) {
    throw new ExtremaError('ERR_SHAPE', `b: expected ${matrix.rows} numbers, got ${right.length}`)
  }
  checkFinite('b', right)
  const job = { matrix, b: right, x: new Float64Array(matrix.rows), report: new Float64Array(2), threads }
  return { job, control, kernels: kernels(backend), start }
}

function finish({ job, kernels, start }: Prepared): ForestSolution {
  const [trees, residual] = job.report
  const elapsed = performance.now() - start
  return { status: 'converged', iterations: 1, residual, elapsed, backend: kernels.name, x: job.x, trees }
}
