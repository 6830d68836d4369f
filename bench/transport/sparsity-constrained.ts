import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { syntheticTrace } from '../../lib/moe/index.js'
import {
  pointCloud,
  quadraticRegularized,
  type SparsityOptions,
  type SparsitySolution,
  sparsityConstrained,
  type TransportProblem,
} from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { environment } from '../lib/environment.js'
import { type DenseProblem, uniformClouds, uniformPoints } from '../lib/problems.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { inTurns, median } from '../lib/timing.js'

export const description =
  'Sparsity-constrained and quadratic transport: time per evaluation of the semi-dual against POT and NumPy, and what the continuations reach.'

const script = fileURLToPath(new URL('../peer/sparsity.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'

interface Part {
  table: Table
  targets: Target[]
}

export async function run(context: Context): Promise<Report> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    const parts = [
      await evaluations(context, folder),
      await solves(context, folder),
      await sweep(context),
      await routing(context),
      await portable(context),
    ]
    return { tables: parts.map((part) => part.table), targets: parts.flatMap((part) => part.targets) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

interface PeerRequest {
  method: 'quadratic' | 'sparse'
  gamma: number
  maxNonzeros: number
  iterations: number
  tolerance: number
  repetitions: number
}

interface PeerAnswer {
  seconds: number
  evaluations: number
  dual: number
  rowError: number
}

function askPeer(folder: string, { cost, a, b }: DenseProblem, request: PeerRequest, threads: number): PeerAnswer {
  const file = (name: string) => path.join(folder, name)
  for (const [name, data] of Object.entries({ cost: cost.data, a, b })) writeFileSync(file(name), data)
  const paths = { cost: file('cost'), a: file('a'), b: file('b'), shape: cost.shape }
  writeFileSync(file('request'), JSON.stringify({ ...request, ...paths }))
  const count = String(threads)
  const env = { ...environment(), OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count }
  const answer = JSON.parse(execFileSync(python, [script, file('request')], { encoding: 'utf8', env }))
  return { ...answer, seconds: median(answer.seconds) }
}

/** Milliseconds of an evaluation, free of the set-up: the difference of a long and a short run. */
async function perEvaluation(problem: TransportProblem, options: SparsityOptions, iterations: number): Promise<number> {
  const solve = (maxIterations: number) =>
    sparsityConstrained(problem, { ...options, continuation: 'none', tolerance: 0, maxIterations })
  const short = await solve(10)
  const long = await solve(10 + iterations)
  return (long.elapsed - short.elapsed) / (long.passes - short.passes)
}

/** k = 10 and k = n entries per column; the cost per entry must not grow. */
async function evaluations({ quick, threads, log }: Context, folder: string): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  const perEntry: number[] = []
  for (const n of quick ? [250, 500] : [250, 500, 1000, 2000, 4000]) {
    log(`evaluations, n = ${n}`)
    const problem = uniformClouds(n, 100)
    const points = { cost: pointCloud(uniformPoints(n, 2, 100), uniformPoints(n, 2, 101)) }
    const iterations = n >= 2000 ? 40 : n >= 1000 ? 200 : 1000
    const options = { maxNonzeros: 10, gamma: 1, threads }
    const time = await inTurns(quick ? 2 : 5, {
      columns: () => perEvaluation(problem, options, iterations),
      rows: () => perEvaluation(problem, { ...options, axis: 'rows' }, iterations),
      all: () => perEvaluation(problem, { ...options, maxNonzeros: n }, iterations),
      points: () => perEvaluation(points, options, iterations),
    })
    const request = { gamma: 1, iterations: n >= 2000 ? 3 : 10, tolerance: 0, repetitions: quick || n >= 2000 ? 1 : 3 }
    const sparse = askPeer(folder, problem, { ...request, method: 'sparse', maxNonzeros: 10 }, threads)
    const pot = askPeer(folder, problem, { ...request, method: 'quadratic', maxNonzeros: n }, threads)
    const sparseTime = (1000 * sparse.seconds) / sparse.evaluations
    const potTime = (1000 * pot.seconds) / pot.evaluations
    const nanoseconds = (1e6 * time.columns) / (n * n)
    perEntry.push(nanoseconds)
    rows.push([
      n,
      time.columns,
      nanoseconds,
      1000 / time.columns,
      sparseTime,
      sparseTime / time.columns,
      time.rows,
      time.points,
      time.all,
      potTime,
      potTime / time.all,
    ])
    if (n >= 1000 || quick) {
      targets.push(
        atLeast(`evaluation against NumPy's, n = m = ${n}, k = 10`, sparseTime / time.columns, 5, '×'),
        atLeast(`evaluation against POT's quadratic one, n = m = ${n}, k = n`, potTime / time.all, 5, '×'),
      )
    }
  }
  const growth = perEntry[perEntry.length - 1] / perEntry[0]
  targets.push(atMost('growth of the time per entry from the smallest to the largest problem', growth, 2, '×'))
  const columns = [
    'n = m',
    'columns, k = 10',
    'ns per entry',
    'evaluations per second',
    'NumPy',
    'NumPy / ours',
    'rows, k = 10',
    'points, k = 10',
    'columns, k = n',
    'POT, k = n',
    'POT / ours',
  ]
  return {
    table: {
      title: 'Evaluation of the semi-dual, milliseconds',
      note:
        'Squared Euclidean cost between two clouds uniform in [0, 1]², divided by its maximum; gamma = 1. Differences of a long and ' +
        'a short run; for the peers all time over all evaluations. POT 0.8 has no sparsity constraint: NumPy is the published ' +
        'algorithm (argpartition, sort of the k largest), POT is smooth_ot_semi_dual with the quadratic regulariser.',
      columns,
      rows,
    },
    targets,
  }
}

/** Whole solves: to the dual value that the peer reaches in 500 iterations from zero. */
async function solves({ quick, threads, log }: Context, folder: string): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const n of quick ? [100] : [250, 1000]) {
    const problem = uniformClouds(n, 200)
    for (const [maxNonzeros, gamma] of [
      [n, 1],
      [4, 1],
      [4, 100],
      [2, 100],
    ]) {
      log(`solves, n = ${n}, k = ${maxNonzeros}, gamma = ${gamma}`)
      const sparse = maxNonzeros < n
      const request = { gamma, maxNonzeros, iterations: 500, tolerance: 1e-9, repetitions: 1 }
      const peer = askPeer(folder, problem, { ...request, method: sparse ? 'sparse' : 'quadratic' }, threads)
      const ours = sparse
        ? await sparsityConstrained(problem, { maxNonzeros, gamma, threads })
        : await quadraticRegularized(problem, { gamma, threads })
      const seconds = ours.elapsed / 1000
      rows.push([
        n,
        sparse ? maxNonzeros : 'n',
        gamma,
        ours.dualValue,
        ours.rowError,
        ours.tieColumns.length,
        seconds,
        peer.dual,
        peer.rowError,
        peer.seconds,
        peer.seconds / seconds,
      ])
      const where = `n = m = ${n}, k = ${sparse ? maxNonzeros : 'n'}, gamma = ${gamma}`
      const missing = Math.max(0, peer.dual - ours.dualValue) / Math.abs(peer.dual)
      targets.push(atMost(`dual value below the peer's, relative (+1e-12), ${where}`, missing + 1e-12, 1e-7))
      if (!quick) targets.push(atLeast(`solve against the peer's, ${where}`, peer.seconds / seconds, 5, '×'))
    }
  }
  return {
    table: {
      title: 'Solves',
      note:
        'Default options. The peer (POT for k = n, else NumPy as above) has L-BFGS-B from zero, at most 500 iterations, and stops on ' +
        'its own criterion. Larger dual values are better; the row error is that of a plan with at most k entries per column.',
      columns: [
        ...['n = m', 'k', 'γ', 'dual value', 'row error', 'columns with ties', 'seconds'],
        ...['peer: dual value', 'row error', 'seconds', 'peer / ours'],
      ],
      rows,
    },
    targets,
  }
}

/** The example of 32 bins: a bump into two. */
function histograms(): DenseProblem {
  const n = 32
  const normalized = (weight: (i: number) => number) => {
    const weights = Float64Array.from({ length: n }, (_, i) => weight(i))
    const total = weights.reduce((x, y) => x + y)
    return weights.map((w) => w / total)
  }
  const bump = (i: number, centre: number, width: number) => Math.exp(-((i - centre) ** 2) / width)
  const data = Float64Array.from({ length: n * n }, (_, k) => ((Math.floor(k / n) - (k % n)) / 31) ** 2)
  return {
    cost: { data, shape: [n, n] },
    a: normalized((i) => bump(i, 10, 32)),
    b: normalized((i) => 0.6 * bump(i, 20, 18) + 0.4 * bump(i, 8, 8)),
  }
}

async function sweep({ quick, threads, log }: Context): Promise<Part> {
  const problem = histograms()
  const rows: Cell[][] = []
  const targets: Target[] = []
  const expected: Record<string, number> = { '1,2': 0.0631, '1,3': 0.05878, '1,4': 0.05698, '0.1,2': 0.04981 }
  for (const gamma of [1, 0.1]) {
    for (const maxNonzeros of quick ? [2, 8] : [2, 3, 4, 8, 16, 32]) {
      log(`sweep, gamma = ${gamma}, k = ${maxNonzeros}`)
      const solve = (continuation: SparsityOptions['continuation']) =>
        sparsityConstrained(problem, { maxNonzeros, gamma, continuation, threads })
      const [smoothing, halving, none] = [await solve('smoothing'), await solve('halving'), await solve('none')]
      rows.push([
        gamma,
        maxNonzeros,
        ...[none, halving, smoothing].flatMap((s): Cell[] => [s.dualValue, s.rowError, s.iterations, s.elapsed]),
        smoothing.tieColumns.length,
      ])
      const value = expected[`${gamma},${maxNonzeros}`] ?? (gamma === 1 ? 0.0559797 : 0.0496001)
      const name = `dual value over that of k-continuation (4 digits), 32 bins, gamma = ${gamma}, k = ${maxNonzeros}`
      targets.push(atLeast(name, smoothing.dualValue / value, 0.9999))
    }
  }
  return {
    table: {
      title: '32 × 32 bins: what k costs',
      note: 'The smaller k, the larger the value and the more columns have ties, where the dual has kinks. Milliseconds.',
      columns: [
        ...['γ', 'k', 'no continuation', 'row error', 'iterations', 'ms'],
        ...['halving k', 'row error', 'iterations', 'ms'],
        ...['smoothing', 'row error', 'iterations', 'ms', 'columns with ties'],
      ],
      rows,
    },
    targets,
  }
}

interface Routed {
  solution: SparsitySolution
  /** Primal value of the plan repaired by flow over the dual value; null where there is none. */
  gap: number | null
  /** Experts per token, and the part of the tokens without any. */
  experts: number
  uncovered: number
}

async function route(
  seed: number,
  tokens: number,
  maxNonzeros: number,
  gamma: number,
  threads: number,
): Promise<Routed> {
  const { scores } = syntheticTrace({ tokens, experts: 16, seed })
  const cost = { data: scores.data.map((score) => -score), shape: [tokens, 16] }
  const solution = await sparsityConstrained({ cost }, { maxNonzeros, gamma, threads })
  const { indptr, data } = solution.sparsePlan()
  let uncovered = 0
  for (let t = 0; t < tokens; t++) if (indptr[t + 1] === indptr[t]) uncovered++
  const repaired = await sparsityConstrained({ cost }, { maxNonzeros, gamma, threads, repair: 'flow' })
  const gap = repaired.repaired === true ? repaired.gap : null
  return { solution, gap, experts: data.length / tokens, uncovered: uncovered / tokens }
}

/** Medians over traces of 1024 tokens and 16 experts, of which each takes at most k tokens. */
async function routing({ quick, threads, log }: Context): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [maxNonzeros, gamma, mostError] of [
    [64, 100, 0.012],
    [128, 100, 0.035],
    [160, 100, 0.026],
    [96, 1, 0.001],
    [160, 1, 0.001],
  ]) {
    log(`routing, k = ${maxNonzeros}, gamma = ${gamma}`)
    const all: Routed[] = []
    for (let seed = 1; seed <= (quick ? 2 : 10); seed++) all.push(await route(seed, 1024, maxNonzeros, gamma, threads))
    const middle = (of: (routed: Routed) => number) => median(all.map(of))
    const rowError = middle(({ solution }) => solution.rowError)
    const fullest = Math.max(...all.map(({ solution }) => Math.max(...solution.nonzeros)))
    rows.push([
      maxNonzeros,
      gamma,
      middle(({ solution }) => -solution.value),
      rowError,
      100 * middle(({ uncovered }) => uncovered),
      middle(({ experts }) => experts),
      fullest,
      all.filter(({ gap }) => gap !== null).length / all.length,
      middle(({ gap }) => gap ?? Number.POSITIVE_INFINITY),
      middle(({ solution }) => solution.elapsed),
    ])
    targets.push(
      atMost(`row error (+1e-12), routing, k = ${maxNonzeros}, gamma = ${gamma}`, rowError + 1e-12, mostError),
      atMost(`tokens of the fullest expert, k = ${maxNonzeros}, gamma = ${gamma}`, fullest, maxNonzeros),
    )
  }
  return {
    table: {
      title: 'Routing of 1024 tokens to 16 experts, at most k tokens each',
      note: 'Medians over ten synthetic traces; cost = −router probability. A gap is proof: no routing is better by more.',
      columns: [
        'k',
        'γ',
        '<V, P>',
        'row error',
        '% without expert',
        'experts per token',
        'fullest expert',
        'repaired by flow',
        'gap then',
        'ms',
      ],
      rows,
    },
    targets,
  }
}

async function portable({ quick, log }: Context): Promise<Part> {
  log('portable')
  const n = quick ? 250 : 1000
  const problem = uniformClouds(n, 100)
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [name, options] of [
    ['columns, k = 10', { maxNonzeros: 10 }],
    ['rows, k = 10', { maxNonzeros: 10, axis: 'rows' }],
    ['columns, k = n', { maxNonzeros: n }],
  ] as [string, SparsityOptions][]) {
    const of = (backend: 'native' | 'portable') => () =>
      perEvaluation(problem, { ...options, gamma: 1, threads: 1, backend }, quick ? 400 : 100)
    const time = await inTurns(quick ? 2 : 5, { native: of('native'), portable: of('portable') })
    rows.push([name, time.native, time.portable, time.portable / time.native])
    targets.push(atMost(`portable / native on one thread: ${name}`, time.portable / time.native, 15, '×'))
  }
  return {
    table: {
      title: `Portable against native, one thread, milliseconds per evaluation, n = m = ${n}`,
      columns: ['', 'native', 'portable', 'ratio'],
      rows,
    },
    targets,
  }
}
