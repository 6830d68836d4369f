import {
  add,
  crossEntropy,
  type DType,
  grad,
  matmul,
  perSampleGrad,
  relu,
  slice,
  type Tensor,
  tensor,
  withArena,
  zeros,
} from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import { atMost, type Target } from '../lib/target.js'
import { inTurns } from '../lib/timing.js'

export const description = 'Gradients of single samples of a multilayer perceptron, against the gradient of the batch.'

const nets: [sizes: number[], batch: number][] = [
  [[784, 256, 256, 10], 128],
  [[784, 256, 256, 10], 32],
  [[64, 64, 64, 10], 128],
]

function numbers(shape: number[], scale: number, dtype: DType): Tensor {
  const count = shape.reduce((product, length) => product * length, 1)
  const values = Float64Array.from({ length: count }, (_, i) => scale * Math.sin(i * 12.9898))
  return tensor(values, { dtype }).view(shape)
}

function losses(params: Tensor[], x: Tensor, labels: Int32Array, reduction: 'none' | 'mean'): Tensor {
  let y = x
  for (let layer = 0; layer < params.length; layer += 2) {
    y = add(matmul(y, params[layer]), params[layer + 1])
    if (layer + 2 < params.length) y = relu(y)
  }
  return crossEntropy(y, labels, { reduction })
}

export async function run({ quick, log }: Context): Promise<Report> {
  const repetitions = quick ? 3 : 11
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const dtype of ['float32', 'float64'] as const) {
    log(dtype)
    for (const [sizes, batch] of nets) {
      const params = sizes
        .slice(1)
        .flatMap((columns, layer) => [
          numbers([sizes[layer], columns], Math.sqrt(2 / sizes[layer]), dtype),
          zeros([columns], { dtype }),
        ])
      const x = numbers([batch, sizes[0]], 1, dtype)
      const labels = Int32Array.from({ length: batch }, (_, i) => (i * 7) % 10)
      const whole = grad((p: Tensor[]) => losses(p, x, labels, 'mean'))
      const each = perSampleGrad((p: Tensor[]) => losses(p, x, labels, 'none'))
      const one = grad((p: Tensor[], b: number) => losses(p, slice(x, [[b, b + 1]]), labels.subarray(b, b + 1), 'mean'))
      checkSum(whole(params), each(params), batch, dtype)
      const count = params.reduce((total, leaf) => total + leaf.size, 0) * batch
      const memory = dtype === 'float32' ? new Float32Array(count) : new Float64Array(count)
      const timed =
        (task: () => unknown, often = 1) =>
        (): number => {
          const start = performance.now()
          for (let k = 0; k < often; k++) task()
          return (performance.now() - start) / often
        }
      const time = await inTurns(repetitions, {
        batch: timed(() => withArena(() => whole(params)[0].size), 4),
        each: timed(() => withArena(() => each(params)[0].size)),
        loop: timed(() => {
          for (let b = 0; b < batch; b++) withArena(() => one(params, b)[0].size)
        }),
        write: timed(() => memory.fill(1.5)),
      })
      const name = `${sizes.join('-')}, batch ${batch}, ${dtype}`
      rows.push([name, time.batch, time.each, time.each / time.batch, time.loop, time.write])
      targets.push(atMost(`${name}: over the gradient of the batch`, time.each / time.batch, 6, '×'))
    }
  }
  return {
    tables: [
      {
        title: 'Gradients, milliseconds',
        note: 'One thread. The mean of the gradients of the samples is that of the batch. "Writing" fills as much memory as the result has.',
        columns: ['', 'of the batch', 'of each sample', 'ratio', 'one call each', 'writing'],
        rows,
      },
    ],
    targets,
  }
}

function checkSum(whole: Tensor[], each: Tensor[], batch: number, dtype: DType): void {
  whole.forEach((leaf, k) => {
    const size = Math.max(...leaf.data.map(Math.abs))
    for (let i = 0; i < leaf.size; i += 97) {
      let total = 0
      for (let b = 0; b < batch; b++) total += each[k].data[b * leaf.size + i]
      const gap = Math.abs(total / batch - leaf.data[i])
      if (!(gap < (dtype === 'float64' ? 1e-12 : 1e-4) * size)) throw new Error(`leaf ${k} differs by ${gap}`)
    }
  })
}
