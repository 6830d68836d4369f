import { type BackendName, kernels } from '../backend/index.js'
import type { Control, Kernel } from '../backend/kernels.js'
import { factorReportLength } from '../backend/linear-dense.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import {
  checkBuffer,
  checkFinite,
  copyIfSmallFloat64,
  type MatrixLike,
  type NdArray,
  shapeText,
  toDenseMatrix,
  toFloat64,
  type VectorLike,
} from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, type SolverOptions } from '../core/options.js'
import type { Solution } from '../core/solution.js'

// What the direct factorizations share.

/** A factorization has no tolerance to reach and no half-way result. */
export type DirectOptions = Pick<SolverOptions, 'threads' | 'signal' | 'backend'>

export const directNames = runNames.filter((name) => name !== 'timeLimit' && name !== 'onProgress')

/** Where and how a call runs. */
export interface Run {
  start: number
  control: Control
  backend: BackendName | undefined
  threads: number
}

export function startRun(options: SolverOptions, names: ReadonlySet<string>): Run {
  const start = performance.now()
  const { control, backend, threads } = checkRunOptions(options, names)
  control.signal?.throwIfAborted()
  return { start, control, backend, threads }
}

/** The rest of a call of a kernel: what every solution carries besides. */
export function ending({ start, backend }: Run, residual: number, iterations = 1): Solution {
  return {
    status: 'converged',
    iterations,
    residual,
    elapsed: performance.now() - start,
    backend: kernels(backend).name,
  }
}

export const noControl: Control = { timeLimit: Number.POSITIVE_INFINITY }

export interface CheckedMatrix {
  data: Float64Array
  rows: number
  columns: number
}

/** Not empty and in float64; entries are checked by the kernels. Small ones are copied. */
export function denseMatrix(name: string, given: MatrixLike): CheckedMatrix {
  const { data, rows, columns } = toDenseMatrix(name, given)
  if (rows === 0 || columns === 0) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a non-empty matrix, got ${shapeText(rows, columns)}`)
  }
  return { data: copyIfSmallFloat64(data), rows, columns }
}

export function squareMatrix(name: string, given: MatrixLike): CheckedMatrix {
  const matrix = denseMatrix(name, given)
  if (matrix.rows !== matrix.columns) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}: expected a square matrix, got ${shapeText(matrix.rows, matrix.columns)}`,
    )
  }
  return matrix
}

/** Numbers for an output, or ERR_MEMORY. */
export function allocate(length: number): Float64Array {
  try {
    return new Float64Array(length)
  } catch (cause) {
    throw new ExtremaError('ERR_MEMORY', `memory: expected room for ${length} numbers, got none`, { cause })
  }
}

export function factorReport(): Float64Array {
  return new Float64Array(factorReportLength)
}

/** A kernel with its job, to be run in either form. */
export interface Call {
  run(control: Control): Promise<void>
  runSync(control: Control): void
}

export function callOf<Job>(kernel: Kernel<Job>, job: Job): Call {
  return { run: (control) => kernel.run(job, control), runSync: (control) => kernel.runSync(job, control) }
}

/** What kernels, one after another, come to. */
export type Calls<T> = Generator<Call, T, void>

export function runCallsSync<T>(calls: Calls<T>): T {
  for (;;) {
    const { done, value } = calls.next()
    if (done) return value
    value.runSync(noControl)
  }
}

/** How `solve` of a factorization goes, for those who do not want to wait for it on their thread. */
export const solveCalls = new WeakMap<object, (b: Float64Array) => Calls<Float64Array>>()

export async function runKernel<Job extends { a: Float64Array }>(
  kernel: Kernel<Job>,
  job: Job,
  run: Run,
): Promise<void> {
  await kernel.run(job, run.control)
  checkBuffer('matrix', job.a)
}

/** A vector or a matrix of right-hand sides. */
export interface RightSide {
  /** rows × columns, a copy. */
  data: Float64Array
  columns: number
  isVector: boolean
}

export type VectorOrMatrix = VectorLike | MatrixLike

/** A finite right-hand side of so many rows. */
export function rightSide(name: string, given: VectorOrMatrix, rows: number): RightSide {
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a vector or a matrix, got ${describe(given)}`)
  }
  if (ArrayBuffer.isView(given) || isPlainVector(given)) {
    const vector = toFloat64(name, given as VectorLike)
    if (vector.length !== rows) {
      throw new ExtremaError('ERR_SHAPE', `${name}: expected ${rows} numbers to match the matrix, got ${vector.length}`)
    }
    return { data: checkFinite(name, vector.slice()), columns: 1, isVector: true }
  }
  const matrix = toDenseMatrix(name, given as MatrixLike)
  if (matrix.rows !== rows || matrix.columns === 0) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}: expected ${rows} rows to match the matrix, got ${shapeText(matrix.rows, matrix.columns)}`,
    )
  }
  const data = Float64Array.from(matrix.data)
  return { data: checkFinite(name, data, { columns: matrix.columns }), columns: matrix.columns, isVector: false }
}

function isPlainVector(given: object): boolean {
  if ('shape' in given) return false
  const first: unknown = (given as ArrayLike<unknown>)[0]
  return typeof first !== 'object'
}

/** The first so many rows of a solved right-hand side, in the form it came. */
export function sameForm<T extends VectorOrMatrix>(data: Float64Array, rows: number, side: RightSide): Solved<T> {
  const solved = side.isVector ? data : { data, shape: [rows, side.columns] }
  return solved as Solved<T>
}

/** Vectors give vectors, matrices matrices. */
export type Solved<T> = T extends VectorLike ? Float64Array : NdArray
