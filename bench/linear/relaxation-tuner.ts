import { conjugateGradientSync, fromTriplets, multiplySync, relaxationTuner, sorSync } from '../../lib/linear/index.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost } from '../lib/target.js'

export const description =
  'Learning to Relax: iterations of SOR on shifted Laplacians and of SSOR-CG on the heat equation.'

type Solve = (omega: number) => number

/** The 5-point Laplacian of an N × N grid times `factor`, plus `shift` on the diagonal. */
function laplacian(N: number, factor: number, shift: number) {
  const [rows, columns, values]: [number[], number[], number[]] = [[], [], []]
  const put = (i: number, j: number, value: number) => {
    rows.push(i)
    columns.push(j)
    values.push(value)
  }
  for (let k = 0; k < N * N; k++) {
    put(k, k, 4 * factor + shift)
    if (k % N > 0) put(k, k - 1, -factor)
    if (k % N < N - 1) put(k, k + 1, -factor)
    if (k >= N) put(k, k - N, -factor)
    if (k < N * (N - 1)) put(k, k + N, -factor)
  }
  return fromTriplets({
    shape: [N * N, N * N],
    rows: Int32Array.from(rows),
    columns: Int32Array.from(columns),
    values: Float64Array.from(values),
  })
}

const N = 10
const beta = Math.cos(Math.PI / (N + 1))

/** omega* of consistently ordered matrices. */
function asymptotic(c: number): number {
  const b = (4 * beta) / (4 + c)
  return 1 + (b / (1 + Math.sqrt(1 - b * b))) ** 2
}

/** A variate of the distribution Beta(1/2, 3/2) or Beta(2, 6): a ratio of sums of squares. */
function betaVariate(rng: ReturnType<typeof generator>, high: boolean): number {
  const squares = (count: number) => rng.normal(count).reduce((sum, x) => sum + x * x, 0)
  const [a, b] = high ? [squares(1), squares(3)] : [squares(4), squares(12)]
  return a / (a + b)
}

function shifted(high: boolean, T: number, fixed: readonly number[]) {
  const rng = generator(high ? 1 : 2)
  const base = laplacian(N, 1, 0)
  const range: [number, number] = [-0.15, 0.45]
  const tuners = {
    'Tsallis-INF': relaxationTuner({ method: 'tsallis-inf', seed: 3 }),
    'Tsallis-INF by bins': relaxationTuner({ method: 'tsallis-inf-contextual', range, seed: 3 }),
    Chebyshev: relaxationTuner({ method: 'chebyshev', range, seed: 3 }),
  }
  const costs = new Map<string, number[]>()
  const add = (name: string, cost: number) => {
    const own = costs.get(name) ?? []
    own.push(cost)
    costs.set(name, own)
  }
  for (let t = 0; t < T; t++) {
    const c = range[0] + 0.6 * betaVariate(rng, high)
    let b = rng.normal(N * N)
    while (b.reduce((sum, x) => sum + x * x, 0) > N * N) b = rng.normal(N * N)
    const data = base.data.map((value) => (value > 0 ? value + c : value))
    const solve: Solve = (omega) =>
      sorSync({ matrix: { ...base, data }, b }, { omega, tolerance: 1e-8, maxIterations: 10_000, checkSymmetry: false })
        .iterations
    for (const omega of fixed) add(`omega = ${omega}`, solve(omega))
    add('optimal', solve(asymptotic(c)))
    for (const [name, tuner] of Object.entries(tuners)) {
      const trial = name === 'Tsallis-INF' ? tuner.ask() : tuner.ask(c)
      const cost = solve(trial.omega)
      tuner.tell(trial, cost)
      add(name, cost)
    }
  }
  const mean = (list: number[]) => list.reduce((sum, x) => sum + x, 0) / list.length
  return new Map([...costs].map(([name, list]) => [name, { all: mean(list), second: mean(list.slice(T >> 1)) }]))
}

/** Crank and Nicolson's steps for u_t = kappa(t) Δu + f on the unit square. */
function heat(
  nx: number,
  T: number,
  solvers: Map<
    string,
    (
      A: ReturnType<typeof laplacian>,
      b: Float64Array,
      x0: Float64Array,
      c: number,
    ) => { x: Float64Array; iterations: number }
  >,
) {
  const n = (nx - 1) ** 2
  const h = 1 / nx
  const dt = 5 / 5000
  const kappa = (t: number) => Math.max(0.1 * Math.sin(2 * Math.PI * t), -10 * Math.sin(2 * Math.PI * t))
  const bump = (x: number, y: number, radius: number) => {
    const r = (x * x + y * y) / radius ** 2
    return r < 1 ? Math.exp(1 - 1 / (1 - r)) : 0
  }
  const on = (f: (x: number, y: number) => number) =>
    Float64Array.from({ length: n }, (_, k) => f(((k % (nx - 1)) + 1) * h, (Math.floor(k / (nx - 1)) + 1) * h))
  const forcing = (t: number) => {
    const [cx, cy] = [0.5 + 0.25 * Math.cos(2 * Math.PI * t), 0.5 + 0.25 * Math.sin(2 * Math.PI * t)]
    return on((x, y) => 32 * bump(x - cx, y - cy, 1 / 8))
  }
  const unit = laplacian(nx - 1, 1, 0)
  const totals = new Map([...solvers.keys()].map((name) => [name, 0]))
  let u: Float64Array = on((x, y) => bump(x - 0.5, y - 0.5, 1 / 4))
  for (let step = 0; step < T; step++) {
    const t = step * dt
    const [now, next] = [(kappa(t) * dt) / (2 * h * h), (kappa(t + dt) * dt) / (2 * h * h)]
    const Lu = multiplySync(unit, u) as Float64Array
    const [f0, f1] = [forcing(t), forcing(t + dt)]
    const b = u.map((value, k) => value - now * Lu[k] + (dt / 2) * (f0[k] + f1[k]))
    const A = { ...unit, data: unit.data.map((value) => (value > 0 ? 1 + 4 * next : -next)) }
    let x = u
    for (const [name, solve] of solvers) {
      const found = solve(A, b, u, kappa(t))
      totals.set(name, (totals.get(name) as number) + found.iterations)
      x = found.x
    }
    u = Float64Array.from(x)
  }
  return totals
}

export async function run({ quick, log }: Context): Promise<Report> {
  const fixed = [1, 1.2, 1.4, 1.5, 1.6, 1.7, 1.8]
  const rows: Cell[][] = []
  const targets = []
  const T = quick ? 500 : 5000
  for (const high of [true, false]) {
    log(`shifted Laplacian, ${high ? 'high' : 'low'} variance`)
    const means = shifted(high, T, fixed)
    for (const [name, { all, second }] of means) rows.push([high ? 'high' : 'low', name, all, second])
    const secondOf = (name: string) => means.get(name)?.second ?? Number.NaN
    const best = Math.min(...fixed.map((omega) => secondOf(`omega = ${omega}`)))
    const label = high ? 'high' : 'low'
    targets.push(
      atMost(`${label}: Tsallis-INF over the best fixed, second half`, secondOf('Tsallis-INF') / best, 1.12),
      atMost(`${label}: Chebyshev over optimal, second half`, secondOf('Chebyshev') / secondOf('optimal'), 1.12),
      atMost(`${label}: Chebyshev over the best fixed, second half`, secondOf('Chebyshev') / best, 0.75),
    )
  }
  const heatRows: Cell[][] = []
  for (const nx of quick ? [25] : [25, 50]) {
    log(`heat equation, nx = ${nx}`)
    const omegas = Array.from({ length: 20 }, (_, i) => (20 + i) / 20)
    const time = { tuner: 0, solve: 0 }
    const range: [number, number] = [0, 10]
    const cg = (A: ReturnType<typeof laplacian>, b: Float64Array, x0: Float64Array, omega?: number) => {
      const problem =
        omega === undefined
          ? { matrix: A, b, x0 }
          : { matrix: A, b, x0, preconditioner: { kind: 'ssor' as const, omega } }
      return conjugateGradientSync(problem, { tolerance: 1e-8, checkSymmetry: false, threads: 1 })
    }
    const solvers: Parameters<typeof heat>[2] = new Map()
    solvers.set('CG', (A, b, x0) => cg(A, b, x0))
    for (const omega of [1, 1.3, 1.5, 1.95]) solvers.set(`SSOR, omega = ${omega}`, (A, b, x0) => cg(A, b, x0, omega))
    solvers.set('best of 20 per step', (A, b, x0) => {
      const all = omegas.map((omega) => cg(A, b, x0, omega))
      return all.reduce((best, one) => (one.iterations < best.iterations ? one : best))
    })
    for (const method of ['tsallis-inf', 'tsallis-inf-contextual', 'chebyshev'] as const) {
      const tuner = relaxationTuner(
        method === 'tsallis-inf' ? { method, seed: 1 } : { method, range, bins: 5, seed: 1 },
      )
      solvers.set(method, (A, b, x0, c) => {
        const t0 = performance.now()
        const trial = method === 'tsallis-inf' ? tuner.ask() : tuner.ask(c)
        const t1 = performance.now()
        const found = cg(A, b, x0, trial.omega)
        const t2 = performance.now()
        tuner.tell(trial, found.iterations)
        time.tuner += t1 - t0 + performance.now() - t2
        time.solve += t2 - t1
        return found
      })
    }
    const totals = heat(nx, quick ? 1000 : 5000, solvers)
    for (const [name, total] of totals) heatRows.push([nx, name, total])
    const total = (name: string) => totals.get(name) as number
    targets.push(
      atMost(`nx = ${nx}: Chebyshev over best per step`, total('chebyshev') / total('best of 20 per step'), 1.06),
      atLeast(`nx = ${nx}: iterations of CG over Chebyshev's`, total('CG') / total('chebyshev'), 3, '×'),
    )
    if (nx >= 50)
      targets.push(atMost(`nx = ${nx}: time of the tuners over that of the solves`, time.tuner / time.solve, 0.05))
  }
  return {
    tables: [
      {
        title: 'Mean iterations of SOR, shifted Laplacian, n = 100',
        columns: ['variance', 'omega by', 'all', 'second half'],
        rows,
      },
      {
        title: 'Iterations of (SSOR-)CG in all, heat equation',
        columns: ['nx', 'omega by', 'iterations'],
        rows: heatRows,
      },
    ],
    targets,
  }
}
