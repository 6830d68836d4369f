import {
  copyIfSmall,
  type FloatArray,
  type MatrixLike,
  type NdArray,
  toDenseMatrix,
  toVector,
  type VectorLike,
} from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'

/** Samples in rows: a matrix with `atoms` columns, one sample, or samples one behind the other. */
export type SampleBatch = MatrixLike | VectorLike

export interface Samples {
  data: FloatArray
  rows: number
  /** Given as a vector of one sample. */
  single: boolean
  /** Rows left out since they held NaN or infinities. */
  invalid: number
  /** The largest magnitude. */
  largest: number
}

export interface SampleRules {
  name: string
  n: number
  float32: boolean
  /** What to do with rows that are not finite. */
  invalid: 'error' | 'skip'
}

/** Larger entries are refused: their powers overflow. */
const largestEntry = { float64: 1e70, float32: 1e15 }

function isVector(value: unknown): value is VectorLike {
  if (value instanceof Float64Array || value instanceof Float32Array) return true
  return Array.isArray(value) && typeof value[0] === 'number'
}

/** Checks a batch and makes it contiguous, in the precision of the products. */
export function toSamples(value: SampleBatch, rules: SampleRules): Samples {
  const { name, n, float32 } = rules
  let given: FloatArray
  let rows: number
  const single = isVector(value) && value.length === n
  if (isVector(value)) {
    given = toVector(name, value)
    rows = given.length / n
    if (!Number.isInteger(rows) || rows === 0) {
      throw new ExtremaError('ERR_SHAPE', `${name}: expected samples of ${n} numbers, got ${given.length} numbers`)
    }
  } else {
    const matrix = toDenseMatrix(name, value as MatrixLike)
    given = matrix.data
    rows = matrix.rows
    if (matrix.columns !== n || rows === 0) {
      const came = `${rows}×${matrix.columns}`
      throw new ExtremaError('ERR_SHAPE', `${name}: expected at least one row of ${n} numbers, got ${came}`)
    }
  }
  const data = inPrecision(given, float32)
  return { single, ...checkRows(data, rows, rules) }
}

function inPrecision(data: FloatArray, float32: boolean): FloatArray {
  if (float32) return data instanceof Float32Array ? copyIfSmall(data) : Float32Array.from(data)
  return data instanceof Float64Array ? copyIfSmall(data) : Float64Array.from(data)
}

function checkRows(data: FloatArray, rows: number, rules: SampleRules): Omit<Samples, 'single'> {
  const { name, n, float32, invalid } = rules
  const most = float32 ? largestEntry.float32 : largestEntry.float64
  let largest = 0
  let kept = 0
  let out = data
  for (let i = 0; i < rows; i++) {
    let isGood = true
    for (let k = i * n; k < (i + 1) * n; k++) {
      const magnitude = Math.abs(data[k])
      if (magnitude <= most) {
        if (magnitude > largest) largest = magnitude
        continue
      }
      if (invalid === 'error' || Number.isFinite(magnitude)) {
        const expected = Number.isFinite(magnitude) ? `a magnitude of at most ${most}` : 'a finite number'
        const place = `${name}[${i}][${k - i * n}]`
        throw new ExtremaError('ERR_NOT_FINITE', `${place}: expected ${expected}, got ${data[k]}`)
      }
      isGood = false
      break
    }
    if (!isGood) {
      // From here on rows move up, in memory of our own.
      if (out === data) out = data.slice()
      continue
    }
    if (kept < i) out.copyWithin(kept * n, i * n, (i + 1) * n)
    kept++
  }
  return { data: kept < rows ? out.subarray(0, kept * n) : out, rows: kept, invalid: rows - kept, largest }
}

/** n × n numbers as a result. */
export function square(data: Float64Array, n: number): NdArray {
  return { data, shape: [n, n] }
}

/** A power of two near the magnitude. */
export const unitOf = (largest: number) => (largest > 0 ? 2 ** Math.max(-900, Math.round(Math.log2(largest))) : 1)
