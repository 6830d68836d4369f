import { crossover, type ExactSolution, emd, pointCloud } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Pot } from '../lib/pot.js'
import {
  type DenseProblem,
  digitPair,
  dirichletWeights,
  randomAssignment,
  uniformClouds,
  uniformPoints,
  withDirichletWeights,
} from '../lib/problems.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description = 'Exact transport: the network simplex method and the entropic crossover against POT’s emd.'

interface Case {
  name: string
  n: number
  make: (n: number) => DenseProblem
  /** Targets: least factors of time against POT, of emd and of the faster of our two. */
  leastSpeed?: number
  leastBest?: number
}

const kinds: Pick<Case, 'name' | 'make'>[] = [
  { name: 'random costs', make: (n) => randomAssignment(n, 1) },
  { name: 'uniform 2-D clouds', make: (n) => uniformClouds(n, 2) },
  { name: '2-D clouds, Dirichlet weights', make: (n) => withDirichletWeights(uniformClouds(n, 3), 4) },
]

function cases(quick: boolean): Case[] {
  const sizes = quick ? [250, 500] : [1000, 2000, 4000]
  const scaled = kinds.flatMap((kind) =>
    sizes.map((n) => ({ ...kind, n, leastSpeed: 1, leastBest: n >= 2000 ? 1.5 : undefined })),
  )
  const images = (['cityblock', 'sqeuclidean'] as const).map((metric) => ({
    name: `digits 3→7, ${metric === 'cityblock' ? 'W1' : 'W2'}`,
    n: 784,
    make: () => digitPair(3, 7, metric),
    leastSpeed: 1,
  }))
  return quick ? scaled : [...images, ...scaled]
}

export async function run({ quick, threads, log, pot }: Context): Promise<Report> {
  const peer = await pot(1)
  const rows: Cell[][] = []
  const targets: Target[] = []
  let worst = 0
  for (const one of cases(quick)) {
    log(`${one.name}, n = ${one.n}`)
    const problem = one.make(one.n)
    const repetitions = one.n > 1000 ? 3 : 5
    const exact = await timed(repetitions, () => emd(problem, { threads }))
    const single = await timed(repetitions, () => emd(problem, { threads: 1 }))
    const crossed = await timed(repetitions, () => crossover(problem, { threads }))
    const theirs = await potTime(peer, problem, one.n > 2000 ? 1 : 3)
    const error = Math.abs(exact.solution.value / theirs.cost - 1)
    worst = Math.max(worst, error)
    const best = Math.min(exact.seconds, crossed.seconds)
    rows.push([
      one.name,
      one.n,
      theirs.seconds,
      exact.seconds,
      theirs.seconds / exact.seconds,
      single.seconds,
      crossed.seconds,
      exact.solution.iterations,
      crossed.solution.iterations,
      error,
      exact.solution.certificate.gap,
    ])
    const of = `${one.name}, n = ${one.n}`
    if (one.leastSpeed !== undefined) {
      targets.push(atLeast(`${of}: speed of emd against POT`, theirs.seconds / exact.seconds, one.leastSpeed, '×'))
    }
    if (one.leastBest !== undefined) {
      targets.push(atLeast(`${of}: speed of the faster route`, theirs.seconds / best, one.leastBest, '×'))
    }
  }
  // An error of 0 is as good as any.
  targets.push(atMost('largest relative difference of the costs', Math.max(worst, Number.MIN_VALUE), 1e-12))
  return {
    tables: [
      {
        title: 'Exact transport, seconds',
        note:
          `Ours on ${threads} threads (the simplex method itself is sequential, the passes over all arcs are not) and on one; ` +
          'POT’s emd on one, which is all it uses. Ours come with potentials, certificate and sparse plan.',
        columns: [
          'problem',
          'n',
          'POT',
          'emd',
          'POT / emd',
          'emd, 1 thread',
          'crossover',
          'pivots',
          'after crossover',
          'difference',
          'gap',
        ],
        rows,
      },
      await lazy(quick, threads, log),
    ],
    targets,
  }
}

/** Points: costs computed where they are read, in O(n + m) memory. */
async function lazy(quick: boolean, threads: number, log: (line: string) => void) {
  const rows: Cell[][] = []
  for (const n of quick ? [1000] : [4000, 8000, 16_000]) {
    for (const weighted of [false, true]) {
      log(`points, n = ${n}`)
      const [x, y] = [uniformPoints(n, 2, 5), uniformPoints(n, 2, 6)]
      const cost = pointCloud(x, y)
      const problem = weighted ? { cost, a: dirichletWeights(n, 7), b: dirichletWeights(n, 8) } : { cost }
      const exact = await emd(problem, { threads })
      const crossed = await crossover(problem, { threads })
      rows.push([
        weighted ? 'Dirichlet' : 'equal',
        n,
        exact.elapsed / 1000,
        crossed.elapsed / 1000,
        exact.iterations,
        crossed.iterations,
        exact.certificate.gap,
      ])
    }
  }
  return {
    title: 'Uniform 2-D points, squared distances computed on the fly, seconds',
    note: 'A single run each.',
    columns: ['weights', 'n', 'emd', 'crossover', 'pivots', 'after crossover', 'gap'],
    rows,
  }
}

async function timed(
  repetitions: number,
  solve: () => Promise<ExactSolution>,
): Promise<{ solution: ExactSolution; seconds: number }> {
  const times: number[] = []
  let solution = await solve()
  for (let k = 0; k < repetitions; k++) {
    solution = await solve()
    times.push(solution.elapsed / 1000)
  }
  if (solution.status !== 'converged') throw new Error(`not solved: ${solution.status}`)
  return { solution, seconds: median(times) }
}

async function potTime(
  pot: Pot,
  problem: DenseProblem,
  repetitions: number,
): Promise<{ seconds: number; cost: number }> {
  const times: number[] = []
  let cost = Number.NaN
  for (let k = 0; k < repetitions; k++) {
    const answer = await pot.solve(problem, { method: 'emd', iterations: 1e9 })
    if (answer.warnings.length > 0) throw new Error(`POT: ${answer.warnings.join('; ')}`)
    times.push(answer.seconds)
    cost = answer.cost
  }
  return { seconds: median(times), cost }
}
