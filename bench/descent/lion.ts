import { adamW, type LionFunction, type LionOptimizer, lion, lionFlow, lionK } from '../../lib/descent/index.js'
import { generator } from '../../lib/random/index.js'
import {
  add,
  crossEntropy,
  fromData,
  matmul,
  type Optimizer,
  relu,
  type Tensor,
  tensor,
  valueAndGrad,
  withArena,
  zeros,
} from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { mnistImages } from '../lib/images.js'
import { type BoxQuadratic, boxQuadratic, clippedMinimizer } from '../lib/lion-data.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'

export const description =
  'Lion-K: what it minimizes, its two phases and its Lyapunov function on quadratics, and the weights of a perceptron.'

export async function run({ quick, log }: Context): Promise<Report> {
  const targets: Target[] = []
  log('boxes')
  const tables = [box(targets, quick), phaseOne(targets), boxSizes(targets), slide()]
  log('every K')
  tables.push(everyK(targets, quick))
  log('flow')
  tables.push(await flow(targets))
  log('perceptron')
  tables.push(perceptron(targets, quick))
  return { tables, targets }
}

const largest = (x: Float64Array): number => x.reduce((most, entry) => Math.max(most, Math.abs(entry)), 0)

/** Steps of an optimizer on a quadratic, and the largest rise of its Lyapunov function. */
function descend(problem: BoxQuadratic, opt: LionOptimizer, x: Float64Array, steps: number): number {
  let [last, rise] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const params = { x: fromData(x, problem.n === 24 ? [4, 6] : [problem.n]) }
  for (let step = 0; step < steps; step++) {
    const gradients = { x: problem.gradient(x) } as unknown as typeof params
    const { lyapunov } = opt.report(params, gradients, problem.value(x))
    if (lyapunov !== null && lyapunov < Number.POSITIVE_INFINITY) {
      rise = Math.max(rise, lyapunov - last)
      last = lyapunov
    }
    opt.step(params, gradients)
  }
  return rise
}

function box(targets: Target[], quick: boolean): Table {
  const problem = boxQuadratic(20, 1)
  const exact = clippedMinimizer(problem, 1)
  const bounds = exact.filter((entry) => Math.abs(entry) === 1).length
  const rows = (quick ? [1e-2, 1e-3] : [1e-2, 1e-3, 1e-4]).map((eta): Cell[] => {
    const x = new Float64Array(20).fill(0.5)
    const rise = descend(problem, lion({ learningRate: eta, weightDecay: 1 }), x, 40 / eta)
    const gap = problem.value(x) - problem.value(exact)
    const error = largest(x.map((entry, i) => entry - exact[i]))
    targets.push(atMost(`η = ${eta}: largest error over η`, error / eta, 3, ''))
    return [eta, gap, error, largest(x), rise / eta ** 2]
  })
  return {
    title: `Lion on a quadratic in a box, n = 20, λ = 1, ${bounds} bounds active`,
    note: 'After 40/η steps, from 0.5 everywhere; the reference is by projected gradients. The last column is the largest rise of H in a step over η².',
    columns: ['η', 'f − f*', 'max |x − x*|', 'max |x|', 'rise / η²'],
    rows,
  }
}

function phaseOne(targets: Target[]): Table {
  const problem = boxQuadratic(20, 2)
  const rows = [0.01, 0.001].map((eta): Cell[] => {
    const lambda = 0.5
    const x = new Float64Array(20).fill(5 / lambda)
    const opt = lion({ learningRate: eta, weightDecay: lambda })
    let [slack, before, inside] = [0, Number.POSITIVE_INFINITY, 0]
    const start = largest(x) - 1 / lambda
    let worst = 0
    for (let k = 0; k < 12 / (eta * lambda); k++) {
      const distance = Math.max(0, largest(x) - 1 / lambda)
      if (distance === 0) inside++
      else if (before < Number.POSITIVE_INFINITY) worst = Math.max(worst, distance / before)
      slack = Math.max(slack, distance / (start * (1 - eta * lambda) ** k))
      before = distance
      opt.step(x, problem.gradient(x))
    }
    targets.push(atMost(`phase I, η = ${eta}: distance over (1 − ηλ)^k`, slack, 1 + 1e-9))
    return [eta, (1 - eta * lambda).toFixed(6), worst.toFixed(6), slack.toFixed(9), before, inside]
  })
  return {
    title: 'Phase I: from 5/λ, λ = 1/2',
    columns: [
      'η',
      '1 − ηλ',
      'largest ratio of distances',
      'largest distance / envelope',
      'after 12/(ηλ) steps',
      'steps inside',
    ],
    rows,
  }
}

function boxSizes(targets: Target[]): Table {
  const problem = boxQuadratic(20, 3, 3)
  const rows = [0.1, 0.5, 1, 2, 10].map((lambda): Cell[] => {
    const bound = 1 / lambda
    const exact = clippedMinimizer(problem, bound)
    const x = new Float64Array(20)
    const opt = lion({ learningRate: (step) => (0.1 * bound) / (1 + step / 200), weightDecay: lambda })
    for (let step = 0; step < 40_000; step++) opt.step(x, problem.gradient(x))
    const error = largest(x.map((entry, i) => entry - exact[i]))
    targets.push(atMost(`λ = ${lambda}: max |x| λ`, largest(x) * lambda, 1 + 1e-9))
    return [lambda, bound, largest(x), error / bound, exact.filter((entry) => Math.abs(entry) === bound).length]
  })
  return {
    title: 'Boxes of other sizes, η from 0.1/λ down as 1/(1 + step/200), 40,000 steps',
    columns: ['λ', '1/λ', 'max |x|', 'max |x − x*| λ', 'bounds active'],
    rows,
  }
}

/** f = ½ (x₁ − 3)² + 2 (x₂ − 0.25)² in the unit box. */
function slide(): Table {
  const x = Float64Array.of(-0.8, 0.9)
  const opt = lion({ learningRate: 0.01, weightDecay: 1 })
  const rows: Cell[][] = []
  for (let step = 0; step <= 600; step++) {
    if ([0, 50, 100, 150, 200, 300, 600].includes(step)) rows.push([step, x[0], x[1]])
    opt.step(x, Float64Array.of(x[0] - 3, 4 * (x[1] - 0.25)))
  }
  return {
    title: 'To the face and along it: minimum at (3, 0.25), unit box, η = 0.01',
    columns: ['step', 'x₁', 'x₂'],
    rows,
  }
}

const functions: [string, LionFunction][] = [
  ['l1', 'l1'],
  ['linf', 'linf'],
  ['half-square', 'half-square'],
  ['nuclear', 'nuclear'],
  ['log-sum-exp', 'log-sum-exp'],
  ['lp, p = 2', { kind: 'lp', p: 2 }],
  ['lp, p = 4', { kind: 'lp', p: 4 }],
  ['power, p = 3', { kind: 'power', p: 3 }],
  ['groups of 4', { kind: 'group', groups: 4 }],
  ['huber', { kind: 'huber', e: 0.2 }],
  ['soft-abs', { kind: 'soft-abs', e: 0.2 }],
  ['threshold', { kind: 'threshold', e: 0.3 }],
  ['top-k, k = 5', { kind: 'top-k', k: 5 }],
  ['log-cosh', { kind: 'log-cosh', e: 0.2 }],
]

function everyK(targets: Target[], quick: boolean): Table {
  const n = 24
  const problem = boxQuadratic(n, 4)
  const eta = 2e-3
  const bound = (problem.lipschitz * eta ** 2 * 4 * n) / 2
  const steps = quick ? 4000 : 20_000
  const rows = functions.map(([name, k]): Cell[] => {
    const x = new Float64Array(n).fill(1 / n)
    const opt = lionK({ k, learningRate: eta, weightDecay: 1 })
    const rise = descend(problem, opt, x, steps)
    const ends = () =>
      opt.report({ x: fromData(x, [4, 6]) }, { x: fromData(problem.gradient(x), [4, 6]) }, problem.value(x))
    const { objective, gap } = ends()
    // The certificate is as wide as the jitter: let it fall for the answer.
    opt.learningRate = (step) => eta / (1 + (step - steps) / 200)
    for (let step = 0; step < steps; step++) {
      opt.step({ x: fromData(x, [4, 6]) }, { x: fromData(problem.gradient(x), [4, 6]) })
    }
    const end = ends()
    targets.push(atMost(`${name}: largest rise of H over ½ L η² 4n`, Math.max(rise, 1e-300) / bound, 1))
    return [name, objective, gap, end.objective, end.gap, rise]
  })
  return {
    title: `Every K on a quadratic, n = ${n}, λ = 1, η = ${eta}`,
    note: `F = f + K*(λ x)/λ after ${steps} steps, and after as many with η falling. The gap bounds F − F* from above. No step may raise H by more than ½ L ‖step‖², which is at most ${bound.toExponential(1)}.`,
    columns: ['K', 'F', 'gap', 'F, η → 0', 'gap, η → 0', 'largest rise of H'],
    rows,
  }
}

async function flow(targets: Target[]): Promise<Table> {
  const problem = boxQuadratic(20, 5)
  const rows: Cell[][] = []
  for (const [name, k] of functions.filter(([name]) =>
    ['half-square', 'huber', 'soft-abs', 'log-cosh'].includes(name),
  )) {
    const { lyapunov, iterations, x, m } = await lionFlow(
      { x0: new Float64Array(20).fill(0.5), value: problem.value, gradient: problem.gradient },
      { k, time: 100, weightDecay: 1, epsilon: 0.5, tolerance: 1e-10 },
    )
    const rises = lyapunov!.slice(1).map((value, t) => value - lyapunov![t])
    const rise = rises.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
    const g = problem.gradient(x)
    const residual = largest(m.map((entry, i) => entry + g[i]))
    targets.push(atMost(`flow, ${name}: largest rise of H`, Math.max(rise, 1e-300), 1e-8))
    rows.push([name, iterations, lyapunov![0] - lyapunov!.at(-1)!, rise, residual])
  }
  return {
    title: 'The flow, Dormand-Prince at 1e-10, to t = 100',
    columns: ['K', 'steps', 'fall of H', 'largest rise in a step', 'max |m + ∇f|'],
    rows,
  }
}

const hiddenSize = 64
const pixels = 784
const perDigit = 880
const tested = 100

interface Digits {
  x: Tensor
  labels: Int32Array
}

type Network = { w1: Tensor; b1: Tensor; w2: Tensor; b2: Tensor }

function perceptron(targets: Target[], quick: boolean): Table {
  const { data } = mnistImages(perDigit)
  const part = (from: number, to: number): Digits => {
    const rows = 10 * (to - from)
    const values = new Float32Array(rows * pixels)
    const labels = new Int32Array(rows)
    // Digits in turn, so that any stretch has all of them.
    for (let r = 0; r < rows; r++) {
      const digit = r % 10
      const image = digit * perDigit + from + Math.floor(r / 10)
      values.set(data.subarray(image * pixels, (image + 1) * pixels), r * pixels)
      labels[r] = digit
    }
    return { x: fromData(values, [rows, pixels]), labels }
  }
  const [train, test] = [part(0, perDigit - tested), part(perDigit - tested, perDigit)]
  const epochs = quick ? 1 : 5
  const contenders: [string, number | null, () => Optimizer][] = [
    ['AdamW, λ = 0.01', null, () => adamW({ learningRate: 3e-3 })],
    ['Lion, λ = 1', 1, () => lion({ learningRate: 1e-3, weightDecay: 1 })],
    ...[3, 10, 30, 100].map((lambda): [string, number, () => Optimizer] => [
      `Lion, λ = ${lambda}`,
      lambda,
      () => lion({ learningRate: 1e-3, weightDecay: lambda }),
    ]),
    ['huber e = 1e-4, λ = 10', 10, () => lionK({ learningRate: 1e-3, weightDecay: 10, k: { kind: 'huber', e: 1e-4 } })],
    [
      'log-cosh e = 1e-4, λ = 10',
      10,
      () => lionK({ learningRate: 1e-3, weightDecay: 10, k: { kind: 'log-cosh', e: 1e-4 } }),
    ],
  ]
  const accuracies: number[] = []
  const rows = contenders.map(([name, lambda, make]): Cell[] => {
    const opt = make()
    const { loss, accuracy, params } = trained(opt, train, test, epochs)
    accuracies.push(accuracy)
    const weights = [...params.w1.data, ...params.w2.data].map(Math.abs)
    const most = weights.reduce((a, b) => Math.max(a, b), 0)
    const sorted = weights.sort((a, b) => a - b)
    const bytes = opt.state().arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (lambda !== null) targets.push(atMost(`${name}: max |w| λ`, most * lambda, 1 + 1e-5))
    return [
      name,
      lambda === null ? null : 1 / lambda,
      most,
      sorted[Math.floor(0.99 * sorted.length)],
      loss,
      100 * accuracy,
      bytes,
    ]
  })
  targets.push(atLeast('Lion, λ = 1: accuracy against AdamW, points', 100 * (accuracies[1] - accuracies[0]), -1))
  return {
    title: `Perceptron ${pixels}-${hiddenSize}-10 on ${train.labels.length} MNIST digits, ${epochs} epochs, batches of 60, float32`,
    columns: ['', '1/λ', 'max |w|', '99 % of |w| below', 'training loss', 'test accuracy, %', 'bytes of state'],
    rows,
  }
}

function lossOf({ w1, b1, w2, b2 }: Network, x: Tensor, labels: Int32Array): Tensor {
  return crossEntropy(add(matmul(relu(add(matmul(x, w1), b1)), w2), b2), labels)
}

function trained(
  opt: Optimizer,
  train: Digits,
  test: Digits,
  epochs: number,
): { loss: number; accuracy: number; params: Network } {
  const rng = generator(7)
  const dtype = 'float32'
  // Within the smallest box, so that nobody starts in phase I.
  const normal = (rows: number, columns: number) =>
    tensor(
      rng.normal(rows * columns).map((value) => value / 100),
      { dtype },
    ).view([rows, columns])
  const params: Network = {
    w1: normal(pixels, hiddenSize),
    b1: zeros([hiddenSize], { dtype }),
    w2: normal(hiddenSize, 10),
    b2: zeros([10], { dtype }),
  }
  const batch = 60
  const slopes = valueAndGrad(lossOf)
  let loss = 0
  for (let epoch = 0; epoch < epochs; epoch++) {
    loss = 0
    const batches = Math.floor(train.labels.length / batch)
    for (let b = 0; b < batches; b++) {
      const x = train.x.view([batch, pixels], b * batch * pixels, (b + 1) * batch * pixels)
      withArena(() => {
        const { value, gradient } = slopes(params, x, train.labels.subarray(b * batch, (b + 1) * batch))
        loss += value.item() / batches
        opt.step(params, gradient)
      })
    }
  }
  const scores = add(matmul(relu(add(matmul(test.x, params.w1), params.b1)), params.w2), params.b2).data
  let right = 0
  test.labels.forEach((label, r) => {
    let best = 0
    for (let c = 1; c < 10; c++) if (scores[10 * r + c] > scores[10 * r + best]) best = c
    if (best === label) right++
  })
  return { loss, accuracy: right / test.labels.length, params }
}
