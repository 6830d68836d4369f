import {
  conjugateGradientSync,
  type RelaxationMethod,
  type RelaxationTuner,
  relaxationTuner,
  sorSync,
} from '../../lib/linear/index.js'
import { type Generator, generator } from '../../lib/random/index.js'
import { aggregationCycle } from '../lib/aggregation.js'
import type { Context, Report } from '../lib/benchmark.js'
import { type HeatStep, heatEquation } from '../lib/heat-equation.js'
import { laplacian } from '../lib/laplacian.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'

export const description =
  'Learning to Relax: iterations of SOR on shifted Laplacians and of SSOR-CG on the heat equation, and the time of the tuner.'

const omegas = Array.from({ length: 20 }, (_, i) => (20 + i) / 20)
const methods: readonly RelaxationMethod[] = ['tsallis-inf', 'tsallis-inf-contextual', 'chebyshev']
const isContextual = (method: RelaxationMethod) => method !== 'tsallis-inf'
const mean = (list: ArrayLike<number>) => Array.from(list).reduce((sum, x) => sum + x, 0) / list.length

function tunerOf(method: RelaxationMethod, range: [number, number], seed: number): RelaxationTuner {
  return relaxationTuner(isContextual(method) ? { method, range, seed } : { method, seed })
}

/** Mean costs over all rounds, and over their second half. */
interface Means {
  all: number
  second: number
}

const meansOf = (costs: number[]): Means => ({ all: mean(costs), second: mean(costs.slice(costs.length >> 1)) })

/** Beta(1/2, 3/2) or Beta(2, 6), as a ratio of sums of squares. */
function betaVariate(rng: Generator, high: boolean): number {
  const squares = (count: number) => rng.normal(count).reduce((sum, x) => sum + x * x, 0)
  const [a, b] = high ? [squares(1), squares(3)] : [squares(4), squares(12)]
  return a / (a + b)
}

interface Shifted {
  fixed: Map<number, Means>
  optimal: Means
  /** Averages over the seeds. */
  tuned: Map<RelaxationMethod, Means>
}

/** T solves by SOR of a shifted Laplacian on 10 × 10 points. */
function shifted(high: boolean, T: number, fixed: readonly number[], seeds: number): Shifted {
  const N = 10
  const rng = generator(high ? 1 : 2)
  const base = laplacian(N)
  const range: [number, number] = [-0.15, 0.45]
  const players = methods.flatMap((method) =>
    Array.from({ length: seeds }, (_, seed) => ({
      method,
      tuner: tunerOf(method, range, seed),
      costs: [] as number[],
    })),
  )
  const fixedCosts = new Map(fixed.map((omega) => [omega, [] as number[]]))
  const optimal: number[] = []
  for (let t = 0; t < T; t++) {
    const c = range[0] + 0.6 * betaVariate(rng, high)
    let b = rng.normal(N * N)
    while (b.reduce((sum, x) => sum + x * x, 0) > N * N) b = rng.normal(N * N)
    const matrix = { ...base, data: Float64Array.from(base.data, (value) => (value > 0 ? value + c : value)) }
    const options = { tolerance: 1e-8, maxIterations: 10_000, checkSymmetry: false }
    const solve = (omega: number) => sorSync({ matrix, b }, { ...options, omega }).iterations
    const known = new Map<number, number>()
    const once = (omega: number) => {
      const cost = known.get(omega) ?? solve(omega)
      known.set(omega, cost)
      return cost
    }
    for (const [omega, costs] of fixedCosts) costs.push(once(omega))
    const beta = (4 * Math.cos(Math.PI / (N + 1))) / (4 + c)
    optimal.push(solve(1 + (beta / (1 + Math.sqrt(1 - beta * beta))) ** 2))
    for (const { method, tuner, costs } of players) {
      const trial = isContextual(method) ? tuner.ask(c) : tuner.ask()
      const cost = once(trial.omega)
      tuner.tell(trial, cost)
      costs.push(cost)
    }
  }
  const tuned = methods.map((method): [RelaxationMethod, Means] => {
    const own = players.filter((player) => player.method === method).map(({ costs }) => meansOf(costs))
    return [method, { all: mean(own.map(({ all }) => all)), second: mean(own.map(({ second }) => second)) }]
  })
  return {
    fixed: new Map([...fixedCosts].map(([omega, costs]) => [omega, meansOf(costs)])),
    optimal: meansOf(optimal),
    tuned: new Map(tuned),
  }
}

/** Mean iterations of the specification's own implementation, which ours are to meet within 5 %. */
const references = {
  high: { 'tsallis-inf': 115, 'tsallis-inf-contextual': 97, chebyshev: 65, optimal: 55.7 },
  low: { 'tsallis-inf': 63.7, 'tsallis-inf-contextual': 60.7, chebyshev: 45.8, optimal: 41.7 },
}

interface Timed {
  iterations: number
  /** Milliseconds of ask and tell, and of the solves. */
  tuner: number
  solve: number
}

function heat(nx: number, steps: number) {
  const totals = { cg: 0, best: 0, multigrid: 0, fixed: new Float64Array(omegas.length) }
  const range: [number, number] = [0, 10]
  const tuners = new Map(methods.map((method) => [method, tunerOf(method, range, 1)]))
  const timed = new Map<RelaxationMethod, Timed>(
    methods.map((method) => [method, { iterations: 0, tuner: 0, solve: 0 }]),
  )
  const options = { tolerance: 1e-8, checkSymmetry: false, threads: 1 }
  const cg = ({ A, b, before }: HeatStep, omega?: number) =>
    conjugateGradientSync(
      omega === undefined
        ? { matrix: A, b, x0: before }
        : { matrix: A, b, x0: before, preconditioner: { kind: 'ssor' as const, omega } },
      options,
    )
  heatEquation(nx, steps, (step, t) => {
    totals.cg += cg(step).iterations
    const counts = omegas.map((omega) => cg(step, omega).iterations)
    counts.forEach((count, i) => {
      totals.fixed[i] += count
    })
    totals.best += Math.min(...counts)
    if (t % 10 === 0) {
      const solve = aggregationCycle(step.A, nx - 1)
      const problem = { matrix: step.A, b: step.b, x0: step.before, preconditioner: { kind: 'user' as const, solve } }
      totals.multigrid += 10 * conjugateGradientSync(problem, options).iterations
    }
    let x = step.before
    for (const [method, tuner] of tuners) {
      const own = timed.get(method) as Timed
      const t0 = performance.now()
      const trial = isContextual(method) ? tuner.ask(step.coefficient) : tuner.ask()
      const t1 = performance.now()
      const found = cg(step, trial.omega)
      const t2 = performance.now()
      tuner.tell(trial, found.iterations)
      own.tuner += t1 - t0 + performance.now() - t2
      own.solve += t2 - t1
      own.iterations += found.iterations
      x = found.x
    }
    return x
  })
  return { ...totals, timed }
}

export async function run({ quick, log }: Context): Promise<Report> {
  const targets: Target[] = []
  const rows: Cell[][] = []
  const fixed = [1, 1.2, 1.4, 1.5, 1.6, 1.7, 1.8]
  for (const label of ['high', 'low'] as const) {
    log(`shifted Laplacian, ${label} variance`)
    const { fixed: costs, optimal, tuned } = shifted(label === 'high', quick ? 500 : 5000, fixed, quick ? 2 : 5)
    const of = (method: RelaxationMethod) => tuned.get(method) as Means
    for (const [omega, { all, second }] of costs) rows.push([label, `omega = ${omega}`, all, second, null])
    const reference = references[label]
    rows.push([label, 'optimal', optimal.all, optimal.second, reference.optimal])
    for (const method of methods) rows.push([label, method, of(method).all, of(method).second, reference[method]])
    const best = Math.min(...[...costs.values()].map(({ second }) => second))
    const learned = of('chebyshev').second
    targets.push(
      atMost(`${label}: Tsallis-INF over the best fixed, second half`, of('tsallis-inf').second / best, 1.12),
      atMost(`${label}: Chebyshev over optimal, second half`, learned / optimal.second, 1.12),
      atMost(`${label}: Chebyshev over the best fixed, second half`, learned / best, 0.75),
      ...methods.map((method) =>
        atMost(`${label}: ${method} over its reference figure`, of(method).all / reference[method], 1.05),
      ),
    )
  }
  const heatRows: Cell[][] = []
  const timeRows: Cell[][] = []
  for (const nx of quick ? [25] : [25, 50]) {
    log(`heat equation, nx = ${nx}`)
    const { cg, best, multigrid, fixed: counts, timed } = heat(nx, quick ? 1000 : 5000)
    heatRows.push([nx, 'none: CG', cg])
    for (const i of [0, 6, 10, 15, 19]) heatRows.push([nx, `omega = ${omegas[i]}`, counts[i]])
    heatRows.push([nx, 'best of 20 per step', best])
    for (const [method, { iterations, tuner, solve }] of timed) {
      heatRows.push([nx, method, iterations])
      const steps = quick ? 1000 : 5000
      timeRows.push([nx, method, (1000 * tuner) / steps, (1000 * solve) / steps, tuner / solve])
      if (nx >= 50)
        targets.push(atMost(`nx = ${nx}, ${method}: time of the tuner over the solves'`, tuner / solve, 0.05))
    }
    heatRows.push([nx, 'none: algebraic multigrid', multigrid])
    const learned = (timed.get('chebyshev') as Timed).iterations
    targets.push(
      atMost(`nx = ${nx}: Chebyshev over best per step`, learned / best, 1.06),
      atLeast(`nx = ${nx}: iterations of CG over Chebyshev's`, cg / learned, 3, '×'),
    )
  }
  return {
    tables: [
      {
        title: 'Mean iterations of SOR, shifted Laplacian, n = 100',
        note: 'Tuners: averages over five seeds, on the same systems. The reference is what another implementation took on other draws.',
        columns: ['variance', 'omega by', 'all', 'second half', 'reference, all'],
        rows,
      },
      {
        title: 'Iterations of CG in all, preconditioned by SSOR, heat equation',
        note: 'Algebraic multigrid as the preconditioner instead: a V-cycle of plain aggregation, on every tenth step, times ten. A cycle does about twice the work of SSOR.',
        columns: ['nx', 'omega by', 'iterations'],
        rows: heatRows,
      },
      {
        title: 'Microseconds of a step, one thread',
        columns: ['nx', 'method', 'ask and tell', 'solve', 'ratio'],
        rows: timeRows,
      },
    ],
    targets,
  }
}
