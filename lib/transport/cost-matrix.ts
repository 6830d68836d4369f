import { checkRunOptions } from '../backend/options.js'
import { type Monitor, portableKernel } from '../backend/portable/driver.js'
import type { NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, type SolverOptions } from '../core/options.js'

/** Cost of moving a unit from x to y; Infinity forbids it. */
export type PairCost<X, Y> = (x: X, y: Y) => number

export type CostMatrixOptions = Pick<SolverOptions, 'signal' | 'onProgress'>

/**
 * The n × m costs between any things, for use as `problem.cost`: `cost(x[i], y[j])` is called once for each pair and kept,
 * in 8 n m bytes, since kernels run where no callback can follow them. It is called in slices of a few milliseconds between
 * turns of the event loop.
 *
 * `x` and `y` are array-like, of points, strings or whatever `cost` understands. Between points with one of the costs that
 * `pointCloud` knows, that is faster, and needs no memory. Progress counts rows; its residual is the part that is left.
 *
 * @throws {ExtremaError} `ERR_SHAPE`; `ERR_ORACLE` where `cost` throws or gives NaN, -Infinity or no number; `ERR_OPTION`;
 * `ERR_MEMORY`; the reason of `signal` when aborted.
 */
export async function costMatrix<X, Y>(
  x: ArrayLike<X>,
  y: ArrayLike<Y>,
  cost: PairCost<X, Y>,
  options: CostMatrixOptions = {},
): Promise<NdArray> {
  const { control } = checkRunOptions(options, names)
  control.signal?.throwIfAborted()
  const matrix = emptyMatrix(x, y, cost)
  await portableKernel(fill<X, Y>).run({ x, y, cost, out: matrix.data }, control)
  return matrix
}

/** {@link costMatrix} at once. */
export function costMatrixSync<X, Y>(x: ArrayLike<X>, y: ArrayLike<Y>, cost: PairCost<X, Y>): NdArray {
  const matrix = emptyMatrix(x, y, cost)
  portableKernel(fill<X, Y>).runSync({ x, y, cost, out: matrix.data }, { timeLimit: Number.POSITIVE_INFINITY })
  return matrix
}

const names: ReadonlySet<string> = new Set(['signal', 'onProgress'])

function emptyMatrix<X, Y>(x: ArrayLike<X>, y: ArrayLike<Y>, cost: PairCost<X, Y>): NdArray {
  const [n, m] = [lengthOf('x', x), lengthOf('y', y)]
  if (typeof cost !== 'function') {
    throw new ExtremaError('ERR_ORACLE', `cost: expected a function of x and y, got ${describe(cost)}`)
  }
  try {
    return { data: new Float64Array(n * m), shape: [n, m] }
  } catch (cause) {
    throw new ExtremaError('ERR_MEMORY', `cost: expected a matrix that fits into memory, got ${n}×${m}`, { cause })
  }
}

function lengthOf(name: string, side: ArrayLike<unknown>): number {
  const length = typeof side === 'object' && side !== null ? side.length : undefined
  if (Number.isSafeInteger(length) && (length as number) > 0) return length as number
  const came = length === undefined ? describe(side) : `a length of ${length}`
  throw new ExtremaError('ERR_SHAPE', `${name}: expected an array that is not empty, got ${came}`)
}

interface Job<X, Y> {
  x: ArrayLike<X>
  y: ArrayLike<Y>
  cost: PairCost<X, Y>
  out: Float64Array
}

function* fill<X, Y>({ x, y, cost, out }: Job<X, Y>, monitor: Monitor): Generator<void, void, void> {
  const m = y.length
  const n = out.length / m
  for (let k = 0, i = 0; i < n; i++) {
    for (let j = 0; j < m; j++, k++) {
      out[k] = evaluate(cost, x, y, i, j)
      // A callback may be slow: the clock is looked at after each call.
      if (monitor.due()) yield
    }
    monitor.progress(i + 1, 1 - (i + 1) / n)
  }
}

function evaluate<X, Y>(cost: PairCost<X, Y>, x: ArrayLike<X>, y: ArrayLike<Y>, i: number, j: number): number {
  let value: unknown
  try {
    value = cost(x[i], y[j])
  } catch (cause) {
    const came = `an exception (${String(cause)})`
    throw new ExtremaError('ERR_ORACLE', `cost[${i}][${j}]: expected a number, got ${came}`, { cause })
  }
  if (typeof value === 'number' && value > Number.NEGATIVE_INFINITY) return value
  throw new ExtremaError('ERR_ORACLE', `cost[${i}][${j}]: expected a number or Infinity, got ${describe(value)}`)
}
