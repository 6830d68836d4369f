import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CompletionOptions, completeMatrix } from '../../lib/lowrank/index.js'
import { planted } from '../../test/helpers/planted.js'
import type { Context, Report } from '../lib/benchmark.js'
import { environment } from '../lib/environment.js'
import { plantedRatings, type Ratings } from '../lib/ratings.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'Matrix completion: alternating least squares against NumPy at equal held-out error; accuracy without noise.'

const script = fileURLToPath(new URL('../peer/als.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'
const rank = 20
const regularization = 1
/** The peer is done at so many times our held-out error. */
const near = 1.005

interface Answer {
  numpy: string
  scipy: string
  seconds: number
  iterations: number
  rmse: number
}

type Way = 'lines' | 'dense'

function askPeer(way: Way, data: Ratings, target: number, threads: number): Answer {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    const { rows, columns, values, held, shape } = data
    const files = { rows, columns, values, heldRows: held.rows, heldColumns: held.columns, heldValues: held.values }
    for (const [name, array] of Object.entries(files)) writeFileSync(path.join(folder, name), array)
    const numbers = [...shape, rank, regularization, target, 60].map(String)
    const count = String(threads)
    const env = { ...environment(), OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count }
    return JSON.parse(execFileSync(python, [script, way, folder, ...numbers], { encoding: 'utf8', env }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Iterations of both solvers to three levels of the training error, and the error over all entries in the end. */
async function iterationCounts(k: number, share: number, condition: number, threads: number): Promise<Cell[]> {
  const values = Array.from({ length: k }, (_, i) => condition ** (-i / (k - 1)))
  const data = planted(600, 600, { values, share, seed: 7 })
  const size = Math.sqrt(data.problem.values.reduce((sum, x) => sum + x * x, 0) / data.problem.values.length)
  const texts: string[] = []
  const errors: number[] = []
  for (const solver of ['exact', 'inexact'] as const) {
    const options = { rank: k, solver, tolerance: 1e-12, maxIterations: 60, threads, backend: 'native' } as const
    const solution = await completeMatrix(data.problem, options)
    const level = (wanted: number) => {
      const at = solution.history.trainRmse.findIndex((rmse) => rmse <= wanted * size)
      return at < 0 ? '–' : String(at + 1)
    }
    texts.push([1e-3, 1e-6, 1e-10].map(level).join(' / '))
    let error = 0
    let whole = 0
    for (let i = 0; i < 600; i += 7) {
      const columns = Array.from({ length: 600 }, (_, j) => j)
      solution.predict(new Array(600).fill(i), columns).forEach((x, j) => {
        error += (x - data.at(i, j)) ** 2
        whole += data.at(i, j) ** 2
      })
    }
    errors.push(Math.sqrt(error / whole))
  }
  return [...texts, ...errors]
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const repetitions = quick ? 1 : 2
  const targets: Target[] = []
  const [m, n, observed] = quick ? [4472, 2236, 500_000] : [20_000, 10_000, 10_000_000]

  log(`${m} × ${n}, ${observed} observed`)
  const noisy = plantedRatings(m, n, rank, observed, 0.1)
  const race: Cell[][] = []
  const solvers: CompletionOptions[] = [
    { rank, regularization, solver: 'exact' },
    { rank, regularization, solver: 'inexact' },
  ]
  const ours = []
  for (const options of solvers) {
    const times: number[] = []
    const solve = () => completeMatrix(noisy, { ...options, tolerance: 1e-3, threads, backend: 'native' })
    let solution = await solve()
    times.push(solution.elapsed)
    for (let k = 1; k < repetitions; k++) {
      solution = await solve()
      times.push(solution.elapsed)
    }
    log(`${options.solver}: ${Math.round(median(times))} ms, ${solution.iterations} iterations`)
    const predicted = solution.predict(noisy.held.rows, noisy.held.columns)
    let squares = 0
    for (let k = 0; k < predicted.length; k++) squares += (predicted[k] - noisy.held.values[k]) ** 2
    const rmse = Math.sqrt(squares / predicted.length)
    ours.push({ name: options.solver as string, milliseconds: median(times), iterations: solution.iterations, rmse })
  }
  const worst = Math.max(...ours.map(({ rmse }) => rmse))
  const ways: Record<Way, string> = {
    lines: 'Gram matrices line by line',
    dense: 'a dense matrix of what was observed',
  }
  const peers = (Object.keys(ways) as Way[]).map((way) => {
    log(`NumPy, ${ways[way]}`)
    const answer = askPeer(way, noisy, near * worst, threads)
    if (!(answer.rmse <= near * worst)) throw new Error(`NumPy (${way}) ended at ${answer.rmse}, not at ${worst}`)
    return { name: `NumPy ${answer.numpy}, ${ways[way]}`, ...answer }
  })
  const best = Math.min(...peers.map(({ seconds }) => seconds))
  for (const { name, milliseconds, iterations, rmse } of ours) {
    const ratio = (1000 * best) / milliseconds
    race.push([`ours, ${name}`, milliseconds, iterations, rmse, ratio])
    targets.push(atLeast(`speed against the best peer, ${name}`, ratio, 2, '×'))
  }
  for (const { name, seconds, iterations, rmse } of peers)
    race.push([name, 1000 * seconds, iterations, rmse, best / seconds])

  log('without noise')
  const [a, b, few] = [2000, 1500, 600_000]
  const clean = plantedRatings(a, b, rank, few, 0)
  const exactness: Cell[][] = []
  for (const solver of ['exact', 'inexact', 'sketched', 'gradient'] as const) {
    const options = { rank, solver, tolerance: 1e-12, maxIterations: 60, threads, backend: 'native' } as const
    const solution = await completeMatrix(clean, options)
    const predicted = solution.predict(clean.held.rows, clean.held.columns)
    let error = 0
    let size = 0
    for (let k = 0; k < predicted.length; k++) {
      error += (predicted[k] - clean.held.values[k]) ** 2
      size += clean.held.values[k] ** 2
    }
    const relative = Math.sqrt(error / size)
    exactness.push([
      solver,
      solution.iterations,
      relative,
      solution.innerIterations,
      solution.diverged,
      solution.elapsed,
    ])
    if (solver === 'exact' || solver === 'inexact') {
      targets.push(atMost(`relative error without noise, ${solver}`, relative, 1e-10))
    }
  }

  log('iterations')
  const counts: Cell[][] = []
  for (const [k, share, condition] of [
    [5, 0.15, 2],
    [5, 0.15, 10],
    [10, 0.25, 3],
    [10, 0.1, 3],
    [10, 0.05, 3],
  ]) {
    counts.push([`k = ${k}, p = ${share}, κ = ${condition}`, ...(await iterationCounts(k, share, condition, threads))])
  }

  return {
    tables: [
      {
        title: `Planted rank ${rank}, ${m} × ${n}, ${observed} observed, noise 0.1`,
        note: 'Whole solves: ordering the entries, the start, the iterations. The peers stop when they are within 0.5 % of our held-out error, the larger one.',
        columns: ['', 'milliseconds', 'iterations', 'held-out RMSE', 'best peer / this'],
        rows: race,
      },
      {
        title: `Without noise, ${a} × ${b}, ${few} observed`,
        columns: ['solver', 'iterations', 'relative error', 'steps per regression', 'diverged', 'milliseconds'],
        rows: exactness,
      },
      {
        title: 'Iterations to a relative training error of 1e-3 / 1e-6 / 1e-10, m = n = 600',
        columns: ['', 'exact', 'inexact', 'error, exact', 'error, inexact'],
        rows: counts,
      },
    ],
    targets,
  }
}
