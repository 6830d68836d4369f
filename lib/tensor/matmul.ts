import { ExtremaError } from '../core/errors.js'
import { kernelsFor } from './backend.js'
import { batchOf, matrixShape, repeated } from './batch.js'
import { broadcastShapes, checkSameDType } from './broadcast.js'
import { mul, sumOf } from './elementwise.js'
import type { Primitive } from './primitive.js'
import { broadcastTo, sum, sumTo } from './reduce.js'
import { reshape } from './shape.js'
import { blank, checkTensor, sameShape, shapeText, sizeOf, type Tensor } from './tensor.js'
import { apply } from './trace.js'

export interface MatmulOptions {
  /** Multiply by Aᵀ: the last two axes of `a` change places. Default false. */
  transposeA?: boolean
  /** Multiply by Bᵀ. Default false. */
  transposeB?: boolean
}

type Transposes = Required<MatmulOptions>

const matmulPrimitive: Primitive<Transposes> = {
  name: 'matmul',
  evaluate([a, b], { transposeA, transposeB }) {
    const [m, k] = matrixShape(a, transposeA)
    const [, n] = matrixShape(b, transposeB)
    const batch = broadcastShapes('matmul', batchOf(a), batchOf(b))
    const out = blank(a.dtype, [...batch, m, n])
    if (out.size === 0) return out
    if (k === 0) {
      out.data.fill(0)
      return out
    }
    const [left, right] = [repeated(a, batch), repeated(b, batch)]
    const work = Math.max(out.size, left.size, right.size)
    const count = sizeOf(batch)
    const [strideA, strideB] = [left.rank === 2 ? 0 : m * k, right.rank === 2 ? 0 : k * n]
    kernelsFor(a.dtype, work).matmul(
      out.data,
      left.data,
      right.data,
      count,
      m,
      n,
      k,
      transposeA,
      transposeB,
      strideA,
      strideB,
    )
    return out
  },
  jvp([a, b], [u, v], out, params) {
    const first = u === undefined ? undefined : product(u, b, params.transposeA, params.transposeB)
    const second = v === undefined ? undefined : product(a, v, params.transposeA, params.transposeB)
    const tangent = sumOf(first, second)
    return tangent === undefined || sameShape(tangent.shape, out.shape) ? tangent : broadcastTo(tangent, out.shape)
  },
  vjp(g, [a, b], _out, { transposeA: ta, transposeB: tb }, needs) {
    return [
      needs[0] ? sumTo(ta ? product(b, g, tb, true) : product(g, b, false, !tb), a.shape) : undefined,
      needs[1] ? sumTo(tb ? product(g, a, true, ta) : product(a, g, !ta, false), b.shape) : undefined,
    ]
  },
}

function product(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  return apply(matmulPrimitive, [a, b], { transposeA, transposeB })
}

/**
 * The product of matrices, which are the last two axes; those before them are a batch and broadcast. A vector counts as
 * one row on the left and one column on the right, and that axis is left out of the result.
 *
 * @throws ExtremaError `ERR_SHAPE` if the inner lengths differ or the batches do not broadcast, `ERR_DTYPE` for different
 *   dtypes and for int32
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options
  checkSameDType('matmul', a, b)
  if (a.dtype === 'int32') {
    const came = `int32 ${shapeText(a.shape)} and ${shapeText(b.shape)}`
    throw new ExtremaError('ERR_DTYPE', `matmul: expected float64 or float32 (see cast), got ${came}`)
  }
  if (a.rank === 0 || b.rank === 0) refuse(a, b)
  const [row, column] = [a.rank === 1, b.rank === 1]
  const left = row ? reshape(a, [1, a.shape[0]]) : a
  const right = column ? reshape(b, [b.shape[0], 1]) : b
  const [ta, tb] = [transposeA && !row, transposeB && !column]
  const [m, k] = matrixShape(left, ta)
  const [inner, n] = matrixShape(right, tb)
  if (k !== inner) refuse(a, b)
  let out: Tensor
  if (right.rank === 2 && left.rank > 2 && !ta) {
    // One tall matrix instead of a batch.
    out = reshape(product(reshape(left, [sizeOf(batchOf(left)) * m, k]), right, false, tb), [...batchOf(left), m, n])
  } else {
    out = product(left, right, ta, tb)
  }
  if (!row && !column) return out
  const shape = batchOf(out).slice()
  return reshape(out, [...shape, ...(row ? [] : [m]), ...(column ? [] : [n])])
}

function refuse(a: Tensor, b: Tensor): never {
  const came = `${shapeText(a.shape)} and ${shapeText(b.shape)}`
  throw new ExtremaError('ERR_SHAPE', `matmul: expected matrices whose inner lengths agree, got ${came}`)
}

/** Σ x_i y_i of two vectors of one length, or of all entries of two tensors of one shape. */
export function dot(x: Tensor, y: Tensor): Tensor {
  if (!sameShape(checkTensor('dot', x).shape, checkTensor('dot', y).shape)) {
    const came = `${shapeText(x.shape)} and ${shapeText(y.shape)}`
    throw new ExtremaError('ERR_SHAPE', `dot: expected tensors of one shape, got ${came}`)
  }
  return sum(mul(x, y))
}

/** The matrix x_i y_j of two vectors. */
export function outer(x: Tensor, y: Tensor): Tensor {
  if (checkTensor('outer', x).rank !== 1 || checkTensor('outer', y).rank !== 1) {
    const came = `${shapeText(x.shape)} and ${shapeText(y.shape)}`
    throw new ExtremaError('ERR_SHAPE', `outer: expected two vectors, got ${came}`)
  }
  return mul(reshape(x, [-1, 1]), y)
}
