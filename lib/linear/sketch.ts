import { kernels } from '../backend/index.js'
import type { SketchJob } from '../backend/linear-dense.js'
import { runNames } from '../backend/options.js'
import type { MatrixLike, NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, type SolverOptions, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import {
  allocate,
  ending,
  noControl,
  type Run,
  rightSide,
  type Solved,
  sameForm,
  startRun,
  type VectorOrMatrix,
} from './direct.js'
import { checkStill, type MatrixOrCsr, matrixData } from './matrix-data.js'
import { type SketchKind, type SketchShape, sketchData, sketchNames } from './sketch-data.js'

export interface SketchOptions extends SketchShape, Pick<SolverOptions, 'threads' | 'signal' | 'backend'> {
  /** Rows of the sketch, s. */
  rows: number
}

export interface Sketch extends Solution {
  /** S A, s × columns of A. */
  sketched: NdArray
  kind: SketchKind
  /** Shape of S: s × rows of A. */
  shape: [number, number]
  /** S b for another vector or matrix with as many rows as A. On the calling thread. */
  apply<T extends VectorOrMatrix>(b: T): Solved<T>
  /** Sᵀ y for s numbers or an s × c matrix. On the calling thread. */
  applyTranspose<T extends VectorOrMatrix>(y: T): Solved<T>
  /** The rows of A that were sampled, with kind 'rows' and 'row-norms'. */
  selection?: Int32Array
}

const names: ReadonlySet<string> = new Set([
  'rows',
  ...sketchNames,
  ...runNames.filter((name) => name !== 'timeLimit' && name !== 'onProgress'),
])

/**
 * A random sketch S A of a dense or sparse N × n matrix: s rows that keep the lengths |A x| up to about sqrt(n / s), since
 * E Sᵀ S = I. Kinds of S:
 * - `'sparse-sign'`: `nonzeros` entries ±1 / sqrt(nonzeros) in each column; O(nonzeros · entries of A)
 * - `'count-sketch'`: one ±1 in each column; fastest, needs more rows (order n²) to be safe
 * - `'gaussian'`: independent normals / sqrt(s); safest, O(s · entries of A)
 * - `'srht'`: s rows of a Hadamard transform of A with random signs (rows padded to a power of two), O(N n log N)
 * - `'rows'`: s rows of A, uniformly with replacement; for matrices without important rows
 * - `'row-norms'`: the same with probabilities proportional to their squared norms
 *
 * The same seed gives the same sketch on both backends, whatever the threads. `residual` is 0.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal`
 * when aborted.
 *
 * Sources: Clarkson, Woodruff 2013 (count-sketch); Nelson, Nguyen 2013 (sparse signs); Ailon, Chazelle 2009 and Tropp 2011
 * (SRHT); Frieze, Kannan, Vempala 2004 (rows by norm).
 */
export async function sketch(matrix: MatrixOrCsr, options: SketchOptions): Promise<Sketch> {
  const { run, job, kind } = prepare(matrix, options)
  await kernels(run.backend).linear.sketch.run(job, run.control)
  checkStill('matrix', job.matrix)
  return finish(run, job, kind)
}

/** {@link sketch} on the calling thread. */
export function sketchSync(matrix: MatrixOrCsr, options: SketchOptions): Sketch {
  const { run, job, kind } = prepare(matrix, options)
  kernels(run.backend).linear.sketch.runSync(job, run.control)
  return finish(run, job, kind)
}

function prepare(matrix: MatrixOrCsr, options: SketchOptions): { run: Run; job: SketchJob; kind: SketchKind } {
  const run = startRun(options, names)
  if (options.rows === undefined) {
    throw new ExtremaError('ERR_OPTION', `rows: expected the rows of the sketch, got ${describe(options.rows)}`)
  }
  const rows = whole('rows', options.rows, 1, 1)
  const a = matrixData('matrix', matrix)
  const kind = options.kind ?? 'sparse-sign'
  const job: SketchJob = {
    sketch: sketchData(options, rows, a),
    matrix: a,
    draw: kind === 'row-norms',
    threads: run.threads,
    out: allocate(rows * a.columns),
  }
  return { run, job, kind }
}

function finish(run: Run, job: SketchJob, kind: SketchKind): Sketch {
  const { sketch: data, out, threads } = job
  const { rows, inputRows } = data
  const { sketch: apply, sketchTranspose } = kernels(run.backend).linear
  return {
    ...ending(run, 0),
    sketched: { data: out, shape: [rows, job.matrix.columns] },
    kind,
    shape: [rows, inputRows],
    ...(data.scales === null || data.selection === null ? {} : { selection: data.selection.slice() }),
    apply(given) {
      const side = rightSide('b', given as MatrixLike, inputRows)
      const { columns } = side
      const matrix = { rows: inputRows, columns, dense: side.data, indptr: null, indices: null, values: null }
      const sketched = allocate(rows * columns)
      apply.runSync({ sketch: data, matrix, draw: false, threads, out: sketched }, noControl)
      return sameForm(sketched, rows, side)
    },
    applyTranspose(given) {
      const side = rightSide('y', given as MatrixLike, rows)
      const { columns } = side
      const back = allocate(inputRows * columns)
      sketchTranspose.runSync({ sketch: data, y: side.data, columns, threads, out: back }, noControl)
      return sameForm(back, inputRows, side)
    },
  }
}
