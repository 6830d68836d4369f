import { blockCoordinateDescent, type DescentProblem, type Selection, type Update } from '../../lib/descent/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { classes, regression, signs } from '../lib/descent-data.js'
import { gaps } from '../lib/descent-gaps.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'

export const description =
  'Block coordinate descent: how far each rule of partition, selection and update comes in 500 iterations, data sets A, B and C.'

const half = (b: Float64Array) => b.reduce((sum, value) => sum + 0.5 * value * value, 0)

/** What an independent implementation reached after 500 iterations on its own draw of the small data set A. */
const reference: Record<string, number> = {
  'gradient sort random': 2e-2,
  'gradient sort cyclic': 8e-3,
  'gradient sort lipschitz': 4e-2,
  'gradient sort gs': 1.7e-3,
  'gradient sort gsl': 2.1e-4,
  'gradient sort gsd': 3e-4,
  'gradient variable random': 1.2e-1,
  'gradient variable cyclic': 3e-2,
  'gradient variable gs': 7.7e-4,
  'gradient variable gsd': 3.6e-5,
  'matrix sort random': 1.6e-2,
  'matrix sort gs': 1.4e-3,
  'matrix sort gsl': 6e-5,
  'matrix sort gsd': 4.1e-5,
  'matrix sort gsq': 4.4e-5,
  'matrix variable random': 2.7e-2,
  'matrix variable cyclic': 3.8e-3,
  'matrix variable gs': 1.2e-4,
  'matrix variable gsd': 9.6e-7,
  'matrix variable gsd, row sums': 6.9e-6,
}

async function small(log: Context['log'], targets: Target[]): Promise<Table> {
  const { A, b } = regression(400, 800, 1)
  const problem: DescentProblem = { loss: 'least-squares', A, b }
  const exact = await blockCoordinateDescent(problem, { blockSize: 800, tolerance: 1e-13, maxIterations: 20 })
  const rows: Cell[][] = []
  const reached = new Map<string, number>()
  for (const update of ['gradient', 'matrix'] as const) {
    for (const partition of ['sort', 'variable'] as const) {
      const selections =
        partition === 'sort'
          ? ['random', 'cyclic', 'lipschitz', 'gs', 'gsl', 'gsd', 'gsq']
          : ['random', 'cyclic', 'lipschitz', 'gs', 'gsd', 'gsd, row sums', 'iht']
      for (const name of selections) {
        log(`A, 400 × 800: ${update}, ${partition}, ${name}`)
        const [selection, sums] = name.split(', ')
        const diagonal = sums === undefined ? 'lipschitz' : 'row-sums'
        const { ratios, elapsed } = await gaps(
          problem,
          { update, partition, selection: selection as Selection, diagonal },
          half(b),
          exact.value,
          [100, 500],
        )
        const key = `${update} ${partition} ${name}`
        rows.push([update, partition, name, ...ratios, reference[key] ?? null, elapsed])
        reached.set(key, ratios[1])
      }
    }
  }
  const ratio = (worse: string, better: string) => reached.get(worse)! / reached.get(better)!
  for (const update of ['gradient', 'matrix']) {
    targets.push(
      atLeast(`A: gap of gs / gsl, ${update}, sort`, ratio(`${update} sort gs`, `${update} sort gsl`), 3, '×'),
    )
  }
  const best = ratio('matrix variable cyclic', 'matrix variable gsd')
  targets.push(atLeast('A: gap of cyclic / gsd, matrix, variable', best, 1000, '×'))
  return {
    title: 'Data set A, 400 × 800, τ = 5: (f − f*) / (f₀ − f*)',
    columns: ['update', 'partition', 'selection', 'after 100', 'after 500', 'reference, 500', 'ms for 500'],
    rows,
  }
}

const rulesOfAll: [Update, 'sort' | 'order' | 'average' | 'variable', Selection][] = [
  ['gradient', 'order', 'gsl'],
  ['gradient', 'average', 'gsl'],
  ['gradient', 'sort', 'random'],
  ['gradient', 'sort', 'cyclic'],
  ['gradient', 'sort', 'gs'],
  ['gradient', 'sort', 'gsl'],
  ['gradient', 'variable', 'random'],
  ['gradient', 'variable', 'cyclic'],
  ['gradient', 'variable', 'gs'],
  ['gradient', 'variable', 'gsd'],
  ['matrix', 'sort', 'cyclic'],
  ['matrix', 'sort', 'gsl'],
  ['matrix', 'variable', 'cyclic'],
  ['matrix', 'variable', 'gsd'],
  ['newton', 'variable', 'gsd'],
]

/** In all three the rows are independent, so that every margin can be had: the least value is 0. */
async function full(
  name: string,
  size: string,
  problem: DescentProblem,
  start: number,
  log: Context['log'],
  targets: Target[],
): Promise<Table> {
  const rows: Cell[][] = []
  const reached = new Map<string, number>()
  for (const [update, partition, selection] of rulesOfAll) {
    log(`${name}: ${update}, ${partition}, ${selection}`)
    const { ratios, elapsed } = await gaps(problem, { update, partition, selection }, start, 0, [100, 500])
    rows.push([update, partition, selection, ...ratios, elapsed])
    reached.set(`${update} ${partition} ${selection}`, ratios[1])
  }
  const ratio = (worse: string, better: string) => reached.get(worse)! / reached.get(better)!
  targets.push(
    atLeast(`${name}: gap of gs / gsl, gradient, sort`, ratio('gradient sort gs', 'gradient sort gsl'), 1, '×'),
    atLeast(
      `${name}: gap of cyclic / gsd, gradient, variable`,
      ratio('gradient variable cyclic', 'gradient variable gsd'),
      1,
      '×',
    ),
    atLeast(
      `${name}: gap of gradient / newton, gsd, variable`,
      ratio('gradient variable gsd', 'newton variable gsd'),
      1,
      '×',
    ),
  )
  return {
    title: `Data set ${name}, ${size}, τ = 5: f / f₀ (the least value is 0)`,
    columns: ['update', 'partition', 'selection', 'after 100', 'after 500', 'ms for 500'],
    rows,
  }
}

export async function run({ quick, log }: Context): Promise<Report> {
  const targets: Target[] = []
  const tables = [await small(log, targets)]
  const [m, n, features, count] = quick ? [200, 1000, 200, 10] : [1000, 10_000, 1000, 50]
  const a = regression(m, n, 6)
  const size = `${m} × ${n}`
  tables.push(await full('A', size, { loss: 'least-squares', ...a }, half(a.b), log, targets))
  const b = signs(m, n, 7)
  tables.push(await full('B', size, { loss: 'logistic', ...b }, m * Math.LN2, log, targets))
  const c = classes(features, features, count, 8)
  const problem: DescentProblem = { loss: 'softmax', ...c, classes: count }
  const shape = `${features} × ${features}, ${count} classes`
  tables.push(await full('C', shape, problem, features * Math.log(count), log, targets))
  return { tables, targets }
}
