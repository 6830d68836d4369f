import { sinkhornNewtonSparse } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { randomAssignment, uniformClouds } from '../lib/problems.js'
import { timedSolve } from '../lib/solve.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'

export const description =
  'Sinkhorn-Newton-Sparse over the size of the problem: time grows as n², iterations hardly at all.'

const eta = 1200
const tolerance = 1e-9

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const sizes = quick ? [250, 500, 1000] : [250, 500, 1000, 2000, 4000]
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [name, make] of Object.entries({ 'random assignment': randomAssignment, '2-D clouds': uniformClouds })) {
    const times: number[] = []
    const counts: number[] = []
    for (const n of sizes) {
      log(`${name}, n = ${n}`)
      const problem = make(n, 1)
      const { solution, seconds } = await timedSolve(n > 2000 ? 1 : 3, () =>
        sinkhornNewtonSparse(problem, { epsilon: 1 / eta, tolerance, threads }),
      )
      const { status, iterations, passes } = solution
      if (status !== 'converged') throw new Error(`${name}, n = ${n}: ${status}`)
      times.push(seconds)
      counts.push(iterations)
      rows.push([name, n, iterations, passes, seconds, passes / seconds, (passes * n * n) / seconds / 1e9])
    }
    const growth = slope(sizes, times)
    targets.push(
      atLeast(`${name}: slope of log time over log n`, growth, 1.8),
      atMost(`${name}: slope of log time over log n`, growth, 2.2),
      atMost(`${name}: most iterations over the fewest`, Math.max(...counts) / Math.min(...counts), 1.5, '×'),
    )
  }
  return {
    tables: [
      {
        title: `To a marginal error of ${tolerance}, eta = ${eta}`,
        note: 'Certificate included, which takes four more passes. A pass visits all n² exponentials.',
        columns: ['problem', 'n', 'iterations', 'passes', 'seconds', 'passes / s', '10⁹ exponentials / s'],
        rows,
      },
    ],
    targets,
  }
}

/** Of the least-squares line through the logarithms. */
function slope(x: number[], y: number[]): number {
  const [u, v] = [x, y].map((values) => values.map(Math.log))
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [middle, height] = [mean(u), mean(v)]
  const products = u.map((value, k) => (value - middle) * (v[k] - height))
  return mean(products) / mean(u.map((value) => (value - middle) ** 2))
}
