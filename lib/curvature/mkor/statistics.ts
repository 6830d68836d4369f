import {
  type FloatArray,
  type MatrixLike,
  shapeText,
  toDenseMatrix,
  toVector,
  type VectorLike,
} from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, oneOf, whole } from '../../core/options.js'
import type { LayerStatistics } from './layer.js'

export interface StatisticsOptions {
  /** How the loss adds up its samples: gradients of a mean are multiplied by their number. Default `'mean'`. */
  reduction?: 'mean' | 'sum'
}

const names: ReadonlySet<string> = new Set(['reduction'])
const reductions = ['mean', 'sum'] as const

/**
 * What {@link mkor} wants to know of a dense layer: the mean of its inputs (batch × inputs), and that of the gradients of each
 * sample's loss by its outputs, from the gradient of the batch's loss by them (batch × outputs).
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_OPTION`
 */
export function denseStatistics(
  inputs: MatrixLike,
  outputGradients: MatrixLike,
  options: StatisticsOptions = {},
): { input: Float64Array; outputGradient: Float64Array } {
  checkNames('options', options, names)
  const x = toDenseMatrix('inputs', inputs)
  const g = toDenseMatrix('outputGradients', outputGradients)
  if (x.rows !== g.rows || x.rows === 0) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `outputGradients: expected ${x.rows} rows as in inputs, got ${shapeText(g.rows, g.columns)}`,
    )
  }
  const isMean = oneOf('reduction', options.reduction, reductions, 'mean') === 'mean'
  return {
    input: columnSums(x.data, x.rows, x.columns, 1 / x.rows),
    outputGradient: columnSums(g.data, g.rows, g.columns, isMean ? 1 : 1 / g.rows),
  }
}

function columnSums(data: FloatArray, rows: number, columns: number, scale: number): Float64Array {
  const out = new Float64Array(columns)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j] += data[i * columns + j]
  for (let j = 0; j < columns; j++) out[j] *= scale
  return out
}

/** A batch of images and the gradient of its loss by what a convolution made of them. */
export interface ConvolutionBatch {
  /** batch × channels × height × width, flat. */
  inputs: VectorLike
  shape: readonly [number, number, number, number]
  /** batch × filters × height × width of the output, flat. */
  outputGradients: VectorLike
  filters: number
  /** [height, width] */
  kernel: readonly [number, number]
  /** Default 1. */
  stride?: number
  /** Zeros on all sides. Default 0. */
  padding?: number
}

const batchNames: ReadonlySet<string> = new Set([
  ...['inputs', 'shape', 'outputGradients', 'filters', 'kernel', 'stride', 'padding'],
])

/**
 * The same of a convolution, as a dense layer on patches (channels × kernel height × kernel width inputs): means over patches and
 * positions. Its weight is that matrix, outputs first.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_OPTION`
 */
export function convolutionStatistics(
  batch: ConvolutionBatch,
  options: StatisticsOptions = {},
): LayerStatistics & { input: Float64Array; outputGradient: Float64Array } {
  checkNames('options', options, names)
  checkNames('batch', batch, batchNames)
  const [count, channels, height, width] = sizes('shape', batch.shape, 4)
  const [rows, columns] = sizes('kernel', batch.kernel, 2)
  const stride = whole('stride', batch.stride, 1, 1)
  const padding = whole('padding', batch.padding, 0, 0)
  const filters = whole('filters', batch.filters, 0, 1)
  const [down, across] = [height + 2 * padding - rows, width + 2 * padding - columns]
  if (down < 0 || across < 0) {
    const image = shapeText(height + 2 * padding, width + 2 * padding)
    throw new ExtremaError('ERR_SHAPE', `kernel: expected at most ${image}, got ${shapeText(rows, columns)}`)
  }
  const [outHeight, outWidth] = [Math.floor(down / stride) + 1, Math.floor(across / stride) + 1]
  const x = sized('inputs', batch.inputs, count * channels * height * width)
  const g = sized('outputGradients', batch.outputGradients, count * filters * outHeight * outWidth)
  const positions = outHeight * outWidth
  const input = new Float64Array(channels * rows * columns)
  for (let n = 0; n < count; n++) {
    for (let c = 0, at = 0; c < channels; c++) {
      const image = (n * channels + c) * height * width
      for (let a = 0; a < rows; a++) {
        for (let b = 0; b < columns; b++, at++) {
          input[at] += patchSum(x, image, height, width, a - padding, b - padding, outHeight, outWidth, stride)
        }
      }
    }
  }
  for (let j = 0; j < input.length; j++) input[j] /= count * positions
  const isMean = oneOf('reduction', options.reduction, reductions, 'mean') === 'mean'
  const outputGradient = new Float64Array(filters)
  for (let n = 0; n < count; n++) {
    for (let f = 0; f < filters; f++) {
      const from = (n * filters + f) * positions
      for (let p = from; p < from + positions; p++) outputGradient[f] += g[p]
    }
  }
  for (let f = 0; f < filters; f++) outputGradient[f] /= isMean ? positions : count * positions
  return { input, outputGradient }
}

/** The sum over positions of what stands at one place of the kernel. */
function patchSum(
  x: FloatArray,
  image: number,
  height: number,
  width: number,
  top: number,
  left: number,
  outHeight: number,
  outWidth: number,
  stride: number,
): number {
  let sum = 0
  for (let i = 0; i < outHeight; i++) {
    const row = top + i * stride
    if (row < 0 || row >= height) continue
    for (let j = 0; j < outWidth; j++) {
      const column = left + j * stride
      if (column >= 0 && column < width) sum += x[image + row * width + column]
    }
  }
  return sum
}

function sizes(name: string, given: readonly number[], length: number): readonly number[] {
  if (Array.isArray(given) && given.length === length && given.every((n) => Number.isSafeInteger(n) && n > 0)) {
    return given
  }
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${length} whole numbers > 0, got ${describe(given)}`)
}

function sized(name: string, given: VectorLike, length: number): FloatArray {
  const vector = toVector(name, given)
  if (vector.length === length) return vector
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${length} numbers, got ${vector.length}`)
}
