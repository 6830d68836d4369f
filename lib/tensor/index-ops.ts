import { ExtremaError } from '../core/errors.js'
import { kernelsFor } from './backend.js'
import { checkSameDType, stridedPlan, stridesOf } from './broadcast.js'
import type { Primitive } from './primitive.js'
import { broadcastTo, checkAxis } from './reduce.js'
import { type Range, reshape, slice } from './shape.js'
import { blank, checkTensor, type Shape, sameShape, shapeText, type Tensor } from './tensor.js'
import { apply } from './trace.js'

const concatPrimitive: Primitive<number> = {
  name: 'concat',
  evaluate(parts, axis) {
    const [first] = parts
    const length = parts.reduce((total, part) => total + part.shape[axis], 0)
    const shape = first.shape.map((own, a) => (a === axis ? length : own))
    const out = blank(first.dtype, shape)
    const strides = stridesOf(shape)
    let start = 0
    for (const part of parts) {
      if (part.size > 0) {
        const plan = stridedPlan(part.shape, strides, start * strides[axis])
        kernelsFor(part.dtype, part.size).write(out.data, part.data, plan)
      }
      start += part.shape[axis]
    }
    return out
  },
  jvp(inputs, tangents, _out, axis) {
    const all = tangents.map((tangent, i) => tangent ?? zeroLike(inputs[i]))
    return apply(concatPrimitive, all, axis)
  },
  vjp(g, inputs, _out, axis, needs) {
    let start = 0
    return inputs.map((input, i) => {
      const range: Range = [start, start + input.shape[axis]]
      start += input.shape[axis]
      return needs[i] ? slice(g, cut(axis, range)) : undefined
    })
  },
}

/** Ranges that cut one axis only. */
function cut(axis: number, range: Range): Range[] {
  const ranges: Range[] = new Array(axis).fill(undefined)
  ranges.push(range)
  return ranges
}

function zeroLike({ dtype, shape }: Tensor): Tensor {
  const out = blank(dtype, shape)
  out.data.fill(0)
  return out
}

/** The tensors one behind the other along an axis, default 0; their other axes are equal. */
export function concat(parts: readonly Tensor[], axis = 0): Tensor {
  if (parts.length === 0) throw new ExtremaError('ERR_SHAPE', 'concat: expected at least one tensor, got none')
  const [first] = parts
  const along = checkAxis('concat', axis, checkTensor('concat', first).rank)
  for (const part of parts) {
    checkSameDType('concat', first, part)
    if (part.rank === first.rank && first.shape.every((length, a) => a === along || length === part.shape[a])) continue
    const came = `${shapeText(first.shape)} and ${shapeText(part.shape)}`
    throw new ExtremaError('ERR_SHAPE', `concat: expected shapes that differ in axis ${along} only, got ${came}`)
  }
  return parts.length === 1 ? first : apply(concatPrimitive, parts, along)
}

/** Tensors of one shape along a new axis, default the first. */
export function stack(parts: readonly Tensor[], axis = 0): Tensor {
  if (parts.length === 0) throw new ExtremaError('ERR_SHAPE', 'stack: expected at least one tensor, got none')
  for (const part of parts) checkTensor('stack', part)
  const [{ shape, rank }] = parts
  const along = checkAxis('stack', axis, rank + 1)
  for (const part of parts) {
    if (sameShape(part.shape, shape)) continue
    throw new ExtremaError(
      'ERR_SHAPE',
      `stack: expected tensors of one shape, got ${shapeText(shape)} and ${shapeText(part.shape)}`,
    )
  }
  const wide: Shape = [...shape.slice(0, along), 1, ...shape.slice(along)]
  return concat(
    parts.map((part) => reshape(part, wide)),
    along,
  )
}

/** The entries moved along an axis by `shift` places, those that leave it coming in at the other end. */
export function roll(x: Tensor, shift: number, axis = 0): Tensor {
  const along = checkAxis('roll', axis, checkTensor('roll', x).rank)
  const length = x.shape[along]
  if (!Number.isInteger(shift)) throw new ExtremaError('ERR_OPTION', `roll: expected a whole number, got ${shift}`)
  const by = length === 0 ? 0 : ((shift % length) + length) % length
  if (by === 0) return x
  return concat([slice(x, cut(along, [length - by, length])), slice(x, cut(along, [0, length - by]))], along)
}

/** The tensor repeated `counts[axis]` times along every axis. */
export function tile(x: Tensor, counts: readonly number[]): Tensor {
  if (
    counts.length !== checkTensor('tile', x).rank ||
    !counts.every((count) => Number.isInteger(count) && count >= 0)
  ) {
    const expected = `a whole number >= 0 for each axis of ${shapeText(x.shape)}`
    throw new ExtremaError('ERR_SHAPE', `tile: expected ${expected}, got ${shapeText(counts)}`)
  }
  const apart = x.shape.flatMap((length) => [1, length])
  const repeated = x.shape.flatMap((length, axis) => [counts[axis], length])
  return reshape(
    broadcastTo(reshape(x, apart), repeated),
    x.shape.map((length, axis) => length * counts[axis]),
  )
}
