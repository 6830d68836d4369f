import { ExtremaError } from '../../core/errors.js'
import { batchOf } from '../batch.js'
import { broadcastShapes, checkFloat, checkSameDType } from '../broadcast.js'
import { add, mul } from '../elementwise.js'
import { broadcastTo } from '../reduce.js'
import { matrixTranspose, reshape, slice } from '../shape.js'
import { checkTensor, type DType, type Shape, shapeText, sizeOf, Tensor } from '../tensor.js'

/** Refuses what is no batch of square matrices of floating-point numbers. */
export function checkSquare(name: string, a: Tensor): Tensor {
  checkFloat(name, a)
  const { shape, rank } = a
  if (rank >= 2 && shape[rank - 1] === shape[rank - 2]) return a
  throw new ExtremaError('ERR_SHAPE', `${name}: expected square matrices, got shape ${shapeText(shape)}`)
}

/** Iterations on NaN do not end well. */
export function checkFinite(name: string, { data, shape }: Tensor): void {
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue
    throw new ExtremaError('ERR_NOT_FINITE', `${name}: expected finite entries, got ${data[i]} in ${shapeText(shape)}`)
  }
}

/** How many matrices. */
export function countOf(a: Tensor): number {
  return sizeOf(batchOf(a))
}

/** Which matrix of a batch, and how far it went: for messages about a pivot. */
export function placeText(place: number, { shape, rank }: Tensor): string {
  const n = shape[rank - 1]
  const which = rank > 2 ? `matrix ${Math.floor(place / n)} of ` : ''
  return `${which}shape ${shapeText(shape)} at row ${place % n}`
}

/** A system of equations in which both sides have the same batch, or one side is a single matrix of two axes. */
export interface System {
  a: Tensor
  /** Of n × columns. */
  b: Tensor
  /** Whether b came as a vector. */
  vector: boolean
}

export function checkSystem(name: string, a: Tensor, b: Tensor): System {
  checkSquare(name, a)
  checkSameDType(name, a, b)
  const n = a.shape[a.rank - 1]
  const vector = b.rank === 1
  if (b.rank === 0 || b.shape[vector ? 0 : b.rank - 2] !== n) {
    const came = `${shapeText(a.shape)} and ${shapeText(b.shape)}`
    throw new ExtremaError('ERR_SHAPE', `${name}: expected right-hand sides of as many rows as the matrix, got ${came}`)
  }
  const right = vector ? reshape(b, [n, 1]) : b
  const batch = broadcastShapes(name, batchOf(a), batchOf(right))
  if (countOf(a) === 1) return { a: reshape(a, [n, n]), b: inBatch(right, batch), vector }
  const single = countOf(right) === 1
  return { a: inBatch(a, batch), b: single ? reshape(right, right.shape.slice(-2)) : inBatch(right, batch), vector }
}

/** The batch of a system and how far apart its matrices are, 0 for a single one. */
export function layoutOf(a: Tensor, b: Tensor): { batch: Shape; count: number; strideA: number; strideB: number } {
  const batch = batchOf(a.rank > 2 ? a : b)
  const [n, columns] = b.shape.slice(-2)
  return { batch, count: sizeOf(batch), strideA: a.rank > 2 ? n * n : 0, strideB: b.rank > 2 ? n * columns : 0 }
}

export function inBatch(x: Tensor, batch: Shape): Tensor {
  return broadcastTo(x, [...batch, ...x.shape.slice(-2)])
}

/** Without the axis that a vector got. */
export function asGiven(x: Tensor, vector: boolean): Tensor {
  return vector ? reshape(x, x.shape.slice(0, -1)) : x
}

/** (x + xᵀ) / 2 */
export function symmetrized(x: Tensor): Tensor {
  return mul(0.5, add(x, matrixTranspose(x)))
}

/** The numbers x_ii of matrices of n × n. */
export function diagonal(x: Tensor): Tensor {
  const n = checkSquare('diagonal', x).shape[x.rank - 1]
  const flat = reshape(x, [...batchOf(x), n * n])
  return slice(flat, [...batchOf(x).map(() => undefined), [0, n * n, n + 1]])
}

/** Weights of a triangle of n × n matrices and of its diagonal. */
export type Triangle = 'lower' | 'upper' | 'strictlyLower' | 'strictlyUpper' | 'halfLower'

const masks = new Map<string, Tensor>()
const mostMasks = 16

/** The triangle of x, zeros elsewhere; `halfLower` halves the diagonal. */
export function triangleOf(x: Tensor, triangle: Triangle): Tensor {
  return mul(x, maskOf(x.shape[x.rank - 1], triangle, x.dtype))
}

function maskOf(n: number, triangle: Triangle, dtype: DType): Tensor {
  const key = `${triangle} ${dtype} ${n}`
  const known = masks.get(key)
  if (known !== undefined) return known
  // Outside of any arena, since it stays.
  const data = dtype === 'float32' ? new Float32Array(n * n) : new Float64Array(n * n)
  const upper = triangle === 'upper' || triangle === 'strictlyUpper'
  const onDiagonal = { lower: 1, upper: 1, strictlyLower: 0, strictlyUpper: 0, halfLower: 0.5 }[triangle]
  for (let i = 0; i < n; i++) {
    data.fill(1, i * n + (upper ? i + 1 : 0), i * n + (upper ? n : i))
    data[i * n + i] = onDiagonal
  }
  const mask = new Tensor(data, [n, n], dtype)
  masks.set(key, mask)
  if (masks.size > mostMasks) masks.delete(masks.keys().next().value as string)
  return mask
}

/** n × n identity matrices beside a. */
export function identityLike(a: Tensor): Tensor {
  const { dtype } = checkTensor('identity', a)
  const n = a.shape[a.rank - 1]
  const data = dtype === 'float32' ? new Float32Array(n * n) : new Float64Array(n * n)
  for (let i = 0; i < n; i++) data[i * n + i] = 1
  return new Tensor(data, [n, n], dtype)
}

/** The distance of 1 to the next number. */
export function epsilonOf(dtype: DType): number {
  return dtype === 'float32' ? 2 ** -23 : Number.EPSILON
}
