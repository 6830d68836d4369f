import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { kernelsFor } from './backend.js'
import { stridedPlan, stridesOf } from './broadcast.js'
import type { Primitive } from './primitive.js'
import { checkAxes, checkAxis } from './reduce.js'
import { blank, checkTensor, type Shape, sameShape, shapeText, sizeOf, type Tensor } from './tensor.js'
import { apply } from './trace.js'

const reshapePrimitive: Primitive<Shape> = {
  name: 'reshape',
  evaluate: ([x], shape) => x.view(shape),
  jvp: (_inputs, [v], _out, shape) => (v === undefined ? undefined : reshape(v, shape)),
  vjp: (g, [x]) => [reshape(g, x.shape)],
}

/** The same entries in another shape, one length of which may be -1 for what remains. Shares the memory. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const wanted = resolved(checkTensor('reshape', x), shape)
  return sameShape(x.shape, wanted) ? x : apply(reshapePrimitive, [x], wanted)
}

function resolved(x: Tensor, shape: Shape): Shape {
  if (!Array.isArray(shape)) {
    throw new ExtremaError('ERR_SHAPE', `reshape: expected a shape of whole numbers, got ${describe(shape)}`)
  }
  const open = shape.indexOf(-1)
  const known = sizeOf(shape.filter((_, axis) => axis !== open))
  const wanted = open < 0 ? shape : shape.map((length, axis) => (axis === open ? x.size / known : length))
  if (wanted.every((length) => Number.isInteger(length) && length >= 0) && sizeOf(wanted) === x.size) return wanted
  const expected = `a shape of ${x.size} numbers for ${shapeText(x.shape)}`
  throw new ExtremaError('ERR_SHAPE', `reshape: expected ${expected}, got ${shapeText(shape)}`)
}

/** Without the axes of length 1 that are named (all of them by default). */
export function squeeze(x: Tensor, axes?: number | readonly number[]): Tensor {
  const checked = axes === undefined ? undefined : checkAxes('squeeze', axes, checkTensor('squeeze', x).rank)
  for (const axis of checked ?? []) {
    if (x.shape[axis] !== 1) {
      throw new ExtremaError('ERR_SHAPE', `squeeze: expected length 1 at axis ${axis}, got ${shapeText(x.shape)}`)
    }
  }
  return reshape(
    x,
    x.shape.filter((length, axis) => (checked === undefined ? length !== 1 : !checked.includes(axis))),
  )
}

/** With a new axis of length 1, which will be number `axis` of the result. */
export function expandDims(x: Tensor, axis: number): Tensor {
  const at = checkAxis('expandDims', axis, checkTensor('expandDims', x).rank + 1)
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)])
}

const transposePrimitive: Primitive<readonly number[]> = {
  name: 'transpose',
  evaluate([x], order) {
    const own = stridesOf(x.shape)
    const shape = order.map((axis) => x.shape[axis])
    const out = blank(x.dtype, shape)
    const strides = order.map((axis) => own[axis])
    if (out.size > 0) kernelsFor(x.dtype, x.size).read(out.data, x.data, stridedPlan(shape, strides, 0))
    return out
  },
  jvp: (_inputs, [v], _out, order) => (v === undefined ? undefined : transpose(v, order)),
  vjp(g, _inputs, _out, order) {
    const back = new Array<number>(order.length)
    order.forEach((axis, i) => {
      back[axis] = i
    })
    return [transpose(g, back)]
  },
}

/** The axes in another order; reversed by default. */
export function transpose(x: Tensor, order?: readonly number[]): Tensor {
  checkTensor('transpose', x)
  const full = order ?? x.shape.map((_, axis) => x.rank - 1 - axis)
  const positive = full.map((axis) => checkAxis('transpose', axis, x.rank))
  if (full.length !== x.rank || new Set(positive).size !== x.rank) {
    const expected = `each of the ${x.rank} axes of ${shapeText(x.shape)} once`
    throw new ExtremaError('ERR_SHAPE', `transpose: expected ${expected}, got ${shapeText(full)}`)
  }
  return positive.every((axis, i) => axis === i) ? x : apply(transposePrimitive, [x], positive)
}

/** The last two axes exchanged. */
export function matrixTranspose(x: Tensor): Tensor {
  if (checkTensor('matrixTranspose', x).rank < 2) {
    throw new ExtremaError('ERR_SHAPE', `matrixTranspose: expected two axes or more, got ${shapeText(x.shape)}`)
  }
  const order = x.shape.map((_, axis) => axis)
  return transpose(x, [...order.slice(0, -2), x.rank - 1, x.rank - 2])
}

/** Entries start, start + step, … of every axis, in the shape of `sizes`. */
interface Selection {
  starts: readonly number[]
  steps: readonly number[]
  sizes: Shape
}

const slicePrimitive: Primitive<Selection> = {
  name: 'slice',
  evaluate([x], { starts, steps, sizes }) {
    const own = stridesOf(x.shape)
    const leading =
      x.rank > 0 &&
      steps.every((step) => step === 1) &&
      sizes.every((size, axis) => axis === 0 || size === x.shape[axis])
    if (leading) return x.view(sizes, starts[0] * own[0], (starts[0] + sizes[0]) * own[0])
    const out = blank(x.dtype, sizes)
    const strides = own.map((stride, axis) => stride * steps[axis])
    const offset = own.reduce((sum, stride, axis) => sum + stride * starts[axis], 0)
    if (out.size > 0) kernelsFor(x.dtype, out.size).read(out.data, x.data, stridedPlan(sizes, strides, offset))
    return out
  },
  jvp: (_inputs, [v], _out, selection) => (v === undefined ? undefined : select(v, selection)),
  vjp: (g, [x], _out, { starts, steps }) => [place(g, { starts, steps, shape: x.shape, value: 0 })],
}

/** Where the entries of a tensor go in a larger one, and the value of the others. */
interface Placement {
  starts: readonly number[]
  steps: readonly number[]
  shape: Shape
  value: number
}

const placePrimitive: Primitive<Placement> = {
  name: 'pad',
  evaluate([x], { starts, steps, shape, value }) {
    const own = stridesOf(shape)
    const out = blank(x.dtype, shape)
    out.data.fill(value)
    const strides = own.map((stride, axis) => stride * steps[axis])
    const offset = own.reduce((sum, stride, axis) => sum + stride * starts[axis], 0)
    if (x.size > 0) kernelsFor(x.dtype, x.size).write(out.data, x.data, stridedPlan(x.shape, strides, offset))
    return out
  },
  jvp: (_inputs, [v], _out, placement) => (v === undefined ? undefined : place(v, { ...placement, value: 0 })),
  vjp: (g, [x], _out, { starts, steps }) => [select(g, { starts, steps, sizes: x.shape })],
}

function select(x: Tensor, selection: Selection): Tensor {
  return apply(slicePrimitive, [x], selection)
}

function place(x: Tensor, placement: Placement): Tensor {
  return apply(placePrimitive, [x], placement)
}

/**
 * What to take of an axis: all (`undefined`), one entry (a number: the axis goes away), or [from, to), every `step`-th.
 * Negative numbers count from the end, and a negative step goes backward from `from` to above `to`.
 */
export type Range = number | readonly [from: number, to: number, step?: number] | undefined

/** A part of the tensor, one range per axis; missing ones take all. Shares the memory if only the first axis is cut. */
export function slice(x: Tensor, ranges: readonly Range[]): Tensor {
  if (ranges.length > checkTensor('slice', x).rank) {
    const expected = `at most ${x.rank} ranges for shape ${shapeText(x.shape)}`
    throw new ExtremaError('ERR_SHAPE', `slice: expected ${expected}, got ${ranges.length}`)
  }
  const starts: number[] = []
  const steps: number[] = []
  const sizes: number[] = []
  x.shape.forEach((length, axis) => {
    const [start, step, size] = resolveRange(ranges[axis], length, axis)
    starts.push(start)
    steps.push(step)
    sizes.push(size)
  })
  const whole = sameShape(sizes, x.shape) && steps.every((step) => step === 1)
  const part = whole ? x : select(x, { starts, steps, sizes })
  return reshape(
    part,
    sizes.filter((_, axis) => typeof ranges[axis] !== 'number'),
  )
}

function resolveRange(range: Range, length: number, axis: number): [start: number, step: number, size: number] {
  if (range === undefined) return [0, 1, length]
  if (typeof range === 'number') {
    const at = range < 0 ? range + length : range
    if (Number.isInteger(at) && at >= 0 && at < length) return [at, 1, 1]
    throw new ExtremaError('ERR_SHAPE', `slice: expected an index below ${length} for axis ${axis}, got ${range}`)
  }
  const [from, to, step = 1] = range
  if (![from, to, step].every(Number.isInteger) || step === 0) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `slice: expected [from, to, step?] for axis ${axis}, got ${shapeText([from, to, step])}`,
    )
  }
  const [lowest, highest] = step > 0 ? [0, length] : [-1, length - 1]
  const within = (i: number): number => Math.min(highest, Math.max(lowest, i < 0 ? i + length : i))
  const start = within(from)
  const size = Math.max(0, Math.ceil((within(to) - start) / step))
  return [size === 0 ? 0 : start, step, size]
}

/** The axes backward (all by default). */
export function flip(x: Tensor, axes?: number | readonly number[]): Tensor {
  const checked = checkAxes('flip', axes, checkTensor('flip', x).rank)
  const backward = (axis: number): boolean => checked.includes(axis) && x.shape[axis] > 0
  return select(x, {
    starts: x.shape.map((length, axis) => (backward(axis) ? length - 1 : 0)),
    steps: x.shape.map((_, axis) => (backward(axis) ? -1 : 1)),
    sizes: x.shape,
  })
}

/** More entries of one value before and after each axis: `widths[axis] = [before, after]`. */
export function pad(x: Tensor, widths: readonly (readonly [number, number])[], value = 0): Tensor {
  const right = widths.every(
    (pair) => pair.length === 2 && pair.every((width) => Number.isInteger(width) && width >= 0),
  )
  if (widths.length !== checkTensor('pad', x).rank || !right) {
    const expected = `[before, after] for each axis of ${shapeText(x.shape)}`
    throw new ExtremaError('ERR_SHAPE', `pad: expected ${expected}, got ${JSON.stringify(widths)}`)
  }
  return place(x, {
    starts: widths.map(([before]) => before),
    steps: widths.map(() => 1),
    shape: x.shape.map((length, axis) => widths[axis][0] + length + widths[axis][1]),
    value,
  })
}
