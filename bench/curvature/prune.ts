import { prune } from '../../lib/curvature/index.js'
import { sgd } from '../../lib/descent/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { type StandardizedDigits, standardizedDigits } from '../lib/digits.js'
import { accuracy, gradient, initial, type Parameters, train, weightCount } from '../lib/perceptron.js'
import type { Cell } from '../lib/table.js'
import { atLeast } from '../lib/target.js'

export const description =
  'Pruning a perceptron 784-40-20-10 on 10,000 digits of MNIST without fine-tuning: magnitude against M-FAC.'

/** The weights of all layers, without biases, one behind the other. */
function flat(parameters: Parameters): Float32Array {
  const out = new Float32Array(weightCount)
  let at = 0
  parameters.forEach((values, k) => {
    if (k % 2 === 1) return
    out.set(values, at)
    at += values.length
  })
  return out
}

function withWeights(parameters: Parameters, weights: ArrayLike<number>): Parameters {
  let at = 0
  return parameters.map((values, k) => {
    if (k % 2 === 1) return values
    at += values.length
    return Float32Array.from({ length: values.length }, (_, j) => weights[at - values.length + j])
  })
}

/** m gradients of 16 digits each, at other weights. */
function gradients(parameters: Parameters, data: StandardizedDigits, m: number) {
  let next = 0
  return (weights: ArrayLike<number>) => {
    const own = withWeights(parameters, weights)
    const rows = new Float32Array(m * weightCount)
    for (let i = 0; i < m; i++) {
      const places = Array.from({ length: 16 }, () => next++ % data.labels.length)
      rows.set(flat(gradient(own, data, places).gradient), i * weightCount)
    }
    return { data: rows, shape: [m, weightCount] }
  }
}

function byMagnitude(weights: Float32Array, sparsity: number): Float32Array {
  const order = Array.from(weights.keys()).sort((a, b) => Math.abs(weights[a]) - Math.abs(weights[b]))
  const out = weights.slice()
  for (const j of order.slice(0, weights.length - Math.round((1 - sparsity) * weights.length))) out[j] = 0
  return out
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const { train: training, test } = standardizedDigits()
  const networks = quick ? 1 : 3
  const epochs = quick ? 4 : 20
  const levels = [0.8, 0.9, 0.95]
  const methods = {
    'M-FAC, once, all of F': { recomputations: 1, blockSize: Number.POSITIVE_INFINITY },
    'M-FAC, once, blocks of 128': { recomputations: 1, blockSize: 128 },
    'M-FAC, 8 times, blocks of 128': { recomputations: 8, blockSize: 128 },
  }
  const names = ['magnitude', ...Object.keys(methods)]
  const totals = levels.map(() => new Map(names.map((name) => [name, 0])))
  let dense = 0
  let spent = 0
  for (let seed = 0; seed < networks; seed++) {
    const parameters = initial(seed)
    train(parameters, training, sgd({ learningRate: 0.05, momentum: 0.9 }), epochs, seed + 10, (epoch) =>
      epoch < epochs / 2 ? 0.05 : 0.01,
    )
    const full = accuracy(parameters, test)
    log(`network ${seed}: ${full.toFixed(2)} %`)
    dense += full / networks
    const weights = flat(parameters)
    for (const [k, sparsity] of levels.entries()) {
      const add = (name: string, pruned: ArrayLike<number>) => {
        const reached = accuracy(withWeights(parameters, pruned), test)
        totals[k].set(name, totals[k].get(name)! + reached / networks)
      }
      add('magnitude', byMagnitude(weights, sparsity))
      for (const [name, options] of Object.entries(methods)) {
        const model = { weights, gradients: gradients(parameters, training, 100) }
        const start = performance.now()
        const { weights: pruned } = await prune(model, { ...options, sparsity, damping: 1e-5, threads })
        spent = performance.now() - start
        add(name, pruned)
      }
    }
  }
  const gain = (k: number) => totals[k].get(names[3])! - totals[k].get('magnitude')!
  const rows: Cell[][] = levels.map((level, k) => [`${100 * level} %`, ...names.map((name) => totals[k].get(name)!)])
  return {
    tables: [
      {
        title: `Test accuracy in percent, mean of ${networks} networks`,
        note: `${weightCount.toLocaleString('en-US')} weights, biases left alone; the networks reach ${dense.toFixed(1)} % (8,000 digits for training, 2,000 for the test). 100 gradients of 16 digits each, λ = 1e-5. The last pruning took ${Math.round(spent)} ms with its gradients.`,
        columns: ['sparsity', ...names],
        rows,
      },
    ],
    targets: [
      atLeast('90 %: M-FAC with 8 recomputations over magnitude', gain(1), 1.5, ' points'),
      atLeast('95 %: M-FAC with 8 recomputations over magnitude', gain(2), 5, ' points'),
    ],
  }
}
