import { sinkhornNewtonSparse, type TransportSolution } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import {
  betweenPoints,
  type DenseProblem,
  digitPair,
  normalPoints,
  randomAssignment,
  uniformClouds,
  withDirichletWeights,
} from '../lib/problems.js'
import { timedSolve } from '../lib/solve.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost } from '../lib/target.js'

export const description = 'Sinkhorn-Newton-Sparse on 20 problems of every kind, each to a marginal error of 1e-12.'

const tolerance = 1e-12

function problems(): [name: string, problem: DenseProblem][] {
  const pairs: [from: number, to: number][] = [
    [3, 7],
    [0, 1],
    [5, 5],
  ]
  return [
    ['assignment, n = 500', randomAssignment(500, 1)],
    ...pairs.flatMap(([from, to]): [string, DenseProblem][] => [
      [`digits ${from}→${to}, L2²`, digitPair(from, to, 'sqeuclidean')],
      [`digits ${from}→${to}, L1`, digitPair(from, to, 'cityblock')],
    ]),
    ['2-D clouds, Dirichlet weights, n = 1000', withDirichletWeights(uniformClouds(1000, 1), 3)],
    ['assignment, Dirichlet weights, n = 1000', withDirichletWeights(randomAssignment(1000, 1), 3)],
    ['50-D Gaussian clouds, n = 1000', betweenPoints(normalPoints(1000, 50, 1), normalPoints(1000, 50, 2))],
  ]
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const rows: Cell[][] = []
  const solutions: TransportSolution[] = []
  for (const [name, problem] of problems()) {
    for (const eta of [1200, 12000]) {
      log(`${name}, eta = ${eta}`)
      const { solution, seconds } = await timedSolve(quick ? 0 : 3, () =>
        sinkhornNewtonSparse(problem, { epsilon: 1 / eta, tolerance, threads }),
      )
      const { status, iterations, newtonIterations, passes, marginalError, value, certificate } = solution
      const newton = newtonIterations ?? null
      const gap = certificate?.gap ?? null
      rows.push([name, eta, status, iterations, newton, passes, seconds, marginalError, value, gap])
      solutions.push(solution)
    }
  }
  const converged = solutions.filter(({ status }) => status === 'converged').length
  const most = (field: 'iterations' | 'passes') => Math.max(...solutions.map((solution) => solution[field]))
  return {
    tables: [
      {
        title: 'The suite, cost scaled to max 1, epsilon = 1 / eta',
        columns: [
          'problem',
          'eta',
          'status',
          'iterations',
          'Newton',
          'passes',
          'seconds',
          'marginal error',
          '<C, P>',
          'gap',
        ],
        rows,
      },
    ],
    targets: [
      atLeast(`runs of ${solutions.length} that reach ${tolerance}`, converged, solutions.length),
      atMost('most iterations of a run', most('iterations'), 60),
      atMost('most passes of a run', most('passes'), 200),
    ],
  }
}
