import { type CompletionOptions, completeMatrix } from '../../lib/lowrank/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { plantedRatings, type Ratings } from '../lib/ratings.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'

export const description =
  'Matrix completion: how the time of an iteration grows with the observations and with the rank.'

const regularization = 1

type Solver = [name: string, CompletionOptions]

/**
 * Milliseconds of an iteration of every solver on every problem, free of ordering the entries and of the start: the
 * differences of long and short runs, each the shortest of several in turns, as whatever else the machine does only adds.
 */
async function perIteration(
  problems: Ratings[],
  solvers: Solver[],
  ranks: number[],
  repetitions: number,
): Promise<number[][]> {
  const many = 5
  const cases = solvers.map(([, options]) =>
    problems.flatMap((problem) =>
      ranks.map((rank) => ({ problem, options: { ...options, rank }, few: Infinity, more: Infinity })),
    ),
  )
  const time = async (problem: Ratings, options: CompletionOptions, maxIterations: number) => {
    const given = { initialization: 'random', ...options, tolerance: 0, maxIterations, backend: 'native' } as const
    return (await completeMatrix(problem, given)).elapsed
  }
  for (let k = 0; k < repetitions; k++) {
    for (const one of cases.flat()) {
      one.few = Math.min(one.few, await time(one.problem, one.options, 1))
      one.more = Math.min(one.more, await time(one.problem, one.options, 1 + many))
    }
  }
  return cases.map((row) => row.map(({ few, more }) => Math.max(1e-3, (more - few) / many)))
}

/** Of log y against log x, by least squares. */
function slope(x: number[], y: number[]): number {
  const [a, b] = [x.map(Math.log), y.map(Math.log)]
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [p, q] = [mean(a), mean(b)]
  const above = a.reduce((sum, value, k) => sum + (value - p) * (b[k] - q), 0)
  return above / a.reduce((sum, value) => sum + (value - p) ** 2, 0)
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const repetitions = quick ? 1 : 3
  const targets: Target[] = []
  const rank = 20
  const side = quick ? 1000 : 4000

  const solvers: Solver[] = [
    ['exact', { rank, regularization, threads, solver: 'exact' }],
    ['inexact, three steps', { rank, regularization, threads, solver: 'inexact', innerTolerance: 0 }],
    ['inexact', { rank, regularization, threads, solver: 'inexact' }],
  ]

  log('growth with the observations')
  // From some 600 observations a line on: with fewer, the k × k system of each line, of whatever many, takes a good part.
  const counts = [1, 2, 4].map((times) => (quick ? 140_000 : 2_400_000) * times)
  const problems = counts.map((count) => plantedRatings(side, side, rank, count, 0.1))
  // The schedule of the third takes more steps the smaller the error is: not the same work.
  const byCount = await perIteration(problems, solvers.slice(0, 2), [rank], repetitions)
  const growth: Cell[][] = byCount.map((times, at) => {
    const [name] = solvers[at]
    const s = slope(counts, times)
    log(`${name}: ${times.map((time) => time.toFixed(1)).join(', ')} ms, slope ${s.toFixed(2)}`)
    targets.push(atMost(`slope in the observations, away from 1, ${name}`, Math.max(1e-6, Math.abs(s - 1)), 0.1))
    return [name, ...times, s]
  })

  log('growth with the rank')
  const ranks = quick ? [10, 20, 40, 80] : [10, 20, 30, 40, 60, 80, 160]
  const size = quick ? 600 : 1200
  const dense = plantedRatings(size, size, 10, quick ? 300_000 : 1_200_000, 0.1)
  const large = ranks.filter((k) => k >= 40).length
  const slopes: number[] = []
  const byRank: Cell[][] = (await perIteration([dense], solvers, ranks, quick ? 1 : 2)).map((times, at) => {
    slopes.push(slope(ranks.slice(-large), times.slice(-large)))
    return [solvers[at][0], ...times, slopes[at]]
  })
  targets.push(atLeast('slope in the rank from 40 on, exact (2 in theory)', slopes[0], 1.7))
  targets.push(atMost('slope in the rank from 40 on, inexact, three steps (1 in theory)', slopes[1], 1.3))

  return {
    tables: [
      {
        title: `Milliseconds per iteration by observations, ${side} × ${side}, rank ${rank}`,
        columns: ['solver', ...counts.map((count) => `${count / 1000}k observed`), 'slope'],
        rows: growth,
      },
      {
        title: `Milliseconds per iteration by rank, ${dense.shape.join(' × ')}, ${dense.values.length} observed`,
        note: `Slope from k = 40 on. ${Math.round(dense.values.length / size)} observations a line: Cholesky's method is at most 6 % of the exact half step's operations.`,
        columns: ['solver', ...ranks.map((k) => `k = ${k}`), 'slope'],
        rows: byRank,
      },
    ],
    targets,
  }
}
