import { kernels } from '../../lib/backend/index.js'
import { type HybridEvent, type MkorEvent, mkor, mkorHybrid } from '../../lib/curvature/index.js'
import { InverseFactor } from '../../lib/curvature/mkor/factor.js'
import { adam, sgd } from '../../lib/descent/index.js'
import { generator } from '../../lib/index.js'
import { cholesky } from '../../lib/linear/index.js'
import type { Optimizer } from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { logSlope } from '../lib/slope.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { median, medianOf, milliseconds } from '../lib/timing.js'

export const description =
  'MKOR: steps on a regression whose inputs have a large mean, cost of a refresh against inverting the factor, and the switch of MKOR-H.'

const [samples, inputs, outputs, batch] = [4000, 100, 10, 64]

/** Y = X W*, x = μ + 0.3 N(0, I), |μ| = 10. */
class Regression {
  readonly x = new Float64Array(samples * inputs)
  readonly y = new Float64Array(samples * outputs)

  constructor(seed: number, noise = 0) {
    const draw = generator(seed)
    const mean = draw.normal(inputs)
    const norm = Math.hypot(...mean)
    const spread = draw.normal(samples * inputs)
    const truth = draw.normal(inputs * outputs)
    this.x.forEach((_, k) => {
      this.x[k] = (10 * mean[k % inputs]) / norm + 0.3 * spread[k]
    })
    this.product(truth, 0, samples, this.y)
    const errors = draw.normal(samples * outputs)
    this.y.forEach((_, k) => {
      this.y[k] += noise * errors[k]
    })
  }

  private product(w: Float64Array, from: number, count: number, out: Float64Array): void {
    const part = this.x.subarray(from * inputs, (from + count) * inputs)
    kernels().tensor.matmul(out, part, w, 1, count, outputs, inputs, false, false, 0, 0)
  }

  /** Half the mean square over all samples. */
  loss(w: Float64Array): number {
    const out = new Float64Array(samples * outputs)
    this.product(w, 0, samples, out)
    return out.reduce((sum, value, k) => sum + (value - this.y[k]) ** 2, 0) / (2 * samples)
  }

  /** Of one batch: its loss, the gradient, and the means that MKOR takes. */
  at(w: Float64Array, step: number) {
    const from = (step * batch) % (samples - batch)
    const error = new Float64Array(batch * outputs)
    this.product(w, from, batch, error)
    error.forEach((_, k) => {
      error[k] -= this.y[from * outputs + k]
    })
    const value = error.reduce((sum, e) => sum + e * e, 0) / (2 * batch)
    const part = this.x.subarray(from * inputs, (from + batch) * inputs)
    const gradient = new Float64Array(inputs * outputs)
    kernels().tensor.matmul(gradient, part, error, 1, inputs, outputs, batch, true, false, 0, 0)
    gradient.forEach((_, k) => {
      gradient[k] /= batch
    })
    const means = (data: Float64Array, columns: number) => {
      const out = new Float64Array(columns)
      data.forEach((value, k) => {
        out[k % columns] += value / batch
      })
      return out
    }
    return { value, gradient, statistics: [{ input: means(part, inputs), outputGradient: means(error, outputs) }] }
  }
}

const layers = [{ weight: 'w' }]
const preconditioned = (base: Optimizer) => mkor({ base, layers, interval: 1 })

/** Steps to 1e-2 and 1e-3 of the first loss, Infinity where that is not reached. */
function stepsOf(problem: Regression, make: () => Optimizer | ReturnType<typeof mkor>, most: number): [number, number] {
  const optimizer = make()
  const w = new Float64Array(inputs * outputs)
  const first = problem.loss(w)
  const reached: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let t = 0; t < most; t++) {
    const { gradient, statistics } = problem.at(w, t)
    if (!gradient.every(Number.isFinite)) return reached
    ;(optimizer as ReturnType<typeof mkor>).step({ w }, { w: gradient }, statistics)
    if ((t + 1) % 5 !== 0) continue
    const share = problem.loss(w) / first
    if (share <= 1e-2) reached[0] = Math.min(reached[0], t + 1)
    if (share <= 1e-3) {
      reached[1] = t + 1
      return reached
    }
  }
  return reached
}

function regression(quick: boolean): { rows: Cell[][]; targets: Target[] } {
  const problem = new Regression(1)
  const contenders: Record<string, { rates: number[]; make: (rate: number) => Optimizer }> = {
    'SGD, momentum 0.9': {
      rates: [1e-3, 2e-3, 3e-3, 5e-3, 6e-3, 7e-3, 1e-2, 1.5e-2, 2e-2, 3e-2],
      make: (rate) => sgd({ learningRate: rate, momentum: 0.9 }),
    },
    Adam: { rates: [1e-2, 3e-2, 0.1, 0.3], make: (rate) => adam({ learningRate: rate }) },
    'MKOR on SGD': {
      rates: [1e-3, 2e-3, 3e-3, 5e-3, 6e-3, 7e-3, 1e-2, 1.5e-2, 2e-2, 3e-2],
      make: (rate) => preconditioned(sgd({ learningRate: rate, momentum: 0.9 })),
    },
  }
  const rows: Cell[][] = []
  const best: number[][] = []
  for (const [name, { rates, make }] of Object.entries(contenders)) {
    const found = rates.map((rate) => stepsOf(problem, () => make(rate), quick ? 300 : 800))
    const least = [0, 1].map((k) => Math.min(...found.map((steps) => steps[k])))
    best.push(least)
    const chosen = (k: number) => rates[found.findIndex((steps) => steps[k] === least[k])]
    rows.push([name, least[0], chosen(0), least[1], chosen(1)])
  }
  const [plain, , ours] = best
  return {
    rows,
    targets: [
      atMost('to 1e-2: steps over those of SGD', ours[0] / plain[0], 0.5, '×'),
      atMost('to 1e-3: steps over those of SGD', ours[1] / plain[1], 0.5, '×'),
    ],
  }
}

async function refreshes(quick: boolean, threads: number, log: (line: string) => void) {
  const sizes = quick ? [128, 256, 512] : [128, 256, 512, 1024, 2048]
  const rows: Cell[][] = []
  const [ours, theirs]: number[][] = [[], []]
  const settings = {
    decay: 0.95,
    update: 'exact',
    stabilizer: { threshold: 2, weight: 0.9 },
    storage: 'float32',
    backend: undefined,
    threads,
  } as const
  for (const n of sizes) {
    log(`refresh, n = ${n}`)
    const factor = new InverseFactor(n, settings)
    const v = Float64Array.from({ length: n }, (_, j) => Math.sin(j))
    const count = Math.max(1, Math.round(2 ** 22 / n ** 2))
    const one = await medianOf(
      7,
      async () =>
        (await milliseconds(() => {
          for (let k = 0; k < count; k++) factor.refresh(v)
        })) / count,
    )
    const a = new Float64Array(n * n)
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] = (i === j ? 1 : 0) + v[i] * v[j]
    const matrix = { data: a, shape: [n, n] }
    const unit = { data: a.map((_, k) => (k % (n + 1) === 0 ? 1 : 0)), shape: [n, n] }
    const other = await medianOf(3, () => milliseconds(async () => (await cholesky(matrix, { threads })).solve(unit)))
    ours.push(one)
    theirs.push(other)
    rows.push([n, one, other, other / one])
  }
  const targets = [
    atMost('refresh: |slope − 2|', Math.abs(logSlope(sizes, ours) - 2), 0.2),
    atMost('Cholesky inverse: |slope − 3|', Math.abs(logSlope(sizes, theirs) - 3), 0.3),
    atLeast(
      `inverse over refresh at n = ${sizes.at(-1)!.toLocaleString('en-US')}`,
      theirs.at(-1)! / ours.at(-1)!,
      20,
      '×',
    ),
  ]
  return { rows, targets }
}

/** Milliseconds of a step of a square layer, refreshed every so many steps. */
function frequencies(quick: boolean, threads: number): Cell[][] {
  const n = quick ? 256 : 512
  const gradient = Float32Array.from({ length: n * n }, (_, k) => Math.sin(k))
  const v = Float64Array.from({ length: n }, (_, j) => Math.cos(j))
  return [1, 10, 100].map((interval) => {
    const optimizer = mkor({ base: sgd({ learningRate: 1e-3 }), layers, interval, threads })
    const w = new Float32Array(n * n)
    const steps = quick ? 20 : 100
    const start = performance.now()
    for (let t = 0; t < steps; t++) optimizer.step({ w }, { w: gradient }, [{ input: v, outputGradient: v }])
    return [interval, (performance.now() - start) / steps]
  })
}

function hybrid(quick: boolean): { rows: Cell[][]; targets: Target[] } {
  const problem = new Regression(2, 0.1)
  const events: (MkorEvent | HybridEvent)[] = []
  const optimizer = mkorHybrid({
    ...{ base: sgd({ learningRate: 1e-3, momentum: 0.9 }), layers, interval: 1, window: 20 },
    onEvent: (event) => events.push(event),
  })
  const w = new Float64Array(inputs * outputs)
  const spent = { before: [] as number[], after: [] as number[] }
  for (let t = 0; t < (quick ? 1500 : 4000) && spent.after.length < 500; t++) {
    const { value, gradient, statistics } = problem.at(w, t)
    const start = performance.now()
    optimizer.step({ w }, { w: gradient }, statistics, value)
    const phase = optimizer.phase
    const took = performance.now() - start
    if (phase === 'second-order') spent.before.push(took)
    if (phase === 'first-order') spent.after.push(took)
  }
  const base = sgd({ learningRate: 1e-3, momentum: 0.9 })
  const alone: number[] = []
  for (let t = 0; t < 1000; t++) {
    const { gradient } = problem.at(w, t)
    const start = performance.now()
    base.step({ w }, { w: gradient })
    alone.push(performance.now() - start)
  }
  const change = events.find(({ type }) => type === 'switch')
  const after = spent.after.length > 0 ? median(spent.after) : Number.POSITIVE_INFINITY
  const rows: Cell[][] = [
    [change?.type === 'switch' ? change.step : null, median(spent.before), after, median(alone.slice(200))],
  ]
  return {
    rows,
    targets: [
      atLeast('MKOR-H switches once there is no more to gain', change === undefined ? 0 : 1, 1),
      atMost('a step after the switch, over the base optimizer alone', after / median(alone.slice(200)), 1.1, '×'),
    ],
  }
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  log('regression')
  const steps = regression(quick)
  const cost = await refreshes(quick, threads, log)
  log('hybrid')
  const switched = hybrid(quick)
  return {
    tables: [
      {
        title: `Regression ${inputs} → ${outputs}, |mean| = 10: steps to a share of the first loss`,
        note: 'Batches of 64, best learning rates of a grid for each.',
        columns: ['', 'to 1e-2', 'rate', 'to 1e-3', 'rate'],
        rows: steps.rows,
      },
      {
        title: 'A refresh of one factor, milliseconds',
        note: 'float32, against factorization and inverse in float64.',
        columns: ['n', 'MKOR', 'Cholesky inverse', 'ratio'],
        rows: cost.rows,
      },
      {
        title: `A step of a ${quick ? 256 : 512}-square layer`,
        columns: ['interval', 'ms'],
        rows: frequencies(quick, threads),
      },
      {
        title: 'MKOR-H on the regression with noise of 0.1, medians in milliseconds',
        columns: ['step of the switch', 'step before', 'step after', 'base alone'],
        rows: switched.rows,
      },
    ],
    targets: [...steps.targets, ...cost.targets, ...switched.targets],
  }
}
