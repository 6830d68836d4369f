import { solveForest } from '../../lib/descent/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { tree } from '../lib/descent-data.js'
import type { Cell } from '../lib/table.js'
import { atMost } from '../lib/target.js'
import { medianOf } from '../lib/timing.js'

export const description = 'solveForest: random trees of up to a million nodes, whether its time is linear.'

/** Of the least-squares line through (log n, log time). */
function slope(points: [number, number][]): number {
  const logs = points.map((point) => point.map(Math.log))
  const mean = (k: number) => logs.reduce((sum, point) => sum + point[k], 0) / logs.length
  const [x, y] = [mean(0), mean(1)]
  return logs.reduce((sum, [u, v]) => sum + (u - x) * (v - y), 0) / logs.reduce((sum, [u]) => sum + (u - x) ** 2, 0)
}

export async function run({ quick, threads }: Context): Promise<Report> {
  const rows: Cell[][] = []
  const cases = [
    ['native', 1],
    ['native', threads],
    ['portable', 1],
  ] as const
  const points: [number, number][][] = cases.map(() => [])
  for (const n of quick ? [1e3, 1e4, 1e5] : [1e4, 3e4, 1e5, 3e5, 1e6]) {
    const { A, b } = tree(n, 4)
    const times: number[] = []
    let residual = 0
    for (const [k, [backend, count]] of cases.entries()) {
      const time = await medianOf(n > 1e5 ? 9 : 25, async () => {
        const solution = await solveForest(A, b, { backend, threads: count })
        residual = Math.max(residual, solution.residual)
        return solution.elapsed
      })
      times.push(time)
      points[k].push([n, time])
    }
    rows.push([n, ...times, (1e6 * times[0]) / n, residual])
  }
  const limit = quick ? 0.5 : 0.1
  const targets = cases.map(([backend, count], k) =>
    atMost(`|slope − 1|, ${backend}, ${count} thread${count > 1 ? 's' : ''}`, Math.abs(slope(points[k]) - 1), limit),
  )
  return {
    tables: [
      {
        title: 'Random trees, milliseconds with all checks of the input',
        columns: [
          'nodes',
          'native, 1 thread',
          `native, ${threads} threads`,
          'portable',
          'ns per node',
          'largest |b − A x|',
        ],
        rows,
      },
    ],
    targets,
  }
}
