import addon from '../../lib/backend/addon.cjs'
import type { Binding } from '../../lib/backend/native/kernels.js'
import { type SinkhornOptions, sinkhorn, type TransportProblem } from '../../lib/transport/index.js'

/** Milliseconds of a call of plain `sinkhorn` with exactly that many iterations and no certificate. */
export async function ourIterations(
  problem: TransportProblem,
  options: SinkhornOptions,
  iterations: number,
): Promise<number> {
  const start = performance.now()
  const solution = await sinkhorn(problem, {
    ...options,
    acceleration: 'none',
    multiscale: false,
    tolerance: 0,
    certificate: false,
    maxIterations: iterations,
  })
  const elapsed = performance.now() - start
  if (solution.iterations !== iterations) {
    throw new Error(`sinkhorn stopped after ${solution.iterations} of ${iterations} iterations: ${solution.status}`)
  }
  return elapsed
}

/**
 * Nanoseconds per entry and thread of exp2 with 1 + dimension multiplications and additions over numbers in the
 * first-level cache, the fastest of `repetitions`: no sweep that forms its entries from that many coordinates, and adds
 * them to rows and columns, can be faster.
 */
export function exponentialLimit(
  precision: 'float64' | 'float32',
  dimension: number,
  threads: number,
  repetitions: number,
): number {
  return nativeBinding().transport.exponentialLimit(precision === 'float32', threads, repetitions, dimension)
}

/**
 * Milliseconds of a plain read (a sum) of an n × m matrix on that many threads, the fastest of ten: no iteration that
 * reads its kernel matrix can be faster.
 */
export function streamRead(matrix: Float64Array | Float32Array, n: number, m: number, threads: number): number {
  return nativeBinding().transport.streamRead(matrix, n, m, threads, 10)
}

function nativeBinding(): Binding {
  const { binding, error } = addon.loadAddon()
  if (binding === undefined) throw new Error('the limits of the machine need the native addon', { cause: error })
  return binding as Binding
}
