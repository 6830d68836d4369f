import { completeMatrix } from '../../lib/lowrank/index.js'
import { planted } from '../../test/helpers/planted.js'
import type { Context, Report } from '../lib/benchmark.js'
import { plantedRatings } from '../lib/ratings.js'
import type { Cell } from '../lib/table.js'
import { atMost, type Target } from '../lib/target.js'

export const description =
  'Matrix completion without noise: the accuracy of every solver, and the iterations that rough half steps cost.'

const rank = 20

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

export async function run({ threads, log }: Context): Promise<Report> {
  const targets: Target[] = []
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
