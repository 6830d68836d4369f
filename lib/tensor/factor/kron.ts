import { ExtremaError } from '../../core/errors.js'
import { batchOf } from '../batch.js'
import { broadcastShapes, checkFloat, checkSameDType } from '../broadcast.js'
import { mul } from '../elementwise.js'
import { matmul } from '../matmul.js'
import { reshape } from '../shape.js'
import { shapeText, type Tensor } from '../tensor.js'
import { inBatch } from './matrices.js'

function checkFactors(name: string, a: Tensor, b: Tensor): void {
  checkFloat(name, a)
  checkSameDType(name, a, b)
  if (a.rank >= 2 && b.rank >= 2) return
  throw new ExtremaError('ERR_SHAPE', `${name}: expected matrices, got ${shapeText(a.shape)} and ${shapeText(b.shape)}`)
}

/** The Kronecker product A ⊗ B, with blocks A_ij B, of matrices or batches, which broadcast. */
export function kron(a: Tensor, b: Tensor): Tensor {
  checkFactors('kron', a, b)
  const batch = broadcastShapes('kron', batchOf(a), batchOf(b))
  const [m, n] = a.shape.slice(-2)
  const [p, q] = b.shape.slice(-2)
  const blocks = mul(reshape(a, [...batchOf(a), m, 1, n, 1]), reshape(b, [...batchOf(b), 1, p, 1, q]))
  return reshape(blocks, [...batch, m * p, n * q])
}

/**
 * (A ⊗ B) X without the Kronecker product: with A of m × n and B of p × q, X has n q rows and the result m p, in
 * O(n p q + m n p) per column. A vector counts as one column; batches broadcast.
 *
 * @throws ExtremaError `ERR_SHAPE` where the rows of X are not n q
 */
export function kronMatmul(a: Tensor, b: Tensor, x: Tensor): Tensor {
  checkFactors('kronMatmul', a, b)
  checkSameDType('kronMatmul', a, x)
  const [m, n] = a.shape.slice(-2)
  const [p, q] = b.shape.slice(-2)
  const vector = x.rank === 1
  if (x.rank === 0 || x.shape[vector ? 0 : x.rank - 2] !== n * q) {
    const came = `${shapeText(a.shape)}, ${shapeText(b.shape)} and ${shapeText(x.shape)}`
    throw new ExtremaError('ERR_SHAPE', `kronMatmul: expected as many rows as the product has columns, got ${came}`)
  }
  const columns = vector ? 1 : x.shape[x.rank - 1]
  const own = vector ? [] : batchOf(x)
  const batch = broadcastShapes('kronMatmul', broadcastShapes('kronMatmul', batchOf(a), batchOf(b)), own)
  const blocks = reshape(x, [...own, n, q, columns])
  const inner = matmul(reshape(b, [...batchOf(b), 1, p, q]), blocks)
  const flat = reshape(inner, [...inner.shape.slice(0, -3), n, p * columns])
  const out = inBatch(matmul(a, flat), batch)
  return reshape(out, [...batch, m * p, ...(vector ? [] : [columns])])
}
