import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import type { MultiplyJob } from '../backend/linear-sparse.js'
import { checkRunOptions } from '../backend/options.js'
import {
  checkBuffer,
  type MatrixLike,
  type NdArray,
  shapeText,
  toDenseMatrix,
  toFloat64,
  type VectorLike,
} from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, flag, type SolverOptions } from '../core/options.js'
import { type BuiltInOperator, builtIn, isOften, shapeOf } from './operator.js'

export interface MultiplyOptions extends Pick<SolverOptions, 'threads' | 'signal' | 'backend'> {
  /** Aᵀ x instead of A x. Default false. */
  transpose?: boolean
  /**
   * Where the result goes, row-major: as many float64 as it has, apart from x. Of no use after an error. Default new memory,
   * which costs time.
   */
  out?: Float64Array
}

const names: ReadonlySet<string> = new Set(['transpose', 'out', 'threads', 'signal', 'backend'])

interface Prepared {
  job: MultiplyJob
  kernels: Kernels
  control: Control
  isVector: boolean
}

function prepare(matrix: BuiltInOperator, x: VectorLike | MatrixLike, options: MultiplyOptions): Prepared {
  const { control, backend, threads } = checkRunOptions(options, names)
  control.signal?.throwIfAborted()
  const operator = builtIn('matrix', matrix)
  const transpose = flag('transpose', options.transpose, false)
  const [height, width] = transpose ? shapeOf(operator).reverse() : shapeOf(operator)
  const isVector = ArrayBuffer.isView(x) || (Array.isArray(x) && typeof x[0] === 'number')
  let vectors: Float64Array
  let count = 1
  if (isVector) {
    vectors = toFloat64('x', x as VectorLike)
    if (vectors.length !== width) {
      throw new ExtremaError('ERR_SHAPE', `x: expected ${width} numbers to match the matrix, got ${vectors.length}`)
    }
  } else {
    const { data, rows, columns } = toDenseMatrix('x', x as MatrixLike)
    if (rows !== width || columns === 0) {
      const came = shapeText(rows, columns)
      throw new ExtremaError('ERR_SHAPE', `x: expected a matrix of ${width} rows to match the matrix, got ${came}`)
    }
    vectors = data instanceof Float64Array ? data : Float64Array.from(data)
    count = columns
  }
  const out = options.out === undefined ? new Float64Array(height * count) : checkOut(options.out, height * count)
  if (overlap(out, vectors)) throw new ExtremaError('ERR_BUFFER', 'out: expected memory apart from x, got some of it')
  const job: MultiplyJob = {
    operator,
    transpose,
    count,
    x: vectors,
    out,
    threads,
    check: isVector ? 'vector' : 'matrix',
    often: isOften(matrix),
  }
  return { job, kernels: kernels(backend), control, isVector }
}

function checkOut(out: unknown, length: number): Float64Array {
  if (!(out instanceof Float64Array)) {
    throw new ExtremaError('ERR_SHAPE', `out: expected a Float64Array, got ${describe(out)}`)
  }
  checkBuffer('out', out)
  if (out.length === length) return out
  throw new ExtremaError('ERR_SHAPE', `out: expected room for ${length} numbers, got ${out.length}`)
}

function overlap(a: Float64Array, b: Float64Array): boolean {
  return (
    a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
  )
}

function finish({ job: { out, count }, isVector }: Prepared): Float64Array | NdArray {
  return isVector ? out : { data: out, shape: [out.length / count, count] }
}

/**
 * A x, or Aᵀ x, of an operator that is data with a vector, or with the columns of a matrix: sparse products on all threads.
 * Check an operator once with `prepare` where it is used often, and give `out` where the result's memory can be used again.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION`, `ERR_BUFFER` (`out` overlaps x, or its buffer is
 * resizable or gone); the reason of `signal` when aborted.
 */
export async function multiply(matrix: BuiltInOperator, x: VectorLike, options?: MultiplyOptions): Promise<Float64Array>
export async function multiply(matrix: BuiltInOperator, x: MatrixLike, options?: MultiplyOptions): Promise<NdArray>
export async function multiply(
  matrix: BuiltInOperator,
  x: VectorLike | MatrixLike,
  options: MultiplyOptions = {},
): Promise<Float64Array | NdArray> {
  const prepared = prepare(matrix, x, options)
  await prepared.kernels.linear.multiply.run(prepared.job, prepared.control)
  return finish(prepared)
}

/** {@link multiply} on the calling thread. */
export function multiplySync(matrix: BuiltInOperator, x: VectorLike, options?: MultiplyOptions): Float64Array
export function multiplySync(matrix: BuiltInOperator, x: MatrixLike, options?: MultiplyOptions): NdArray
export function multiplySync(
  matrix: BuiltInOperator,
  x: VectorLike | MatrixLike,
  options: MultiplyOptions = {},
): Float64Array | NdArray {
  const prepared = prepare(matrix, x, options)
  prepared.kernels.linear.multiply.runSync(prepared.job, prepared.control)
  return finish(prepared)
}
