import { pointCloud, type SinkhornOptions, sinkhorn, type TransportProblem } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { randomAssignment, uniformPoints } from '../lib/problems.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'

export const description = 'Sinkhorn with and without Anderson acceleration, to the same marginal error.'

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const n = quick ? 300 : 1000
  const cloud: TransportProblem = { cost: pointCloud(uniformPoints(n, 3, 1), uniformPoints(n, 3, 2)) }
  const cases: [string, TransportProblem, number][] = [
    ['random assignment', randomAssignment(n, 1), 1 / 100],
    ['random assignment', randomAssignment(n, 1), 1 / 400],
    ['points in the cube', cloud, 3 / 100],
    ['points in the cube', cloud, 3 / 400],
  ]
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [name, problem, epsilon] of cases) {
    log(`${name}, epsilon ${epsilon}`)
    const options: SinkhornOptions = { epsilon, tolerance: 1e-6, certificate: false, threads }
    await sinkhorn(problem, { ...options, maxIterations: 3 })
    const plain = await sinkhorn(problem, { ...options, acceleration: 'none' })
    const accelerated = await sinkhorn(problem, { ...options, acceleration: 'anderson' })
    for (const { status } of [plain, accelerated]) {
      if (status !== 'converged') throw new Error(`${name}, epsilon ${epsilon}: ${status}`)
    }
    const ratio = plain.iterations / accelerated.iterations
    const speed = plain.elapsed / accelerated.elapsed
    rows.push([
      name,
      epsilon,
      plain.iterations,
      accelerated.iterations,
      ratio,
      plain.elapsed,
      accelerated.elapsed,
      speed,
    ])
    targets.push(atLeast(`${name}, epsilon ${epsilon}: fewer iterations`, ratio, 1, '×'))
  }
  return {
    tables: [
      {
        title: `${n} × ${n}, to a marginal error of 1e-6`,
        columns: [
          'problem',
          'epsilon',
          'iterations',
          'accelerated',
          'ratio',
          'milliseconds',
          'accelerated, milliseconds',
          'speed-up',
        ],
        rows,
      },
    ],
    targets,
  }
}
