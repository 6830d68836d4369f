import { mfacOptimizer } from '../../lib/curvature/index.js'
import { adam, sgd } from '../../lib/descent/index.js'
import type { Optimizer } from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { standardizedDigits } from '../lib/digits.js'
import { accuracy, initial, train } from '../lib/perceptron.js'
import type { Cell } from '../lib/table.js'
import { atLeast } from '../lib/target.js'

export const description =
  'Training a perceptron 784-40-20-10 on digits of MNIST: M-FAC against SGD with momentum and Adam, each at its best rate of four.'

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const { train: training, test } = standardizedDigits()
  const epochs = quick ? 1 : 6
  const contenders: Record<string, { rates: number[]; make: (learningRate: number) => Optimizer }> = {
    'SGD, momentum 0.9': {
      rates: [0.01, 0.03, 0.1, 0.3],
      make: (learningRate) => sgd({ learningRate, momentum: 0.9 }),
    },
    Adam: { rates: [3e-4, 1e-3, 3e-3, 1e-2], make: (learningRate) => adam({ learningRate }) },
    'M-FAC, m = 128': {
      rates: [1e-3, 3e-3, 1e-2, 3e-2],
      make: (learningRate) => mfacOptimizer({ learningRate, capacity: 128, damping: 1e-3, threads }),
    },
  }
  const rows: Cell[][] = []
  const best: Record<string, number> = {}
  for (const [name, { rates, make }] of Object.entries(contenders)) {
    let reached = 0
    let rate = 0
    let step = 0
    for (const learningRate of rates) {
      const parameters = initial(1)
      const took = train(parameters, training, make(learningRate), epochs, 2)
      const own = accuracy(parameters, test)
      log(`${name}, rate ${learningRate}: ${own.toFixed(2)} %`)
      if (own > reached) [reached, rate, step] = [own, learningRate, took]
    }
    best[name] = reached
    rows.push([name, rate, reached, step])
  }
  const [first, , last] = Object.keys(contenders)
  return {
    tables: [
      {
        title: `After ${epochs} epochs`,
        note: 'Batches of 128, λ = 1e-3; a step without its gradient.',
        columns: ['', 'best rate', 'test accuracy, %', 'step, ms'],
        rows,
      },
    ],
    targets: [atLeast('M-FAC against SGD', best[last] - best[first], -0.5, ' points')],
  }
}
