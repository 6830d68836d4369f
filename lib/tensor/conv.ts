import { type ConvolutionOp, convolutionOps, type TensorData } from '../backend/tensor.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, whole } from '../core/options.js'
import { type DType, refuseSize } from './arena.js'
import { kernelsFor } from './backend.js'
import { checkFloat, checkSameDType } from './broadcast.js'
import { sumOf } from './elementwise.js'
import type { MaybeZero, Primitive } from './primitive.js'
import { blank, type Shape, shapeText, sizeOf, type Tensor } from './tensor.js'
import { apply } from './trace.js'
import {
  geometryOf,
  type Padding,
  type PerAxis,
  paddingOf,
  perAxis,
  span,
  type Windows,
  windowsOver,
} from './window.js'

export interface ConvOptions {
  /** How far the window moves from one output to the next. Default 1. */
  stride?: PerAxis
  /** Default 'valid'. */
  padding?: Padding
  /** Distance of the entries that neighbouring taps see. Default 1. */
  dilation?: PerAxis
  /** Channels and filters are divided into so many groups, which do not see each other. Default 1. */
  groups?: number
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Entries added at the end of each axis, fewer than the stride. Default 0; 'same' chooses it. */
  outputPadding?: PerAxis
}

/** One convolution y = w * x, whose three members determine each other's shapes. */
interface Convolution {
  x: Shape
  w: Shape
  y: Shape
  geometry: Int32Array
  /** Numbers of workspace. */
  work: number
}

/** Numbers of workspace, as long as that is room for the patches of 32 places: 2 MiB in float64. */
const usualWork = 2 ** 18

function convolution(x: Shape, w: Shape, y: Shape, groups: number, windows: Windows): Convolution {
  const [channels, filters] = [w[1], w[0] / groups]
  const work = Math.max(usualWork, 32 * (channels * sizeOf(windows.kernel) + filters))
  return { x, w, y, geometry: geometryOf(windows, x[0], groups, channels, filters), work }
}

/** Kernels are done with it when they return: one piece of memory serves all. */
const workspaces: Partial<Record<DType, TensorData>> = {}

function workspace(dtype: DType, n: number): TensorData {
  const kept = workspaces[dtype]
  if (kept !== undefined && kept.length >= n) return kept.subarray(0, n)
  let made: TensorData
  try {
    made = dtype === 'float32' ? new Float32Array(n) : new Float64Array(n)
  } catch (cause) {
    return refuseSize(n, cause)
  }
  if (n <= usualWork) workspaces[dtype] = made
  return made
}

/** The three products of a convolution are linear in both factors, and each is the derivative of the others. */
function product(
  name: ConvolutionOp,
  target: 'x' | 'w' | 'y',
  vjp: (g: Tensor, a: Tensor, b: Tensor, c: Convolution) => [() => Tensor, () => Tensor],
): Primitive<Convolution> {
  const op = convolutionOps.indexOf(name)
  const primitive: Primitive<Convolution> = {
    name,
    evaluate([a, b], c) {
      const out = blank(a.dtype, c[target])
      if (out.size === 0) return out
      if (a.size === 0 || b.size === 0) {
        out.data.fill(0)
        return out
      }
      const kernels = kernelsFor(a.dtype, Math.max(out.size, a.size, b.size))
      kernels.convolution(op, out.data, a.data, b.data, c.geometry, workspace(a.dtype, c.work))
      return out
    },
    jvp([a, b], [u, v], _out, c): MaybeZero {
      const first = u === undefined ? undefined : apply(primitive, [u, b], c)
      const second = v === undefined ? undefined : apply(primitive, [a, v], c)
      return sumOf(first, second)
    },
    vjp(g, [a, b], _out, c, needs) {
      const [first, second] = vjp(g, a, b, c)
      return [needs[0] ? first() : undefined, needs[1] ? second() : undefined]
    },
  }
  return primitive
}

/** y of x and w */
const convPrimitive = product('conv', 'y', (g, x, w, c) => [
  () => apply(transposePrimitive, [g, w], c),
  () => apply(weightPrimitive, [x, g], c),
])
/** The cotangent of x for that of y, and w. */
const transposePrimitive = product('convTranspose', 'x', (g, y, w, c) => [
  () => apply(convPrimitive, [g, w], c),
  () => apply(weightPrimitive, [g, y], c),
])
/** The cotangent of w for x, and that of y. */
const weightPrimitive = product('convWeight', 'w', (g, x, y, c) => [
  () => apply(transposePrimitive, [y, g], c),
  () => apply(convPrimitive, [x, g], c),
])

const convNames: ReadonlySet<string> = new Set(['stride', 'padding', 'dilation', 'groups'])
const transposeNames: ReadonlySet<string> = new Set([...convNames, 'outputPadding'])

/** Checks the operands. `divided`: the axis of the weights that counts the channels of one group of the input. */
function checkOperands(name: string, x: Tensor, w: Tensor, axes: number, groups: number, order: string): void {
  checkSameDType(name, x, w)
  checkFloat(name, x)
  const fits = x.rank === axes + 2 && w.rank === axes + 2 && w.shape.slice(2).every((length) => length > 0)
  const transposed = order.startsWith('[channels')
  const perGroup = transposed ? w.shape[0] / groups : w.shape[1]
  if (fits && x.shape[1] === perGroup * groups && w.shape[0] % groups === 0) return
  const spatial = axes === 1 ? 'length' : `${axes} axes`
  const expected = `[batch, channels, ${spatial}] and weights ${order}, ${axes === 1 ? 'taps' : `${axes} axes`}]`
  const grouped = groups === 1 ? '' : ` in ${groups} groups`
  throw new ExtremaError(
    'ERR_SHAPE',
    `${name}: expected ${expected}${grouped}, got ${shapeText(x.shape)} and ${shapeText(w.shape)}`,
  )
}

function conv(axes: number) {
  const name = `conv${axes}d`
  return (x: Tensor, w: Tensor, options: ConvOptions = {}): Tensor => {
    checkNames(name, options, convNames)
    const groups = whole(`${name}.groups`, options.groups, 1, 1)
    checkOperands(name, x, w, axes, groups, '[filters, channels / groups')
    const stride = perAxis(`${name}.stride`, options.stride, 1, axes)
    const dilation = perAxis(`${name}.dilation`, options.dilation, 1, axes)
    const windows = windowsOver(name, x.shape.slice(2), w.shape.slice(2), stride, dilation, options.padding)
    if (windows === undefined) {
      const came = `${shapeText(x.shape)} and ${shapeText(w.shape)}`
      throw new ExtremaError('ERR_SHAPE', `${name}: expected weights that fit into the padded input, got ${came}`)
    }
    const y = [x.shape[0], w.shape[0], ...windows.output]
    return apply(convPrimitive, [x, w], convolution(x.shape, w.shape, y, groups, windows))
  }
}

function convTranspose(axes: number) {
  const name = `convTranspose${axes}d`
  return (y: Tensor, w: Tensor, options: ConvTransposeOptions = {}): Tensor => {
    checkNames(name, options, transposeNames)
    const groups = whole(`${name}.groups`, options.groups, 1, 1)
    checkOperands(name, y, w, axes, groups, '[channels, filters / groups')
    const stride = perAxis(`${name}.stride`, options.stride, 1, axes)
    const dilation = perAxis(`${name}.dilation`, options.dilation, 1, axes)
    const [output, kernel] = [y.shape.slice(2), w.shape.slice(2)]
    const spans = kernel.map((length, axis) => span(length, dilation[axis]))
    const pairs = paddingOf(name, options.padding, axes, (axis) => spans[axis] - stride[axis])
    const extra = outputPadding(name, options, stride, spans)
    const input = output.map(
      (length, axis) => (length - 1) * stride[axis] + spans[axis] - pairs[axis][0] - pairs[axis][1] + extra[axis],
    )
    if (output.includes(0) || input.some((length) => length < 1)) {
      const came = `${shapeText(y.shape)} and ${shapeText(w.shape)}`
      throw new ExtremaError(
        'ERR_SHAPE',
        `${name}: expected an output of positive lengths without its padding, got ${came}`,
      )
    }
    const before = pairs.map(([width]) => width)
    const x = [y.shape[0], w.shape[1] * groups, ...input]
    const windows: Windows = { input, output, kernel, stride, dilation, before }
    return apply(transposePrimitive, [y, w], convolution(x, w.shape, y.shape, groups, windows))
  }
}

function outputPadding(name: string, options: ConvTransposeOptions, stride: Shape, spans: Shape): number[] {
  const { padding, outputPadding: given } = options
  if (padding === 'same') {
    if (given === undefined) return stride.map((step, axis) => Math.max(0, step - spans[axis]))
    throw new ExtremaError('ERR_OPTION', `${name}.outputPadding: expected none beside the padding 'same', got one`)
  }
  const list = Array.isArray(given) ? given : stride.map(() => given ?? 0)
  if (
    list.length === stride.length &&
    list.every((width, axis) => Number.isInteger(width) && width >= 0 && width < stride[axis])
  ) {
    return list
  }
  const expected = `a whole number from 0 to below the stride ${shapeText(stride)}, or one for each axis`
  throw new ExtremaError('ERR_OPTION', `${name}.outputPadding: expected ${expected}, got ${JSON.stringify(given)}`)
}

/**
 * y_{b,f,o} = Σ_{c,k} w_{f,c,k} x_{b,c,o·stride - before + k·dilation} (a correlation, as in all libraries of nets) for x
 * of shape [batch, channels, length] and w of shape [filters, channels / groups, taps]: of shape [batch, filters, ⌊(length +
 * padding - dilation (taps - 1) - 1) / stride⌋ + 1]. float64 or float32.
 *
 * Patches of x are laid out as columns and multiplied by the weights, for some places at a time; with stride 1, and where
 * every channel has its own few filters, those are applied directly. Whatever the size of x, this takes 2¹⁸ numbers (2
 * MiB in float64) besides the result, or 32 patches where that is more.
 *
 * @throws ExtremaError `ERR_SHAPE` for operands that do not fit each other, `ERR_DTYPE` for different dtypes and int32,
 *   `ERR_OPTION`
 */
export const conv1d = conv(1)
/** `conv1d` over two axes: x [batch, channels, height, width], w [filters, channels / groups, height, width]. */
export const conv2d = conv(2)
/** `conv1d` over three axes. */
export const conv3d = conv(3)

/**
 * The transpose of `conv1d` as a linear map of x, with the same weights: y of shape [batch, channels, length] and w of
 * shape [channels, filters / groups, taps] give [batch, filters, (length - 1) stride + dilation (taps - 1) + 1 - padding +
 * outputPadding]; 'same' gives length · stride. So it is the gradient of `conv1d`, and it spreads what a strided
 * convolution has gathered.
 *
 * @throws ExtremaError as `conv1d`
 */
export const convTranspose1d = convTranspose(1)
/** `convTranspose1d` over two axes. */
export const convTranspose2d = convTranspose(2)
/** `convTranspose1d` over three axes. */
export const convTranspose3d = convTranspose(3)
