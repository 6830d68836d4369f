import { broadcastTo } from './reduce.js'
import type { Shape, Tensor } from './tensor.js'

// Matrices are the last two axes of a tensor; those before them are a batch.

/** The axes before the last two. */
export function batchOf(x: Tensor): Shape {
  return x.shape.slice(0, -2)
}

export function matrixShape({ shape, rank }: Tensor, transposed: boolean): [number, number] {
  const [rows, columns] = [shape[rank - 2], shape[rank - 1]]
  return transposed ? [columns, rows] : [rows, columns]
}

/** A batch that is repeated as a whole stays one matrix; others are copied to the full batch. */
export function repeated(x: Tensor, batch: Shape): Tensor {
  const own = batchOf(x)
  if (own.every((length) => length === 1)) return x.rank === 2 ? x : x.view(x.shape.slice(-2))
  return broadcastTo(x, [...batch, ...x.shape.slice(-2)])
}
