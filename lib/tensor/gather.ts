import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { kernelsFor } from './backend.js'
import type { Primitive } from './primitive.js'
import { checkAxis } from './reduce.js'
import { reshape } from './shape.js'
import {
  blank,
  checkTensor,
  type DType,
  type Shape,
  sameShape,
  shapeText,
  sizeOf,
  Tensor,
  tensor,
  zeros,
} from './tensor.js'
import { apply, concrete } from './trace.js'

/** Whole numbers that name entries: an int32 tensor, an Int32Array or nested arrays. */
export type Indices = Tensor | Int32Array | readonly number[]

/**
 * The indices as an int32 tensor of numbers from 0 to length - 1: a copy, since kernels go by them long after this check.
 */
export function checkIndices(name: string, indices: Indices, length: number): Tensor {
  const given = indices instanceof Tensor ? concrete(indices) : tensor(indices, { dtype: 'int32' })
  if (given.dtype !== 'int32') {
    const came = `${given.dtype} ${shapeText(given.shape)}`
    throw new ExtremaError('ERR_DTYPE', `${name}: expected int32 indices (see cast), got ${came}`)
  }
  const data = Int32Array.from(given.data)
  for (let i = 0; i < data.length; i++) {
    if (data[i] >= 0 && data[i] < length) continue
    throw new ExtremaError('ERR_SHAPE', `${name}: expected indices from 0 to ${length - 1}, got ${data[i]}`)
  }
  return new Tensor(data, given.shape, 'int32')
}

/** Indices along one axis of a tensor. */
interface Places {
  indices: Int32Array
  axis: number
  /** Of the axis in the tensor that the indices speak of. */
  length: number
}

function withAxis(shape: Shape, axis: number, length: number): number[] {
  return shape.map((own, a) => (a === axis ? length : own))
}

function parts(shape: Shape, axis: number): [outer: number, inner: number] {
  return [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))]
}

const gatherPrimitive: Primitive<Places> = {
  name: 'gather',
  evaluate([x], { indices, axis, length }) {
    const out = blank(x.dtype, withAxis(x.shape, axis, indices.length))
    const [outer, inner] = parts(x.shape, axis)
    if (out.size > 0) kernelsFor(x.dtype, out.size).gather(out.data, x.data, indices, outer, length, inner)
    return out
  },
  jvp: (_inputs, [v], _out, places) => (v === undefined ? undefined : apply(gatherPrimitive, [v], places)),
  vjp: (g, _inputs, _out, places) => [apply(scatterPrimitive, [g], places)],
}

const scatterPrimitive: Primitive<Places> = {
  name: 'scatterAdd',
  evaluate([x], { indices, axis, length }) {
    const out = blank(x.dtype, withAxis(x.shape, axis, length))
    const [outer, inner] = parts(x.shape, axis)
    kernelsFor(x.dtype, Math.max(out.size, x.size)).scatterAdd(out.data, x.data, indices, outer, length, inner)
    return out
  },
  jvp: (_inputs, [v], _out, places) => (v === undefined ? undefined : apply(scatterPrimitive, [v], places)),
  vjp: (g, _inputs, _out, places) => [apply(gatherPrimitive, [g], places)],
}

/** The entries of x at places in its memory, in the shape of the places. */
export function gatherAt(x: Tensor, places: Tensor): Tensor {
  const all: Places = { indices: places.data as Int32Array, axis: 0, length: x.size }
  return reshape(apply(gatherPrimitive, [reshape(x, [x.size])], all), places.shape)
}

/** Zeros of that shape, to which the entries of x are added at their places. */
export function scatterAt(x: Tensor, places: Tensor, shape: Shape): Tensor {
  const all: Places = { indices: places.data as Int32Array, axis: 0, length: sizeOf(shape) }
  return reshape(apply(scatterPrimitive, [reshape(x, [x.size])], all), shape)
}

/**
 * The entries of x that the indices name along an axis (default the first), which gives way to the axes of the indices:
 * rows of a table, for one.
 */
export function gather(x: Tensor, indices: Indices, axis = 0): Tensor {
  const along = checkAxis('gather', axis, checkTensor('gather', x).rank)
  const length = x.shape[along]
  const checked = checkIndices('gather', indices, length)
  const out = apply(gatherPrimitive, [x], { indices: checked.data as Int32Array, axis: along, length })
  return reshape(out, [...x.shape.slice(0, along), ...checked.shape, ...x.shape.slice(along + 1)])
}

/**
 * A tensor of `length` along an axis (default the first) whose entry k there is the sum of the entries of x with index k.
 * One index per entry of x along the axis.
 */
export function scatterAdd(x: Tensor, indices: Indices, length: number, axis = 0): Tensor {
  const along = checkAxis('scatterAdd', axis, checkTensor('scatterAdd', x).rank)
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new ExtremaError('ERR_OPTION', `scatterAdd: expected a length >= 0, got ${describe(length)}`)
  }
  const checked = checkIndices('scatterAdd', indices, length)
  if (!sameShape(checked.shape, [x.shape[along]])) {
    const came = `${shapeText(checked.shape)} for ${shapeText(x.shape)}`
    throw new ExtremaError('ERR_SHAPE', `scatterAdd: expected ${x.shape[along]} indices, got ${came}`)
  }
  return apply(scatterPrimitive, [x], { indices: checked.data as Int32Array, axis: along, length })
}

/**
 * Entries along an axis (default the last), other ones for every place beside it: out[…, i, …] = x[…, indices[…, i, …],
 * …]. The indices have the shape of x but for that axis.
 */
export function takeAlongAxis(x: Tensor, indices: Tensor, axis = -1): Tensor {
  const along = checkAxis('takeAlongAxis', axis, checkTensor('takeAlongAxis', x).rank)
  const length = x.shape[along]
  const checked = checkIndices('takeAlongAxis', indices, length)
  const { shape } = checked
  if (!sameShape(withAxis(x.shape, along, shape[along] ?? -1), shape)) {
    const came = `${shapeText(shape)} for ${shapeText(x.shape)}`
    throw new ExtremaError(
      'ERR_SHAPE',
      `takeAlongAxis: expected indices that differ in axis ${along} only, got ${came}`,
    )
  }
  const [outer, inner] = parts(x.shape, along)
  const count = shape[along]
  const flat = new Int32Array(checked.size)
  for (let o = 0, i = 0; o < outer; o++) {
    for (let k = 0; k < count; k++) {
      for (let j = 0; j < inner; j++, i++) flat[i] = (o * length + checked.data[i]) * inner + j
    }
  }
  return gatherAt(x, new Tensor(flat, shape, 'int32'))
}

/** Rows of zeros with a one at each index: of the shape of the indices and a last axis of `depth`. */
export function oneHot(indices: Indices, depth: number, options: { dtype?: DType } = {}): Tensor {
  const checked = checkIndices('oneHot', indices, depth)
  const out = zeros([...checked.shape, depth], options)
  for (let i = 0; i < checked.size; i++) out.data[i * depth + checked.data[i]] = 1
  return out
}

/** The rows of a table (entries × width) for whole numbers of any shape. */
export function embedding(table: Tensor, indices: Indices): Tensor {
  if (checkTensor('embedding', table).rank === 2) return gather(table, indices)
  throw new ExtremaError('ERR_SHAPE', `embedding: expected a table of two axes, got ${shapeText(table.shape)}`)
}
