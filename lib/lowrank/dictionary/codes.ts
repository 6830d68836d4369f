import type { Kernels } from '../../backend/kernels.js'
import type { CodesJob, Coding } from '../../backend/lowrank-dictionary.js'
import type { FloatArray, NdArray } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, nonNegative, whole } from '../../core/options.js'
import type { Samples } from './samples.js'

/** Which coefficients of a sample stay. At most one of the two; without any all stay. */
export interface CodeOptions {
  /** So many of the largest magnitudes. */
  keep?: number
  /** Those of at least this magnitude. */
  threshold?: number
}

const names: ReadonlySet<string> = new Set(['keep', 'threshold'])

export function checkCodeOptions(options: CodeOptions, n: number, others: ReadonlySet<string> = new Set()): Coding {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { keep } or { threshold }, got ${describe(options)}`)
  }
  checkNames('options', options, new Set([...names, ...others]))
  if (options.keep !== undefined && options.threshold !== undefined) {
    throw new ExtremaError('ERR_OPTION', 'options: expected keep or threshold, got both')
  }
  const keep = whole('keep', options.keep, n, 1, n)
  const threshold = nonNegative('threshold', options.threshold, 0)
  return { shaping: options.keep === undefined ? 'threshold' : 'keep', keep, threshold, scale: 1 }
}

/** The coding that leaves every coefficient. */
export const allCoefficients = (n: number) => checkCodeOptions({}, n)

/** The job that writes the samples' coefficients in the columns of w. */
export function codesJob(samples: Samples, n: number, w: Float64Array, coding: Coding, threads: number): CodesJob {
  const { data, rows } = samples
  const out = data instanceof Float32Array ? new Float32Array(rows * n) : new Float64Array(rows * n)
  return { n, rows, samples: data, coding, threads, w, out }
}

/** A vector for a vector, a matrix for a matrix. */
export function codesResult({ out, rows, n }: CodesJob, single: boolean): FloatArray | NdArray<FloatArray> {
  return single ? out : { data: out, shape: [rows, n] }
}

export function dataOf(codes: FloatArray | NdArray<FloatArray>): FloatArray {
  return 'shape' in codes ? codes.data : codes
}

/** The orthogonal matrix nearest to a relaxed one. */
export interface PolarResult {
  data: Float64Array
  full: boolean
}

export function polarSync(kernels: Kernels, matrix: Float64Array, n: number, threads: number): PolarResult {
  const near = Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0))
  const job = { n, threads, matrix, near, out: new Float64Array(n * n), report: new Float64Array(1) }
  kernels.lowrank.dictionary.polar.runSync(job, { timeLimit: Number.POSITIVE_INFINITY })
  return { data: job.out, full: job.report[0] === 1 }
}
