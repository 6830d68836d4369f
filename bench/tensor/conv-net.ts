import {
  add,
  conv2d,
  crossEntropy,
  type DType,
  matmul,
  maxPool2d,
  relu,
  reshape,
  type Tensor,
  zeros,
} from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { jaxConvNet } from '../lib/jax-conv-net.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { numbers } from '../lib/tensors.js'
import { askTorch } from '../lib/torch.js'
import { checkLosses, timeTraining, trainingTargets } from '../lib/training-step.js'

export const description = 'A training step of a small convolutional net and its curvature, against PyTorch and jax-js.'

const batch = 32
const side = 28
const channels = [1, 16, 32]
const classes = 10

type Params = Tensor[]

function initial(dtype: DType): Params {
  const [first, second] = [9 * channels[0], 9 * channels[1]]
  const inner = channels[2] * (side / 4) ** 2
  return [
    numbers([channels[1], channels[0], 3, 3], Math.sqrt(2 / first), 0, dtype),
    zeros([channels[1], 1, 1], { dtype }),
    numbers([channels[2], channels[1], 3, 3], Math.sqrt(2 / second), 1, dtype),
    zeros([channels[2], 1, 1], { dtype }),
    numbers([inner, classes], Math.sqrt(2 / inner), 2, dtype),
    zeros([classes], { dtype }),
  ]
}

function lossOf([w1, b1, w2, b2, w3, b3]: Params, x: Tensor, labels: Int32Array): Tensor {
  const first = maxPool2d(relu(add(conv2d(x, w1, { padding: 'same' }), b1)), 2)
  const second = maxPool2d(relu(add(conv2d(first, w2, { padding: 'same' }), b2)), 2)
  return crossEntropy(add(matmul(reshape(second, [batch, -1]), w3), b3), labels)
}

export async function run({ quick, log }: Context): Promise<Report> {
  const repetitions = quick ? 3 : 9
  const steps = quick ? 3 : 20
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [dtype, limit] of [
    ['float32', 10],
    ['float64', 16],
  ] as const) {
    log(dtype)
    const x = numbers([batch, channels[0], side, side], 1, 0.5, dtype)
    const labels = Int32Array.from({ length: batch }, (_, i) => (i * 7) % classes)
    const times = await timeTraining({ initial, loss: lossOf, x, labels, rate: 0.02 }, dtype, steps, repetitions)
    const request = { dtype, batch, side, channels, classes, steps, repetitions }
    const peer = askTorch<{ step: number; losses: number[] }>('torch_conv_net.py', request, 1)
    const jax = await jaxConvNet(initial(dtype), x, labels, quick ? 1 : 3)
    checkLosses('PyTorch', times.losses, peer.losses, dtype === 'float64' ? 1e-9 : 1e-3)
    // The exponentials and logarithms of jax-js are good to five digits, in float64 too.
    checkLosses('jax-js', times.losses, jax.losses, dtype === 'float64' ? 1e-4 : 1e-3)
    const { step, gradient, product, portable } = times
    rows.push([
      ...[dtype, step, peer.step, peer.step / step, jax.step, jax.step / step],
      ...[gradient, product / gradient, portable / step],
    ])
    targets.push(
      ...trainingTargets(dtype, times, limit, peer.step),
      atLeast(`${dtype}: speed against jax-js`, jax.step / step, 5, '×'),
    )
  }
  const columns = ['', 'step', 'PyTorch', 'PyTorch / ours', 'jax-js', 'jax-js / ours', 'gradient', 'H v / gradient']
  return {
    tables: [
      {
        title: `Convolutional net ${side}×${side}×1, batch ${batch}, milliseconds`,
        note: `3×3 filters for ${channels[1]}, ReLU, pool 2, 3×3 filters for ${channels[2]}, ReLU, pool 2, dense ${classes}. One thread for us and PyTorch; the first losses of all agree. A step is forward, backward and plain gradient descent.`,
        columns: [...columns, 'portable / native'],
        rows,
      },
    ],
    targets,
  }
}
