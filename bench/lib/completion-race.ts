import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CompletionOptions, completeMatrix } from '../../lib/lowrank/index.js'
import type { Context, Report } from './benchmark.js'
import { environment } from './environment.js'
import { plantedRatings, type Ratings } from './ratings.js'
import type { Cell } from './table.js'
import { atLeast, type Target } from './target.js'

const script = fileURLToPath(new URL('../peer/als.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'
const rank = 20
const regularization = 1
/** The peer is done at so many times our held-out error. */
const near = 1.005
/** Or after so many seconds: then it would need more, and our ratio is a lower bound. */
const patience = 60

interface Answer {
  numpy: string
  scipy: string
  seconds: number
  iterations: number
  rmse: number
}

const ways = {
  lines: 'Gram matrices line by line',
  dense: 'a dense matrix of what was observed',
} as const
type Way = keyof typeof ways

function askPeer(way: Way, data: Ratings, target: number, threads: number): Answer {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    const { rows, columns, values, held, shape } = data
    const files = { rows, columns, values, heldRows: held.rows, heldColumns: held.columns, heldValues: held.values }
    for (const [name, array] of Object.entries(files)) writeFileSync(path.join(folder, name), array)
    const numbers = [...shape, rank, regularization, target, patience].map(String)
    const count = String(threads)
    const env = { ...environment(), OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count }
    return JSON.parse(execFileSync(python, [script, way, folder, ...numbers], { encoding: 'utf8', env }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Whole solves of ours until they converge, and of NumPy's until it is as good. */
export async function completionRace(way: Way, { quick, threads, log }: Context): Promise<Report> {
  const targets: Target[] = []
  const [m, n, observed] = quick ? [4472, 2236, 500_000] : [20_000, 10_000, 10_000_000]

  log(`${m} × ${n}, ${observed} observed`)
  const noisy = plantedRatings(m, n, rank, observed, 0.1)
  const race: Cell[][] = []
  const solvers: CompletionOptions[] = [
    { rank, regularization, solver: 'exact' },
    { rank, regularization, solver: 'inexact' },
    { rank, regularization, solver: 'exact', precision: 'single' },
    { rank, regularization, solver: 'inexact', precision: 'single' },
  ]
  const ours = []
  for (const options of solvers) {
    const solution = await completeMatrix(noisy, { ...options, tolerance: 1e-3, threads, backend: 'native' })
    const name = options.precision === undefined ? `${options.solver}` : `${options.solver}, single precision`
    log(`${name}: ${Math.round(solution.elapsed)} ms, ${solution.iterations} iterations`)
    const predicted = solution.predict(noisy.held.rows, noisy.held.columns)
    let squares = 0
    for (let k = 0; k < predicted.length; k++) squares += (predicted[k] - noisy.held.values[k]) ** 2
    const rmse = Math.sqrt(squares / predicted.length)
    ours.push({ name, milliseconds: solution.elapsed, iterations: solution.iterations, rmse })
  }
  const worst = Math.max(...ours.map(({ rmse }) => rmse))
  log(`NumPy, ${ways[way]}`)
  const peer = askPeer(way, noisy, near * worst, threads)
  for (const { name, milliseconds, iterations, rmse } of ours) {
    const ratio = (1000 * peer.seconds) / milliseconds
    race.push([`ours, ${name}`, milliseconds, iterations, rmse, ratio])
    targets.push(atLeast(`speed against NumPy, ${ways[way]}: ${name}`, ratio, 2, '×'))
  }
  const stopped = peer.rmse <= near * worst ? '' : ', stopped'
  race.push([`NumPy ${peer.numpy}, ${ways[way]}${stopped}`, 1000 * peer.seconds, peer.iterations, peer.rmse, 1])

  return {
    tables: [
      {
        title: `Planted rank ${rank}, ${m} × ${n}, ${observed} observed, noise 0.1`,
        note: 'Whole solves: ordering the entries, the start, the iterations. The peer stops when it is within 0.5 % of our held-out error, the larger one, or after a minute.',
        columns: ['', 'milliseconds', 'iterations', 'held-out RMSE', 'NumPy / this'],
        rows: race,
      },
    ],
    targets,
  }
}
