import * as t from '../../lib/tensor/index.js'
import { random } from './random.js'
import { draw } from './tensor.js'

/** Points of a plane, and whether they are above a curve. */
export function points(count: number, seed: number): { x: t.Tensor; y: Int32Array } {
  const next = random(seed)
  const x = draw([count, 2], () => 4 * next() - 2)
  const y = Int32Array.from({ length: count }, (_, i) => (x.data[2 * i + 1] > Math.sin(2 * x.data[2 * i]) ? 1 : 0))
  return { x, y }
}

type Batch = { x: t.Tensor; y: t.Tensor }

/** With all that has a state: dropout, running statistics, another order in every epoch. */
export const net = t.sequential(
  t.dense(2, 16),
  t.batchNormLayer(16),
  t.activation('tanh'),
  t.dropoutLayer(0.2),
  t.dense(16, 2),
)
export const loss = (logits: t.Tensor, { y }: Batch): t.Tensor => t.crossEntropy(logits, y)
export const loader = (count = 70) => t.dataLoader(points(count, 1), { batchSize: 16, shuffle: true, seed: 3 })
export const trainingProblem = () => ({ model: net, loss, data: loader() })
