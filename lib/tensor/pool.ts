import { ExtremaError } from '../core/errors.js'
import { checkNames } from '../core/options.js'
import { kernelsFor } from './backend.js'
import { checkFloat } from './broadcast.js'
import { conv1d, conv2d, conv3d } from './conv.js'
import { mul } from './elementwise.js'
import { gatherAt, scatterAt } from './gather.js'
import type { MultiPrimitive } from './primitive.js'
import { mean } from './reduce.js'
import { reshape } from './shape.js'
import { blank, ones, shapeText, sizeOf, type Tensor } from './tensor.js'
import { applyMany } from './trace.js'
import { geometryOf, type Padding, type PerAxis, perAxis, spatialAxes, type Windows, windowsOver } from './window.js'

export interface PoolOptions {
  /** How far the window moves. Default: its own size. */
  stride?: PerAxis
  /** Entries that are not there, less than the window at each end: they never count. Default 'valid'. */
  padding?: Padding
}

const poolNames: ReadonlySet<string> = new Set(['stride', 'padding'])

function poolWindows(name: string, x: Tensor, axes: number, window: PerAxis, options: PoolOptions): Windows {
  checkNames(name, options, poolNames)
  checkFloat(name, x)
  const input = spatialAxes(name, x, axes)
  const kernel = perAxis(`${name}.window`, window, 1, axes)
  const stride = options.stride === undefined ? kernel : perAxis(`${name}.stride`, options.stride, 1, axes)
  const flat = kernel.map(() => 1)
  const windows = windowsOver(name, input, kernel, stride, flat, options.padding)
  if (windows === undefined || input.includes(0)) {
    const came = `${shapeText(x.shape)} and ${shapeText(kernel)}`
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a window that fits into the padded input, got ${came}`)
  }
  const { before, output } = windows
  // Each window has to see something.
  const seen = kernel.every(
    (length, axis) => before[axis] < length && (output[axis] - 1) * stride[axis] - before[axis] < input[axis],
  )
  if (seen) return windows
  const came = `${JSON.stringify(options.padding)} for a window of ${shapeText(kernel)}`
  throw new ExtremaError('ERR_OPTION', `${name}.padding: expected less than the window, got ${came}`)
}

/** The values, and their places in x. */
const maxPoolPrimitive: MultiPrimitive<Windows> = {
  name: 'maxPool',
  evaluate([x], windows) {
    const [batch, channels] = x.shape
    const shape = [batch, channels, ...windows.output]
    const [out, places] = [blank(x.dtype, shape), blank('int32', shape)]
    if (out.size > 0) {
      const geometry = geometryOf(windows, batch, 1, channels, 1)
      kernelsFor(x.dtype, x.size).maxPool(out.data, places.data as Int32Array, x.data, geometry)
    }
    return [out, places]
  },
  jvp: (_inputs, [v], [, places]) => [v === undefined ? undefined : gatherAt(v, places), undefined],
  vjp: ([g], [x], [, places]) => [g === undefined ? undefined : scatterAt(g, places, x.shape)],
}

function maxPool(axes: number) {
  const name = `maxPool${axes}d`
  return (x: Tensor, window: PerAxis, options: PoolOptions = {}): Tensor =>
    applyMany(maxPoolPrimitive, [x], poolWindows(name, x, axes, window, options))[0]
}

const convolutions = [conv1d, conv2d, conv3d]

function avgPool(axes: number) {
  const name = `avgPool${axes}d`
  return (x: Tensor, window: PerAxis, options: PoolOptions = {}): Tensor => {
    const windows = poolWindows(name, x, axes, window, options)
    const { input, output, kernel, stride } = windows
    const [batch, channels] = x.shape
    const sums = convolutions[axes - 1](
      reshape(x, [batch * channels, 1, ...input]),
      ones([1, 1, ...kernel], { dtype: x.dtype }),
      { stride, padding: options.padding },
    )
    return mul(reshape(sums, [batch, channels, ...output]), sharesOf(windows, x))
  }
}

/** One over the number of entries that each window sees. */
function sharesOf({ input, output, kernel, stride, before }: Windows, { dtype }: Tensor): Tensor {
  const counts = output.map((places, axis) =>
    Array.from({ length: places }, (_, o) => {
      const start = o * stride[axis] - before[axis]
      return Math.min(input[axis], start + kernel[axis]) - Math.max(0, start)
    }),
  )
  const shares = blank(dtype, output)
  const { data } = shares
  let inner = 1
  data.fill(1)
  for (let axis = output.length - 1; axis >= 0; axis--) {
    for (let i = 0; i < data.length; i++) data[i] /= counts[axis][Math.floor(i / inner) % output[axis]]
    inner *= output[axis]
  }
  return shares
}

/**
 * The largest entry of each window of x [batch, channels, length]. Padding is never the largest. Of equal entries the first
 * has the derivative, all of it; NaN in, NaN out.
 *
 * @throws ExtremaError `ERR_SHAPE` for a window that does not fit, `ERR_DTYPE` for int32, `ERR_OPTION`
 */
export const maxPool1d = maxPool(1)
/** `maxPool1d` over windows of height × width. */
export const maxPool2d = maxPool(2)
/** `maxPool1d` over windows of three axes. */
export const maxPool3d = maxPool(3)

/**
 * The mean of each window of x [batch, channels, length], over the entries that are there: padding does not count.
 *
 * @throws ExtremaError as `maxPool1d`
 */
export const avgPool1d = avgPool(1)
/** `avgPool1d` over windows of height × width. */
export const avgPool2d = avgPool(2)
/** `avgPool1d` over windows of three axes. */
export const avgPool3d = avgPool(3)

/** The mean of each channel of x [batch, channels, …] over all its places: [batch, channels]. */
export function globalAveragePool(x: Tensor): Tensor {
  checkFloat('globalAveragePool', x)
  if (x.rank < 3) {
    const expected = 'an input of shape [batch, channels, …]'
    throw new ExtremaError('ERR_SHAPE', `globalAveragePool: expected ${expected}, got ${shapeText(x.shape)}`)
  }
  const [batch, channels] = x.shape
  return mean(reshape(x, [batch, channels, sizeOf(x.shape.slice(2))]), 2)
}
