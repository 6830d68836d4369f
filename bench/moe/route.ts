import loadHighs, { type Highs } from 'highs'
import { type RouteMethod, route, syntheticTrace } from '../../lib/moe/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { spread } from '../lib/spread.js'
import type { Cell, Table } from '../lib/table.js'
import { atMost, type Target } from '../lib/target.js'
import { median, medianOf } from '../lib/timing.js'

export const description =
  'Routing with capacities: what the methods are worth on ten synthetic layers, the time of the exact one, and its value against HiGHS.'

const methods: RouteMethod[] = ['topk-drop', 'expert-choice', 'sinkhorn', 'sparse-ot', 'greedy', 'dual', 'exact']

interface Scores {
  data: Float64Array
  shape: [number, number]
}

function layer(tokens: number, experts: number, seed: number, k = 2): Scores {
  const { scores } = syntheticTrace({ tokens, experts, seed, k })
  return { data: scores.data, shape: [tokens, experts] }
}

export async function run(context: Context): Promise<Report> {
  const values = await valueTable(context)
  const times = await timeTable(context)
  const peer = await peerTable(context)
  return {
    tables: [values.table, times.table, peer.table],
    targets: [...values.targets, ...times.targets, ...peer.targets],
  }
}

interface Part {
  table: Table
  targets: Target[]
}

async function valueTable({ quick, log }: Context): Promise<Part> {
  const states = quick ? 3 : 10
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const capacity of [160, 128]) {
    log(`capacity ${capacity}`)
    const share: Record<string, number[]> = {}
    const figures = methods.map((method) => ({
      method,
      value: [] as number[],
      part: [] as number[],
      short: [] as number[],
      over: [] as number[],
    }))
    const gaps: number[] = []
    for (let seed = 0; seed < states; seed++) {
      const scores = layer(1024, 16, seed)
      const solutions = await Promise.all(methods.map((method) => route(scores, { capacity, method })))
      const exact = solutions[methods.indexOf('exact')]
      gaps.push(Math.abs(exact.gap as number) / exact.value)
      solutions.forEach((solution, i) => {
        figures[i].value.push(solution.value / exact.value)
        figures[i].part.push(100 * solution.assigned)
        figures[i].short.push((100 * solution.short) / 1024)
        figures[i].over.push((100 * solution.over) / 1024)
      })
      share.drop = [...(share.drop ?? []), solutions[0].value / exact.value]
    }
    for (const { method, value, part, short, over } of figures) {
      rows.push([capacity, method, spread(value), spread(part), spread(short), spread(over)])
    }
    targets.push(
      atMost(
        `gap of exact routing and its bound over the value, capacity ${capacity}, worst of ${states}`,
        Math.max(...gaps) + 1e-16,
        1e-9,
      ),
      atMost(`topk-drop / exact, capacity ${capacity}, worst of ${states}`, Math.max(...share.drop), 0.85, '×'),
    )
  }
  const table = {
    title: '1024 tokens, 16 experts, 2 each: median and range over the states',
    note: 'Capacity 160 is 1.25 × the mean load, 128 the mean load. Value over that of the exact routing, which equals its dual bound.',
    columns: ['capacity', 'method', 'value / exact', '% of places filled', '% of tokens short', '% with more than 2'],
    rows,
  }
  return { table, targets }
}

async function timeTable({ quick, log }: Context): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  const sizes: [number, number, number, number][] = quick
    ? [[2048, 32, 2, 1]]
    : [
        [1024, 16, 2, 1],
        [8192, 64, 2, 1.25],
        [8192, 64, 2, 1],
        [8192, 64, 8, 1],
        [8192, 256, 8, 1.25],
      ]
  for (const [tokens, experts, k, capacityFactor] of sizes) {
    log(`${tokens} × ${experts}, k = ${k}`)
    const scores = layer(tokens, experts, 3, k)
    const time = async (backend: 'native' | 'portable', repetitions: number) => {
      const all: number[] = []
      let [iterations, gap] = [0, 0]
      for (let r = 0; r <= repetitions; r++) {
        const start = performance.now()
        const solution = await route(scores, { k, capacityFactor, backend })
        if (r > 0) all.push(performance.now() - start)
        iterations = solution.iterations
        gap = Math.abs(solution.gap as number) / solution.value
      }
      return { time: median(all), iterations, gap }
    }
    const native = await time('native', quick ? 1 : 5)
    const portable = await time('portable', 1)
    rows.push([tokens, experts, k, capacityFactor, native.time, portable.time, native.iterations, native.gap])
    if (tokens === 8192 && experts === 64 && k === 2) {
      const where = `exact routing, T = 8192, E = 64, K = 2, factor ${capacityFactor}`
      targets.push(
        atMost(`${where}, native`, native.time, 200, ' ms'),
        atMost(`${where}: gap to the dual bound over the value (+1e-16)`, native.gap + 1e-16, 1e-9),
      )
    }
  }
  const table = {
    title: 'Exact routing with its proof, milliseconds of the whole call',
    columns: ['tokens', 'experts', 'k', 'capacity factor', 'native', 'portable', 'sweeps and paths', 'gap / value'],
    rows,
  }
  return { table, targets }
}

async function peerTable({ quick, log }: Context): Promise<Part> {
  const tokens = quick ? 128 : 512
  log(`HiGHS, ${tokens} × 16`)
  const scores = layer(tokens, 16, 1)
  const capacity = tokens / 8
  const highs = await (loadHighs as unknown as () => Promise<Highs>)()
  const name = (t: number, e: number) => `x${t}_${e}`
  const experts = Array.from({ length: 16 }, (_, e) => e)
  const rows = Array.from({ length: tokens }, (_, t) => ` t${t}: ${experts.map((e) => name(t, e)).join(' + ')} = 2`)
  const columns = experts.map(
    (e) => ` e${e}: ${Array.from({ length: tokens }, (_, t) => name(t, e)).join('\n + ')} <= ${capacity}`,
  )
  const terms = Array.from(scores.data, (s, i) => `+ ${s} ${name(Math.floor(i / 16), i % 16)}`)
  const bounds = Array.from(scores.data, (_, i) => ` ${name(Math.floor(i / 16), i % 16)} <= 1`)
  const text = `Maximize\n obj: ${terms.join('\n ')}\nSubject To\n${[...rows, ...columns].join('\n')}\nBounds\n${bounds.join('\n')}\nEnd\n`
  const start = performance.now()
  const solution = highs.solve(text)
  const theirs = performance.now() - start
  let ours = await route(scores, { capacity })
  const time = await medianOf(quick ? 1 : 5, async () => {
    ours = await route(scores, { capacity })
    return ours.elapsed
  })
  const difference = Math.abs(ours.value - solution.ObjectiveValue) / ours.value
  const table = {
    title: 'Against HiGHS (linear program, in WebAssembly)',
    columns: ['tokens', 'experts', 'ours, ms', 'HiGHS, ms', 'ratio', 'relative difference of the values'],
    rows: [[tokens, 16, time, theirs, theirs / time, difference]] as Cell[][],
  }
  return { table, targets: [atMost('relative difference of the values', difference + 1e-16, 1e-7)] }
}
