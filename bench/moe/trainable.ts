import { adam } from '../../lib/descent/index.js'
import { prune, route, type TinyMoe, type TinyMoeOptions, type TinyMoeParams, tinyMoe } from '../../lib/moe/index.js'
import { generator } from '../../lib/random/index.js'
import {
  accuracy,
  dataLoader,
  type LayerState,
  slice,
  softmax,
  type Tensor,
  train,
  withArena,
} from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { type Digits, digits } from '../lib/digits.js'
import { spread } from '../lib/spread.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'

export const description =
  'A small mixture of experts trained on digits: accuracy and load by the way of balancing, with capacities by the way of routing, and with fewer experts.'

const sizes: TinyMoeOptions = { inputs: 784, outputs: 10, width: 32, hidden: 16, experts: 16, k: 2 }
/** Tokens that are routed together. */
const together = 256

/** What the rest is done with. */
const chosen = 'auxiliary loss, 0.003'
const balances: [string, Partial<TinyMoeOptions>][] = [
  ['none', {}],
  [chosen, { auxiliary: 0.003 }],
  ['auxiliary loss, 0.03', { auxiliary: 0.03 }],
  ['biases', { balance: 'bias' }],
]

interface Trained {
  model: TinyMoe
  params: TinyMoeParams
  state: LayerState
  seconds: number
}

async function trained(more: Partial<TinyMoeOptions>, data: Digits, seed: number, epochs: number): Promise<Trained> {
  const model = tinyMoe({ ...sizes, ...more })
  const start = performance.now()
  const { params, state } = await train(
    {
      params: model.init(generator(seed), { dtype: 'float32' }),
      state: model.state?.({ dtype: 'float32' }),
      loss: model.loss,
      data: dataLoader({ ...data }, { batchSize: 128, shuffle: true, seed }),
    },
    { optimizer: adam({ learningRate: 2e-3 }), epochs, seed },
  )
  return { model, params, state, seconds: (performance.now() - start) / 1000 }
}

/** Accuracy and the highest load over the mean, without capacities. */
function judged({ model, params, state }: Trained, { x, y }: Digits, keep?: Int32Array) {
  return withArena(() => {
    const { logits, moe } = model.forward(params, x, { context: { state }, keep })
    const total = moe.load.reduce((sum, n) => sum + n, 0)
    const most = moe.load.reduce((largest, n) => Math.max(largest, n), 0)
    return { accuracy: accuracy(logits, y), imbalance: (most * moe.load.length) / total }
  })
}

const methods = ['topk-drop', 'greedy', 'exact'] as const
type Method = (typeof methods)[number]

/** Accuracy and the part of the scores that is kept, routing batches of tokens within capacities. */
async function routed({ model, params }: Trained, { x, y }: Digits, method: Method, capacityFactor: number) {
  let [right, kept, whole] = [0, 0, 0]
  for (let from = 0; from < y.length; from += together) {
    const to = Math.min(y.length, from + together)
    const part: Tensor = slice(x, [[from, to]])
    const { logits } = model.forward(params, part).moe
    const scores = { data: softmax(logits).data as Float32Array, shape: [to - from, sizes.experts] }
    const { routing, value } = await route(scores, { k: sizes.k, capacityFactor, method, bound: false })
    whole += (await route(scores, { k: sizes.k, method: 'topk' })).value
    kept += value
    const said = model.forward(params, part, { routing }).logits
    right += accuracy(said, y.slice(from, to)) * (to - from)
  }
  return { accuracy: right / y.length, kept: kept / whole }
}

/** Figures by what they are of and what they are, one for each state. */
type Lists<T extends string> = Record<string, Record<T, number[]>>

export async function run({ quick, log }: Context): Promise<Report> {
  const [states, others, epochs] = quick ? [1, 1, 2] : [10, 3, 12]
  const data = digits(quick ? 1000 : 8000, 2000, 'float32')
  const balance: Lists<'accuracy' | 'imbalance' | 'seconds'> = {}
  const capacity: Lists<'accuracy' | 'kept'> = {}
  const pruned: Lists<'accuracy' | 'loss'> = {}
  const base: number[] = []
  const put = <T extends string>(all: Lists<T>, name: string, found: Record<T, number>): void => {
    const keys = Object.keys(found) as T[]
    all[name] ??= Object.fromEntries(keys.map((key) => [key, []])) as unknown as Record<T, number[]>
    for (const key of keys) all[name][key].push(found[key])
  }
  const orders: Record<string, boolean[]> = {}
  const order = (name: string, holds: boolean): void => {
    orders[name] ??= []
    orders[name].push(holds)
  }
  for (let seed = 0; seed < states; seed++) {
    log(`state ${seed}`)
    // The other ways of balancing are for comparison only.
    for (const [name, more] of balances.filter(([name]) => seed < others || name === chosen)) {
      const run = await trained(more, data.train, seed, epochs)
      put(balance, name, { ...judged(run, data.test), seconds: run.seconds })
      if (name !== chosen) continue
      base.push(judged(run, data.test).accuracy)
      for (const factor of [1, 1.25]) {
        const found = {} as Record<Method, { accuracy: number; kept: number }>
        for (const method of methods) {
          found[method] = await routed(run, data.test, method, factor)
          put(capacity, `${factor}, ${method}`, found[method])
        }
        order(
          `capacity ${factor}: kept score, overflow dropped < greedy <= exact`,
          found['topk-drop'].kept < found.greedy.kept && found.greedy.kept <= found.exact.kept + 1e-12,
        )
        order(
          `capacity ${factor}: accuracy, overflow dropped <= exact`,
          found['topk-drop'].accuracy <= found.exact.accuracy,
        )
      }
      await pruneRun(run, data, seed, (name, found) => put(pruned, name, found), order)
    }
  }
  const rowsOf = <T extends string>(all: Lists<T>, keys: T[]): Cell[][] =>
    Object.entries(all).map(([name, lists]) => [name, ...keys.map((key) => spread(lists[key]))])
  const tables: Table[] = [
    {
      title:
        'Balancing: 784 → 32, 16 experts 32 → 16 → 32, 2 each, 10 classes; 8,000 digits, 12 epochs of Adam at 2e-3',
      note: `Median and range over ${states} states, ${others} for other ways of balancing; 2,000 other digits to test. Highest load over the mean.`,
      columns: ['', 'accuracy', 'imbalance', 'seconds of training'],
      rows: rowsOf(balance, ['accuracy', 'imbalance', 'seconds']),
    },
    {
      title: `Routing within capacities, ${together} tokens together, trained with the auxiliary loss of 0.003`,
      columns: ['capacity factor, method', 'accuracy', 'part of the scores kept'],
      rows: rowsOf(capacity, ['accuracy', 'kept']),
    },
    {
      title: 'Fewer experts, the same net: chosen on 512 digits of the training set',
      columns: ['experts kept, method', 'accuracy', 'change of the outputs'],
      rows: rowsOf(pruned, ['accuracy', 'loss']),
    },
  ]
  const all = Object.entries(orders).map(([name, holds]) =>
    atLeast(`${name}: states of ${states}`, holds.filter(Boolean).length, states),
  )
  const targets: Target[] = [
    atLeast('accuracy without capacities, auxiliary loss of 0.003, least of the states', Math.min(...base), 0.92),
    atMost(
      'seconds of training, longest',
      Math.max(...Object.values(balance).flatMap(({ seconds }) => seconds)),
      30,
      ' s',
    ),
    ...all,
  ]
  return { tables, targets }
}

async function pruneRun(
  run: Trained,
  data: { train: Digits; test: Digits },
  seed: number,
  put: (name: string, found: { accuracy: number; loss: number }) => void,
  order: (name: string, holds: boolean) => void,
): Promise<void> {
  const layer = run.model.calibration(run.params, slice(data.train.x, [[0, 512]]))
  for (const keep of [12, 8]) {
    const loss: Record<string, number> = {}
    for (const method of ['random', 'frequency', 'greedy', 'swap', 'enumerate'] as const) {
      const solution = await prune(layer, { keep, method, seed })
      loss[method] = solution.value
      put(`${keep}, ${method}`, { accuracy: judged(run, data.test, solution.keep).accuracy, loss: solution.value })
    }
    order(
      `keep ${keep}: change, all subsets <= swap <= greedy <= frequency`,
      loss.enumerate <= loss.swap + 1e-9 && loss.swap <= loss.greedy + 1e-9 && loss.greedy <= loss.frequency + 1e-9,
    )
    order(`keep ${keep}: change, frequency < random`, loss.frequency < loss.random)
  }
}
