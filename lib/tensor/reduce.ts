import { type ReduceOp, reduceOps } from '../backend/tensor.js'
import { ExtremaError } from '../core/errors.js'
import { kernelsFor } from './backend.js'
import { checkFloat, stridedPlan, stridesOf } from './broadcast.js'
import { cast, div, equal, exp, mul, sqrt, square, sub, where } from './elementwise.js'
import { concat } from './index-ops.js'
import type { Primitive } from './primitive.js'
import { reshape, slice, transpose } from './shape.js'
import {
  blank,
  checkShape,
  checkTensor,
  type Shape,
  sameShape,
  scalar,
  shapeText,
  sizeOf,
  type Tensor,
} from './tensor.js'
import { apply } from './trace.js'

/** One axis or several, negative ones counted from the last; all by default. */
export type Axes = number | readonly number[]

export interface ReduceOptions {
  /** Leave the axes in place with length 1. Default false. */
  keepDims?: boolean
}

export function checkAxis(name: string, axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis
  if (Number.isInteger(positive) && positive >= 0 && positive < rank) return positive
  throw new ExtremaError('ERR_SHAPE', `${name}: expected an axis from ${-rank} to ${rank - 1}, got ${axis}`)
}

export function checkAxes(name: string, axes: Axes | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis)
  const list = typeof axes === 'number' ? [axes] : axes
  const checked = list.map((axis) => checkAxis(name, axis, rank)).sort((a, b) => a - b)
  checked.forEach((axis, i) => {
    if (axis === checked[i + 1]) {
      throw new ExtremaError('ERR_SHAPE', `${name}: expected different axes, got ${shapeText(list)}`)
    }
  })
  return checked
}

/** The shape with the axes at length 1. */
function keptShape(shape: Shape, axes: readonly number[]): number[] {
  const kept = [...shape]
  for (const axis of axes) kept[axis] = 1
  return kept
}

/**
 * Reductions over the axes of a run; the result keeps them with length 1. Axes that are no run are brought together by a
 * transpose first.
 */
function reducePrimitive(
  op: ReduceOp,
  rules: Pick<Primitive<readonly number[]>, 'jvp' | 'vjp'>,
): Primitive<readonly number[]> {
  const code = reduceOps.indexOf(op)
  return {
    name: op,
    evaluate([x], axes) {
      const { shape } = x
      if (op === 'logSumExp' || op === 'norm') checkFloat(op, x)
      const length = sizeOf(axes.map((axis) => shape[axis]))
      if (length === 0 && (op === 'max' || op === 'min')) {
        throw new ExtremaError(
          'ERR_SHAPE',
          `${op}: expected at least one number along the axes, got shape ${shapeText(shape)}`,
        )
      }
      const out = blank(x.dtype, keptShape(shape, axes))
      if (op === 'sum' && x.dtype !== 'int32' && sumAround(out, x, axes)) return out
      const first = axes[0] ?? 0
      const last = axes[axes.length - 1] ?? -1
      let lastAligned = x
      let inner = sizeOf(shape.slice(last + 1))
      if (last - first + 1 !== axes.length) {
        const others = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis))
        lastAligned = transpose(x, [...others, ...axes])
        inner = 1
      }
      kernelsFor(x.dtype, x.size).reduce(code, out.data, lastAligned.data, out.size / inner, length, inner)
      return out
    },
    ...rules,
  }
}

/** Sums over the first and the last axes at once, if these are the axes: no transpose, and one rounding. */
function sumAround(out: Tensor, x: Tensor, axes: readonly number[]): boolean {
  const first = axes.findIndex((axis, i) => axis !== i)
  if (first <= 0) return false
  const kept = axes[first] - first
  if (axes.some((axis, i) => axis !== (i < first ? i : i + kept)) || axes.length + kept !== x.rank) return false
  const outer = sizeOf(x.shape.slice(0, first))
  const inner = sizeOf(x.shape.slice(first + kept))
  const sums = new Float64Array(out.size)
  kernelsFor(x.dtype, x.size).channelSums(sums, x.data, outer, out.size, inner)
  out.data.set(sums)
  return true
}

const sumPrimitive = reducePrimitive('sum', {
  jvp: (_inputs, [v], _out, axes) => (v === undefined ? undefined : apply(sumPrimitive, [v], axes)),
  vjp: (g, [x]) => [broadcastTo(g, x.shape)],
})

/** d max = Σ w dx with w = 1 at the largest entry, shared evenly between equal ones. */
function extreme(op: 'max' | 'min'): Primitive<readonly number[]> {
  const weights = (x: Tensor, out: Tensor, axes: readonly number[]): Tensor => {
    const hits = cast(equal(x, out), x.dtype)
    return div(hits, apply(sumPrimitive, [hits], axes))
  }
  return reducePrimitive(op, {
    jvp: ([x], [v], out, axes) =>
      v === undefined ? undefined : apply(sumPrimitive, [mul(v, weights(x, out, axes))], axes),
    vjp: (g, [x], out, axes) => [mul(g, weights(x, out, axes))],
  })
}
const maxPrimitive = extreme('max')
const minPrimitive = extreme('min')

const logSumExpPrimitive = reducePrimitive('logSumExp', {
  jvp: ([x], [v], out, axes) => (v === undefined ? undefined : apply(sumPrimitive, [mul(v, shares(x, out))], axes)),
  vjp: (g, [x], out) => [mul(g, shares(x, out))],
})

/** exp(x - logSumExp x), and 0 where all is -∞. */
function shares(x: Tensor, out: Tensor): Tensor {
  const none = equal(out, Number.NEGATIVE_INFINITY)
  return exp(sub(x, where(none, scalar(0, x.dtype), out)))
}

const normPrimitive = reducePrimitive('norm', {
  jvp: ([x], [v], out, axes) => (v === undefined ? undefined : apply(sumPrimitive, [mul(v, direction(x, out))], axes)),
  vjp: (g, [x], out) => [mul(g, direction(x, out))],
})

/** x / ‖x‖, and 0 for x = 0. */
function direction(x: Tensor, norm: Tensor): Tensor {
  return div(x, where(equal(norm, 0), scalar(1, x.dtype), norm))
}

function reduction(name: string, primitive: Primitive<readonly number[]>) {
  return (x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor => {
    const checked = checkAxes(name, axes, checkTensor(name, x).rank)
    return dropped(apply(primitive, [x], checked), checked, options)
  }
}

function dropped(kept: Tensor, axes: readonly number[], { keepDims = false }: ReduceOptions): Tensor {
  return keepDims
    ? kept
    : reshape(
        kept,
        kept.shape.filter((_, axis) => !axes.includes(axis)),
      )
}

/** The sum over axes (all by default). Kept in float64 for float32 entries. */
export const sum = reduction('sum', sumPrimitive)
/** The largest entry over axes; entries that share it share its derivative. */
export const max = reduction('max', maxPrimitive)
/** The smallest entry over axes; entries that share it share its derivative. */
export const min = reduction('min', minPrimitive)
/** log Σ exp x over axes, without overflow. */
export const logSumExp = reduction('logSumExp', logSumExpPrimitive)
/** √Σ x² over axes, without overflow; its derivative at x = 0 is taken as 0. */
export const norm = reduction('norm', normPrimitive)

/** The mean over axes. */
export function mean(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  const count = sizeOf(checkAxes('mean', axes, checkTensor('mean', x).rank).map((axis) => x.shape[axis]))
  if (count === 0) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `mean: expected at least one number along the axes, got shape ${shapeText(x.shape)}`,
    )
  }
  return div(sum(x, axes, options), count)
}

export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the count in the divisor: 1 for the unbiased estimate. Default 0. */
  correction?: number
}

/** The variance over axes. */
export function variance(x: Tensor, axes?: Axes, options: VarianceOptions = {}): Tensor {
  const { correction = 0 } = options
  const count = sizeOf(checkAxes('variance', axes, checkTensor('variance', x).rank).map((axis) => x.shape[axis]))
  if (!(count - correction > 0)) {
    const expected = `more than ${correction} numbers along the axes`
    throw new ExtremaError('ERR_SHAPE', `variance: expected ${expected}, got shape ${shapeText(x.shape)}`)
  }
  const centred = sub(x, mean(x, axes, { keepDims: true }))
  return div(sum(square(centred), axes, options), count - correction)
}

/** The root of `variance`. */
export function standardDeviation(x: Tensor, axes?: Axes, options: VarianceOptions = {}): Tensor {
  return sqrt(variance(x, axes, options))
}

/**
 * The product over axes, 1 for none. Factors are multiplied in pairs, so that its derivatives are right where factors
 * are 0.
 */
export function prod(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  const checked = checkAxes('prod', axes, checkTensor('prod', x).rank)
  let product = x
  for (const axis of checked) product = productAlong(product, axis)
  return dropped(product, checked, options)
}

function productAlong(x: Tensor, axis: number): Tensor {
  let product = x
  for (let length = x.shape[axis]; length !== 1; length = product.shape[axis]) {
    if (length === 0) return broadcastTo(scalar(1, x.dtype), keptShape(x.shape, [axis]))
    const half = length >> 1
    const part = (from: number, to: number): Tensor =>
      slice(
        product,
        product.shape.map((end, a) => (a === axis ? [from, to] : [0, end])),
      )
    const pairs = mul(part(0, half), part(half, 2 * half))
    product = length % 2 === 0 ? pairs : concat([pairs, part(length - 1, length)], axis)
  }
  return product
}

const broadcastPrimitive: Primitive<Shape> = {
  name: 'broadcastTo',
  evaluate([x], shape) {
    const rank = shape.length
    const own = stridesOf(x.shape)
    const lead = rank - x.shape.length
    const strides = shape.map((_, axis) => (axis < lead || x.shape[axis - lead] === 1 ? 0 : own[axis - lead]))
    const out = blank(x.dtype, shape)
    if (out.size > 0) kernelsFor(x.dtype, out.size).read(out.data, x.data, stridedPlan(shape, strides, 0))
    return out
  },
  jvp: (_inputs, [v], _out, shape) => (v === undefined ? undefined : broadcastTo(v, shape)),
  vjp: (g, [x]) => [sumTo(g, x.shape)],
}

/** The tensor repeated to a larger shape: axes are matched from the last, those of length 1 repeat. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (checkTensor('broadcastTo', x).shape === shape) return x
  const checked = checkShape('broadcastTo', shape)
  if (sameShape(x.shape, checked)) return x
  const lead = checked.length - x.rank
  if (lead < 0 || x.shape.some((length, axis) => length !== 1 && length !== checked[axis + lead])) {
    const expected = `a shape that broadcasts to ${shapeText(checked)}`
    throw new ExtremaError('ERR_SHAPE', `broadcastTo: expected ${expected}, got ${shapeText(x.shape)}`)
  }
  return apply(broadcastPrimitive, [x], checked)
}

/** Undoes a broadcast: sums over the axes that `shape` does not have or has with length 1. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x
  const lead = x.rank - shape.length
  const axes: number[] = []
  for (let axis = 0; axis < x.rank; axis++) {
    if (axis < lead || (shape[axis - lead] === 1 && x.shape[axis] !== 1)) axes.push(axis)
  }
  return reshape(apply(sumPrimitive, [x], axes), shape)
}
