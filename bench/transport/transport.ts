import {
  pointCloud,
  type TransportMethod,
  type TransportOptions,
  type TransportProblem,
  type TransportResult,
  transport,
} from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import {
  betweenPoints,
  type DenseProblem,
  dirichletWeights,
  imagePair,
  normalPoints,
  randomAssignment,
  uniformClouds,
  uniformPoints,
  withDirichletWeights,
} from '../lib/problems.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'transport with method "auto": against POT’s emd, and against the methods that it could have chosen instead.'

interface Part {
  table: Table
  targets: Target[]
}

export async function run(context: Context): Promise<Report> {
  const parts = [await exactTable(context), await entropicTable(context)]
  return { tables: parts.map(({ table }) => table), targets: parts.flatMap(({ targets }) => targets) }
}

/** Most of the time of the best candidate that `auto` may take, where that one takes at least so many seconds. */
const mostRegret = 1.5
const leastSeconds = 0.01

interface Case {
  name: string
  n: number
  problem: () => TransportProblem
  /** The same for the peer, which takes matrices only. */
  peer?: () => DenseProblem
  candidates: TransportMethod[]
}

function exactCases(quick: boolean): Case[] {
  const simplex: TransportMethod[] = ['emd', 'crossover']
  const all: TransportMethod[] = ['assignment', ...simplex]
  const matrix = (name: string, n: number, make: () => DenseProblem, candidates: TransportMethod[]): Case => ({
    ...{ name: `${name}, matrix`, n, problem: make, candidates },
    ...(n <= 4000 && { peer: make }),
  })
  const cloud = (n: number, d: number, weighted: boolean): Case => {
    const [x, y] =
      d === 2 ? [uniformPoints(n, 2, 5), uniformPoints(n, 2, 6)] : [normalPoints(n, d, 5), normalPoints(n, d, 6)]
    const weights = weighted ? { a: dirichletWeights(n, 7), b: dirichletWeights(n, 8) } : {}
    return {
      name: `${d}-D points, ${weighted ? 'Dirichlet' : 'equal'} weights`,
      n,
      problem: () => ({ cost: pointCloud(x, y), ...weights }),
      ...(n <= 4000 && { peer: () => ({ ...betweenPoints(x, y), ...weights }) }),
      candidates: d === 1 ? ['wasserstein1d', 'emd'] : simplex,
    }
  }
  const sizes = quick ? [250, 500] : [1000, 2000, 4000]
  const large = quick ? [] : [8000]
  return [
    ...sizes.map((n) => matrix('random costs, equal weights', n, () => randomAssignment(n, 1), all)),
    ...[...sizes, ...large].map((n) =>
      matrix('random costs, Dirichlet weights', n, () => withDirichletWeights(randomAssignment(n, 1), 4), simplex),
    ),
    ...sizes.map((n) => matrix('2-D clouds, equal weights', n, () => uniformClouds(n, 2), all)),
    ...[...sizes, ...large].map((n) =>
      matrix('2-D clouds, Dirichlet weights', n, () => withDirichletWeights(uniformClouds(n, 3), 4), simplex),
    ),
    ...(['bumps', 'Cauchy', 'noise'] as const).map((kind) => {
      const side = quick ? 16 : 32
      return matrix(`images of ${side}², ${kind}`, side * side, () => imagePair(kind, side, 9), simplex)
    }),
    ...sizes.slice(1).flatMap((n) => [cloud(n, 2, false), cloud(n, 2, true)]),
    ...large.map((n) => cloud(n, 2, true)),
    cloud(sizes[1], 1, true),
    cloud(sizes[1], 10, true),
  ]
}

async function exactTable({ quick, threads, log, pot }: Context): Promise<Part> {
  const peer = await pot(1)
  const rows: Cell[][] = []
  const targets: Target[] = []
  const regrets: number[] = []
  const differences: number[] = []
  for (const { name, n, problem: make, peer: makePeer, candidates } of exactCases(quick)) {
    log(`${name}, n = ${n}`)
    const problem = make()
    const repetitions = n > 4000 ? 0 : n > 2000 ? 1 : 3
    const { auto, others } = await candidateTimes(problem, { threads }, candidates, repetitions)
    const best = Math.min(...others)
    regrets.push(regret(auto.seconds, best))
    let theirs: number | null = null
    if (makePeer !== undefined) {
      const dense = makePeer()
      const answer = await peer.solve(dense, { method: 'emd', iterations: 1e9 })
      if (answer.warnings.length > 0) throw new Error(`POT: ${answer.warnings.join('; ')}`)
      theirs = answer.seconds
      // Distances on the fly are not scaled to a maximum of 1, the peer's are.
      if ('shape' in problem.cost) {
        differences.push(Math.abs(auto.result.value / answer.cost - 1))
      }
      if (n >= 2000) targets.push(atLeast(`${name}, n = ${n}: speed against POT`, theirs / auto.seconds, 1.5, '×'))
    }
    if (auto.result.status !== 'converged') throw new Error(`${name}, n = ${n}: ${auto.result.status}`)
    const listed = candidates.map((method, k) => `${method} ${others[k].toPrecision(3)}`).join(', ')
    rows.push([
      name,
      n,
      auto.result.method,
      auto.seconds,
      listed,
      auto.seconds / best,
      theirs,
      theirs === null ? null : theirs / auto.seconds,
      auto.result.certificate.gap,
    ])
  }
  targets.push(
    atMost('exact: largest time over that of the best candidate, from 10 ms on', Math.max(...regrets), mostRegret, '×'),
    // An error of 0 is as good as any.
    atMost('largest relative difference of the costs', Math.max(...differences, Number.MIN_VALUE), 1e-12),
  )
  const table = {
    title: 'Exact, seconds',
    note:
      `Ours on ${threads} threads, medians of three after a warm-up (n = 4000: of one; beyond: a single run); POT’s emd on one, which is all it uses, ` +
      'and on the matrix also where ours computes distances on the fly. Differences of costs where both have the matrix.',
    columns: ['problem', 'n', 'chosen', 'auto', 'candidates', 'auto / best', 'POT', 'POT / auto', 'gap'],
    rows,
  }
  return { table, targets }
}

async function entropicTable({ quick, threads, log }: Context): Promise<Part> {
  const rows: Cell[][] = []
  const regrets: number[] = []
  const n = quick ? 300 : 1000
  const problems = {
    'random costs': randomAssignment(n, 1),
    '2-D clouds': uniformClouds(n, 2),
    '2-D clouds, Dirichlet weights': withDirichletWeights(uniformClouds(n, 3), 4),
  }
  for (const [name, problem] of Object.entries(problems)) {
    for (const tolerance of [1e-4, 1e-9]) {
      for (const share of [0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005]) {
        log(`${name}, epsilon = ${share}, tolerance = ${tolerance}`)
        const { auto, others } = await candidateTimes(
          problem,
          { threads, epsilon: share, tolerance },
          ['sinkhorn', 'sinkhornNewtonSparse'],
          3,
        )
        const best = Math.min(...others)
        regrets.push(regret(auto.seconds, best))
        const [sinkhorn, newton] = others.map((seconds) => 1000 * seconds)
        rows.push([
          name,
          tolerance,
          share,
          auto.result.method,
          1000 * auto.seconds,
          sinkhorn,
          newton,
          auto.seconds / best,
        ])
      }
    }
  }
  const table = {
    title: `With epsilon, n = ${n}, milliseconds`,
    note: 'Costs scaled to max 1, so epsilon is the share of the range. Medians of three after a warm-up, certificates included.',
    columns: ['problem', 'tolerance', 'epsilon', 'chosen', 'auto', 'sinkhorn', 'sinkhornNewtonSparse', 'auto / best'],
    rows,
  }
  const worst = Math.max(...regrets)
  return {
    table,
    targets: [atMost('entropic: largest time over that of the best candidate, from 10 ms on', worst, mostRegret, '×')],
  }
}

/** Of the time to the best one's; 1 where that takes so little that noise says more than the choice. */
function regret(seconds: number, best: number): number {
  return best < leastSeconds ? 1 : seconds / best
}

/** `auto` and each candidate by name, in turns after a warm-up; infinite where one does not get there in ten times `auto`. */
async function candidateTimes(
  problem: TransportProblem,
  options: TransportOptions,
  candidates: TransportMethod[],
  repetitions: number,
): Promise<{ auto: { result: TransportResult; seconds: number }; others: number[] }> {
  const methods = ['auto', ...candidates] as const
  const times = methods.map((): number[] => [])
  let result!: TransportResult
  for (let k = 0; k <= repetitions; k++) {
    for (const [i, method] of methods.entries()) {
      if (times[i].includes(Number.POSITIVE_INFINITY)) continue
      const timeLimit = i === 0 ? undefined : Math.max(100, 10 * result.elapsed)
      const start = performance.now()
      const solution = await transport(problem, { ...options, method, ...(timeLimit && { timeLimit }) })
      const seconds = solution.status === 'converged' ? (performance.now() - start) / 1000 : Number.POSITIVE_INFINITY
      if (i === 0) result = solution
      // The first one warms up, unless it is to be the only one or tells that there is no need for more.
      if (k > 0 || repetitions === 0 || seconds === Number.POSITIVE_INFINITY) times[i].push(seconds)
    }
  }
  const [auto, ...others] = times.map((list) =>
    list.includes(Number.POSITIVE_INFINITY) ? Number.POSITIVE_INFINITY : median(list),
  )
  return { auto: { result, seconds: auto }, others }
}
