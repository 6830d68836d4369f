import { checkFinite, type MatrixLike, type NdArray, shapeText, toDenseMatrix } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, oneOf, whole } from '../core/options.js'
import { checkBits } from './allocate-bits.js'
import { checkPlainOptions } from './checks.js'

const methods = ['nearest', 'error-feedback'] as const

export interface QuantizeOptions {
  /** 1 to 16. */
  bits: number
  /**
   * `'nearest'` (default): each weight to the nearest level. `'error-feedback'`: column by column, the error of each made up for
   * in those to come, as their inputs allow (GPTQ); needs `inputs`.
   */
  method?: (typeof methods)[number]
  /** Calibration inputs, a row each, of as many numbers as the matrix has columns. */
  inputs?: MatrixLike
  /** Added to the diagonal of the inputs' second moments, as a part of its mean. Default 0.01. */
  damping?: number
}

export interface Quantized {
  /** The weights after quantisation. */
  weights: NdArray
  /** Distance of two levels of each row; 1 bit: the magnitude. */
  scale: Float64Array
  /** The level of each weight: -1 or 1 with one bit, else whole numbers up to 2^(bits - 1) - 1 in magnitude. */
  levels: Int32Array
  /** Sum of squared errors: of the outputs on `inputs` if given, else of the weights. */
  error: number
}

const names: ReadonlySet<string> = new Set(['bits', 'method', 'inputs', 'damping'])

/**
 * Symmetric quantisation of a matrix by rows: scale = max |w| / (2^(bits - 1) - 1) and the nearest level; with one bit the sign
 * times the mean magnitude. With two bits the levels are -1, 0, 1, which may be worse than the sign alone.
 *
 * Source of the error feedback: Frantar, Ashkboos, Hoefler, Alistarh 2022, "GPTQ" (arXiv 2210.17323).
 */
export function quantize(matrix: MatrixLike, options: QuantizeOptions): Quantized {
  checkPlainOptions(options, names, '{ bits, … }')
  const bits = whole('bits', options.bits ?? null, 0, 1, 16)
  const method = oneOf('method', options.method, methods, 'nearest')
  const weights = readFinite('matrix', matrix)
  const inputs = options.inputs === undefined ? undefined : readFinite('inputs', options.inputs)
  if (inputs !== undefined && inputs.columns !== weights.columns) {
    const [wanted, came] = [weights.columns, shapeText(inputs.rows, inputs.columns)]
    throw new ExtremaError('ERR_SHAPE', `inputs: expected rows of ${wanted} numbers to match the matrix, got ${came}`)
  }
  if (method === 'error-feedback' && inputs === undefined) {
    throw new ExtremaError('ERR_OPTION', "inputs: expected with method 'error-feedback', got undefined")
  }
  const damping = nonNegative('damping', options.damping, 0.01)
  const scale = scalesOf(weights, bits)
  const moments = inputs === undefined ? undefined : momentsOf(inputs)
  const levels =
    method === 'nearest' || moments === undefined
      ? roundAll(weights, scale, bits)
      : roundWithFeedback(weights, scale, bits, feedback(moments, weights.columns, damping))
  const data = Float64Array.from(levels, (level, i) => level * scale[Math.floor(i / weights.columns)])
  return {
    weights: { data, shape: [weights.rows, weights.columns] },
    scale,
    levels,
    error: errorOf(weights, data, moments),
  }
}

/** The errors of {@link quantize} for each of several matrices and widths: matrices × bits, as `allocateBits` takes them. */
export function quantizationErrors(
  matrices: readonly MatrixLike[],
  options: Omit<QuantizeOptions, 'bits'> & { bits?: readonly number[] } = {},
): NdArray {
  const { bits: given, ...rest } = options
  const bits = checkBits(given)
  if (!Array.isArray(matrices) || matrices.length === 0) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `matrices: expected a list of matrices, got ${Array.isArray(matrices) ? 'an empty one' : describe(matrices)}`,
    )
  }
  const data = matrices.flatMap((matrix) => bits.map((width) => quantize(matrix, { ...rest, bits: width }).error))
  return { data: Float64Array.from(data), shape: [matrices.length, bits.length] }
}

interface Finite {
  data: Float64Array
  rows: number
  columns: number
}

export function readFinite(name: string, given: MatrixLike): Finite {
  const { data, rows, columns } = toDenseMatrix(name, given)
  if (rows === 0 || columns === 0) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a non-empty matrix, got ${shapeText(rows, columns)}`)
  }
  checkFinite(name, data, { columns })
  return { data: data instanceof Float64Array ? data : Float64Array.from(data), rows, columns }
}

function scalesOf({ data, rows, columns }: Finite, bits: number): Float64Array {
  const most = 2 ** (bits - 1) - 1
  return Float64Array.from({ length: rows }, (_, i) => {
    const row = data.subarray(i * columns, (i + 1) * columns)
    if (bits === 1) return row.reduce((sum, w) => sum + Math.abs(w), 0) / columns
    return row.reduce((largest, w) => Math.max(largest, Math.abs(w)), 0) / most
  })
}

function levelOf(weight: number, scale: number, bits: number): number {
  if (bits === 1) return weight < 0 ? -1 : 1
  if (scale === 0) return 0
  const most = 2 ** (bits - 1) - 1
  return Math.max(-most, Math.min(most, Math.round(weight / scale)))
}

function roundAll({ data, columns }: Finite, scale: Float64Array, bits: number): Int32Array {
  return Int32Array.from(data, (w, i) => levelOf(w, scale[Math.floor(i / columns)], bits))
}

/** Σ x xᵀ over the inputs. */
function momentsOf({ data, rows, columns }: Finite): Float64Array {
  const moments = new Float64Array(columns * columns)
  for (let n = 0; n < rows; n++) {
    const x = data.subarray(n * columns, (n + 1) * columns)
    for (let i = 0; i < columns; i++) {
      if (x[i] === 0) continue
      for (let j = 0; j <= i; j++) moments[i * columns + j] += x[i] * x[j]
    }
  }
  for (let i = 0; i < columns; i++) for (let j = 0; j < i; j++) moments[j * columns + i] = moments[i * columns + j]
  return moments
}

/**
 * The upper triangular U with (H + damping)⁻¹ = Uᵀ U: row j of U over its diagonal is how the error of column j is made up
 * for in the columns behind it.
 */
function feedback(moments: Float64Array, n: number, damping: number): Float64Array {
  const h = moments.slice()
  let mean = 0
  for (let i = 0; i < n; i++) mean += h[i * n + i] / n
  for (let i = 0; i < n; i++) h[i * n + i] += mean === 0 ? 1 : damping * mean
  // With J the reversal, J H J = L Lᵀ gives H⁻¹ = (J L⁻ᵀ J)(J L⁻¹ J), of which J L⁻¹ J is upper triangular.
  const reversed = h.map((_, k) => h[(n - 1 - Math.floor(k / n)) * n + (n - 1 - (k % n))])
  const inverse = invertLower(cholesky(reversed, n), n)
  return inverse.map((_, k) => inverse[(n - 1 - Math.floor(k / n)) * n + (n - 1 - (k % n))])
}

function cholesky(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k]
      if (i !== j) l[i * n + j] = sum / l[j * n + j]
      else if (sum > 0) l[i * n + i] = Math.sqrt(sum)
      else
        throw new ExtremaError(
          'ERR_SINGULAR',
          'inputs: expected them to span all columns, got a singular matrix; use damping',
        )
    }
  }
  return l
}

function invertLower(l: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n)
  for (let j = 0; j < n; j++) {
    inverse[j * n + j] = 1 / l[j * n + j]
    for (let i = j + 1; i < n; i++) {
      let sum = 0
      for (let k = j; k < i; k++) sum -= l[i * n + k] * inverse[k * n + j]
      inverse[i * n + j] = sum / l[i * n + i]
    }
  }
  return inverse
}

function roundWithFeedback(
  { data, rows, columns }: Finite,
  scale: Float64Array,
  bits: number,
  u: Float64Array,
): Int32Array {
  const levels = new Int32Array(rows * columns)
  const row = new Float64Array(columns)
  for (let i = 0; i < rows; i++) {
    row.set(data.subarray(i * columns, (i + 1) * columns))
    for (let j = 0; j < columns; j++) {
      const level = levelOf(row[j], scale[i], bits)
      levels[i * columns + j] = level
      const error = (row[j] - level * scale[i]) / u[j * columns + j]
      for (let k = j + 1; k < columns; k++) row[k] -= error * u[j * columns + k]
    }
  }
  return levels
}

function errorOf({ data, rows, columns }: Finite, quantized: Float64Array, moments: Float64Array | undefined): number {
  let error = 0
  const difference = new Float64Array(columns)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) difference[j] = data[i * columns + j] - quantized[i * columns + j]
    for (let j = 0; j < columns; j++) {
      if (moments === undefined) {
        error += difference[j] ** 2
        continue
      }
      let sum = 0
      for (let k = 0; k < columns; k++) sum += moments[j * columns + k] * difference[k]
      error += difference[j] * sum
    }
  }
  return Math.max(0, error)
}
