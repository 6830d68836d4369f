import { ExtremaError } from '../core/errors.js'
import { kernelsFor } from './backend.js'
import { takeAlongAxis } from './gather.js'
import type { Primitive } from './primitive.js'
import { checkAxis } from './reduce.js'
import { slice } from './shape.js'
import { blank, checkTensor, type Shape, shapeText, sizeOf, type Tensor } from './tensor.js'
import { apply, concrete } from './trace.js'

function parts(shape: Shape, axis: number): [outer: number, length: number, inner: number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))]
}

function place(name: string, largest: boolean) {
  return (x: Tensor, axis = -1): Tensor => {
    const along = checkAxis(name, axis, checkTensor(name, x).rank)
    const [outer, length, inner] = parts(x.shape, along)
    if (length === 0) {
      const expected = `at least one number along axis ${along}`
      throw new ExtremaError('ERR_SHAPE', `${name}: expected ${expected}, got ${shapeText(x.shape)}`)
    }
    const shape = x.shape.filter((_, a) => a !== along)
    const out = blank('int32', shape)
    kernelsFor(x.dtype, x.size).argReduce(largest, out.data as Int32Array, x.data, outer, length, inner)
    return out
  }
}

/** Where the largest entry along an axis (default the last) is: the first of equal ones, NaN if there is one. */
export const argmax = place('argmax', true)
/** Where the smallest entry along an axis (default the last) is. */
export const argmin = place('argmin', false)

/** The places of the entries along an axis (default the last) in ascending order; equal ones keep theirs, NaN is last. */
export function argsort(x: Tensor, axis = -1, { descending = false } = {}): Tensor {
  const along = checkAxis('argsort', axis, checkTensor('argsort', x).rank)
  const [outer, length, inner] = parts(x.shape, along)
  const { data } = concrete(x)
  const out = blank('int32', x.shape)
  const sign = descending ? -1 : 1
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const start = o * length * inner + i
      const key = (k: number): number => data[start + k * inner]
      const order = Array.from({ length }, (_, k) => k).sort((a, b) => compare(key(a), key(b), sign) || a - b)
      order.forEach((k, rank) => {
        out.data[start + rank * inner] = k
      })
    }
  }
  return out
}

function compare(a: number, b: number, sign: number): number {
  if (a < b) return -sign
  if (a > b) return sign
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
}

/** The entries along an axis (default the last) in ascending order. Derivatives go with the entries. */
export function sort(x: Tensor, axis = -1, options: { descending?: boolean } = {}): Tensor {
  return takeAlongAxis(x, argsort(x, axis, options), axis)
}

export interface TopK {
  /** Descending. Derivatives go through them. */
  values: Tensor
  indices: Tensor
}

/** The k largest entries along an axis (default the last) and their places. */
export function topK(x: Tensor, k: number, axis = -1): TopK {
  const along = checkAxis('topK', axis, checkTensor('topK', x).rank)
  if (!Number.isInteger(k) || k < 0 || k > x.shape[along]) {
    throw new ExtremaError('ERR_OPTION', `topK: expected k from 0 to ${x.shape[along]}, got ${k}`)
  }
  const order = argsort(x, along, { descending: true })
  const indices = slice(
    order,
    order.shape.map((length, a) => [0, a === along ? k : length]),
  )
  return { values: takeAlongAxis(x, indices, along), indices }
}

interface Run {
  axis: number
  reverse: boolean
}

const cumsumPrimitive: Primitive<Run> = {
  name: 'cumsum',
  evaluate([x], { axis, reverse }) {
    const out = blank(x.dtype, x.shape)
    const [outer, length, inner] = parts(x.shape, axis)
    if (x.size > 0) kernelsFor(x.dtype, x.size).cumsum(out.data, x.data, outer, length, inner, reverse)
    return out
  },
  jvp: (_inputs, [v], _out, run) => (v === undefined ? undefined : apply(cumsumPrimitive, [v], run)),
  vjp: (g, _inputs, _out, { axis, reverse }) => [apply(cumsumPrimitive, [g], { axis, reverse: !reverse })],
}

/** Running sums along an axis (default the last), from its end if `reverse`. */
export function cumsum(x: Tensor, axis = -1, { reverse = false } = {}): Tensor {
  return apply(cumsumPrimitive, [x], { axis: checkAxis('cumsum', axis, checkTensor('cumsum', x).rank), reverse })
}
