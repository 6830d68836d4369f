import { add, crossEntropy, type DType, matmul, relu, type Tensor, withArena, zeros } from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import type { Target } from '../lib/target.js'
import { numbers, timed } from '../lib/tensors.js'
import { medianOf } from '../lib/timing.js'
import { askTorch } from '../lib/torch.js'
import { checkLosses, timeTraining, trainingTargets } from '../lib/training-step.js'

export const description =
  'A training step of a multilayer perceptron, its curvature, and matrix products, against PyTorch.'

const sizes = [784, 256, 256, 10]
const batch = 128

interface Answer {
  step: number
  losses: number[]
  matmul: Record<string, number>
}

type Params = Tensor[]

function initial(dtype: DType): Params {
  return sizes
    .slice(1)
    .flatMap((columns, layer) => [
      numbers([sizes[layer], columns], Math.sqrt(2 / sizes[layer]), layer, dtype),
      zeros([columns], { dtype }),
    ])
}

function lossOf(params: Params, x: Tensor, labels: Int32Array): Tensor {
  let y = x
  for (let layer = 0; layer < params.length; layer += 2) {
    y = add(matmul(y, params[layer]), params[layer + 1])
    if (layer + 2 < params.length) y = relu(y)
  }
  return crossEntropy(y, labels)
}

export async function run({ quick, log }: Context): Promise<Report> {
  const repetitions = quick ? 3 : 9
  const steps = quick ? 5 : 40
  const products = quick ? [128, 512] : [64, 128, 256, 512, 1024]
  const rows: Cell[][] = []
  const matmuls: Cell[][] = []
  const targets: Target[] = []
  for (const [dtype, limit] of [
    ['float32', 1.5],
    ['float64', 3.5],
  ] as const) {
    log(dtype)
    const x = numbers([batch, sizes[0]], 1, 0.5, dtype)
    const labels = Int32Array.from({ length: batch }, (_, i) => (i * 7) % 10)
    const times = await timeTraining({ initial, loss: lossOf, x, labels, rate: 0.1 }, dtype, steps, repetitions)
    const peer = askTorch<Answer>('torch_mlp.py', { dtype, sizes, batch, steps, repetitions, matmul: products }, 1)
    checkLosses('PyTorch', times.losses, peer.losses, dtype === 'float64' ? 1e-9 : 1e-3)
    const { step, gradient, product, portable } = times
    rows.push([dtype, step, peer.step, peer.step / step, gradient, product / gradient, portable / step])
    targets.push(...trainingTargets(dtype, times, limit, peer.step))
    for (const n of products) {
      const a = numbers([n, n], 1, 0, dtype)
      const count = Math.max(1, Math.round(2e7 / n ** 3))
      const time = await medianOf(
        5,
        timed(() => withArena(() => matmul(a, a).size), count),
      )
      matmuls.push([dtype, n, time, (2 * n ** 3) / time / 1e6, peer.matmul[n], peer.matmul[n] / time])
    }
  }
  return {
    tables: [
      {
        title: `Perceptron ${sizes.join('-')}, batch ${batch}, milliseconds`,
        note: 'One thread on both sides; the first five losses agree. A step is forward, backward and plain gradient descent.',
        columns: ['', 'step', 'PyTorch', 'PyTorch / ours', 'gradient', 'H v / gradient', 'portable / native'],
        rows,
      },
      {
        title: 'Products of n × n matrices',
        columns: ['', 'n', 'ms', 'GFLOP/s', 'PyTorch, ms', 'PyTorch / ours'],
        rows: matmuls,
      },
    ],
    targets,
  }
}
