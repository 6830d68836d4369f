import { generator } from '../../lib/index.js'
import type { Optimizer } from '../../lib/tensor/index.js'
import {
  add,
  crossEntropy,
  fromData,
  matmul,
  relu,
  type Tensor,
  valueAndGrad,
  withArena,
} from '../../lib/tensor/index.js'
import type { StandardizedDigits } from './digits.js'

const sizes = [784, 40, 20, 10]

/** Weights and biases of 784-40-20-10, in turns. */
export type Parameters = Float32Array[]

export const weightCount = sizes.slice(1).reduce((sum, columns, layer) => sum + sizes[layer] * columns, 0)

function shaped(parameters: Parameters): Tensor[] {
  return parameters.map((values, k) => {
    const layer = k >> 1
    return fromData(values, k % 2 === 0 ? [sizes[layer], sizes[layer + 1]] : [sizes[layer + 1]])
  })
}

function logits(parameters: Tensor[], images: Tensor): Tensor {
  let y = images
  for (let k = 0; k < parameters.length; k += 2) {
    y = add(matmul(y, parameters[k]), parameters[k + 1])
    if (k + 2 < parameters.length) y = relu(y)
  }
  return y
}

const slopes = valueAndGrad((parameters: Tensor[], images: Tensor, labels: Int32Array) =>
  crossEntropy(logits(parameters, images), labels),
)

/** The mean loss over some samples and its gradient. */
export function gradient(
  parameters: Parameters,
  { images, labels }: StandardizedDigits,
  places: ArrayLike<number>,
): { value: number; gradient: Parameters } {
  const x = new Float32Array(places.length * 784)
  for (let n = 0; n < places.length; n++) x.set(images.subarray(places[n] * 784, (places[n] + 1) * 784), n * 784)
  const own = Int32Array.from(places, (place) => labels[place])
  return withArena(() => {
    const { value, gradient } = slopes(shaped(parameters), fromData(x, [places.length, 784]), own)
    return { value: value.item(), gradient: gradient.map((leaf) => Float32Array.from(leaf.data)) }
  })
}

/** Share of digits that are recognized, in percent. */
export function accuracy(parameters: Parameters, { images, labels }: StandardizedDigits): number {
  return withArena(() => {
    const y = logits(shaped(parameters), fromData(images, [labels.length, 784])).data
    let right = 0
    labels.forEach((label, n) => {
      const row = y.subarray(10 * n, 10 * n + 10)
      if (row.every((value) => value <= row[label])) right++
    })
    return (100 * right) / labels.length
  })
}

export function initial(seed: number): Parameters {
  const draw = generator(seed)
  return sizes.slice(1).flatMap((columns, layer) => {
    const bound = 1 / Math.sqrt(sizes[layer])
    const uniform = (n: number) => Float32Array.from({ length: n }, () => bound * (2 * draw.uniform() - 1))
    return [uniform(sizes[layer] * columns), uniform(columns)]
  })
}

/** Trains in place, epoch by epoch in a new order. Returns milliseconds of a step. */
export function train(
  parameters: Parameters,
  data: StandardizedDigits,
  optimizer: Optimizer,
  epochs: number,
  seed: number,
  rate?: (epoch: number) => number,
): number {
  const draw = generator(seed)
  const order = Array.from(data.labels.keys())
  let spent = 0
  let steps = 0
  for (let epoch = 0; epoch < epochs; epoch++) {
    if (rate !== undefined) optimizer.learningRate = rate(epoch)
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(draw.uniform() * (i + 1))
      ;[order[i], order[j]] = [order[j], order[i]]
    }
    for (let from = 0; from + 128 <= order.length; from += 128) {
      const { gradient: g } = gradient(parameters, data, order.slice(from, from + 128))
      const start = performance.now()
      optimizer.step(parameters, g)
      spent += performance.now() - start
      steps++
    }
  }
  return spent / steps
}
