import type { Plan } from '../backend/tensor.js'
import { ExtremaError } from '../core/errors.js'
import { checkTensor, type Shape, sameShape, shapeText, type Tensor } from './tensor.js'

/** The common shape of two operands: axes are matched from the last, and those of length 1 repeat. */
export function broadcastShapes(name: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a
  const rank = Math.max(a.length, b.length)
  const shape = new Array<number>(rank)
  for (let i = 1; i <= rank; i++) {
    const [x, y] = [a[a.length - i] ?? 1, b[b.length - i] ?? 1]
    if (x !== y && x !== 1 && y !== 1) {
      const expected = 'shapes that broadcast (equal axes, or of length 1)'
      throw new ExtremaError('ERR_SHAPE', `${name}: expected ${expected}, got ${shapeText(a)} and ${shapeText(b)}`)
    }
    shape[rank - i] = x === 1 ? y : x
  }
  return shape
}

export function checkSameDType(name: string, a: Tensor, b: Tensor): void {
  if (checkTensor(name, a).dtype === checkTensor(name, b).dtype) return
  const came = `${a.dtype} ${shapeText(a.shape)} and ${b.dtype} ${shapeText(b.shape)}`
  throw new ExtremaError('ERR_DTYPE', `${name}: expected operands of one dtype, got ${came}`)
}

/** For operations that do not give whole numbers. */
export function checkFloat(name: string, x: Tensor): void {
  if (checkTensor(name, x).dtype !== 'int32') return
  const came = `int32 ${shapeText(x.shape)}`
  throw new ExtremaError('ERR_DTYPE', `${name}: expected float64 or float32 (see cast), got ${came}`)
}

/** Kernels read a plan before they return, so that one piece of memory serves all. */
const scratch = new Int32Array(128)
const sizes: number[] = []
const firsts: number[] = []
const seconds: number[] = []

/** The plan of the two operands of an elementwise operation with this result. */
export function pairPlan(shape: Shape, a: Shape, b: Shape): Plan {
  sizes.length = firsts.length = seconds.length = 0
  // From the last axis on; strides are those of the operands, 0 where they repeat.
  let strideA = 1
  let strideB = 1
  for (let i = 1; i <= shape.length; i++) {
    const size = shape[shape.length - i]
    const [lengthA, lengthB] = [a[a.length - i] ?? 1, b[b.length - i] ?? 1]
    if (size !== 1) join(size, lengthA === 1 ? 0 : strideA, lengthB === 1 ? 0 : strideB)
    strideA *= lengthA
    strideB *= lengthB
  }
  return written(0)
}

/** The plan that walks memory by these strides. */
export function stridedPlan(shape: Shape, strides: readonly number[], offset: number): Plan {
  sizes.length = firsts.length = seconds.length = 0
  for (let i = shape.length - 1; i >= 0; i--) if (shape[i] !== 1) join(shape[i], strides[i], 0)
  return written(offset)
}

/** Adds an axis outside the last one, or makes it a part of that. */
function join(size: number, first: number, second: number): void {
  const top = sizes.length - 1
  if (top >= 0 && first === firsts[top] * sizes[top] && second === seconds[top] * sizes[top]) {
    sizes[top] *= size
    return
  }
  sizes.push(size)
  firsts.push(first)
  seconds.push(second)
}

function written(offset: number): Plan {
  const rank = sizes.length
  const plan = 2 + 3 * rank <= scratch.length ? scratch : new Int32Array(2 + 3 * rank)
  plan[0] = rank
  plan[1] = offset
  for (let i = 0; i < rank; i++) {
    const axis = rank - 1 - i
    plan[2 + i] = sizes[axis]
    plan[2 + rank + i] = firsts[axis]
    plan[2 + 2 * rank + i] = seconds[axis]
  }
  return plan
}

/** Row-major strides of a shape. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride
    stride *= shape[i]
  }
  return strides
}
