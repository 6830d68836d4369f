import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { randomOrthogonal } from '../../lib/lowrank/dictionary/start.js'
import { onlineDictionary, orthogonalDictionary } from '../../lib/lowrank/index.js'
import { type Generator, generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'Online orthogonal dictionary learning: recovery, the slope of the gap, codes of temperatures, time of a step.'

function samples(D: Float64Array, n: number, theta: number, rows: number, rng: Generator): Float64Array {
  const out = new Float64Array(rows * n)
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < n; k++) {
      if (rng.uniform() >= theta) continue
      const x = rng.normal()
      for (let i = 0; i < n; i++) out[r * n + i] += D[i * n + k] * x
    }
  }
  return out
}

/** 1 - ‖Wᵀ D‖_4⁴ / N: 0 if and only if W is D up to order and signs. */
function error(W: Float64Array, D: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let z = 0
      for (let k = 0; k < n; k++) z += W[k * n + i] * D[k * n + j]
      sum += z ** 4
    }
  }
  return 1 - sum / n
}

/** The slope of log(running minimum of the gap) over log t, from step `first` on: G has full rank then. */
function slope(gaps: Float64Array, first: number): number {
  const [xs, ys]: number[][] = [[], []]
  let least = Number.POSITIVE_INFINITY
  gaps.forEach((gap, t) => {
    if (t < first) return
    least = Math.min(least, gap)
    xs.push(Math.log(t + 1))
    ys.push(Math.log(least))
  })
  const mean = (list: number[]) => list.reduce((sum, x) => sum + x, 0) / list.length
  const [mx, my] = [mean(xs), mean(ys)]
  return xs.reduce((sum, x, k) => sum + (x - mx) * (ys[k] - my), 0) / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0)
}

/** Hourly temperatures of Seattle in windows of a day, each without its mean. */
function temperatures(): Float64Array {
  const main = createRequire(import.meta.url).resolve('vega-datasets')
  const file = path.join(path.dirname(main), '..', 'data', 'seattle-weather-hourly-normals.csv')
  const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1)
  const hours = lines.map((line) => Number(line.split(',')[2]))
  const days = Math.floor(hours.length / 24)
  const out = new Float64Array(days * 24)
  for (let d = 0; d < days; d++) {
    const day = hours.slice(24 * d, 24 * (d + 1))
    const mean = day.reduce((sum, x) => sum + x, 0) / 24
    day.forEach((x, h) => {
      out[24 * d + h] = x - mean
    })
  }
  return out
}

export async function run({ quick, log }: Context): Promise<Report> {
  const recovery: Cell[][] = []
  const targets: Target[] = []
  const seeds = quick ? 2 : 10
  for (const [n, theta, batch, T] of [
    [10, 0.3, 10, 10_000],
    [20, 0.2, 10, 10_000],
    [50, 0.1, 10, 3000],
    [10, 0.2, 1, 30_000],
  ]) {
    const finals: Record<number, number> = {}
    for (const power of [3, 4] as const) {
      log(`N = ${n}, p = ${power}`)
      const errors: number[] = []
      const slopes: number[] = []
      for (let seed = 0; seed < seeds; seed++) {
        const rng = generator(seed)
        const D = randomOrthogonal(n, rng)
        const learner = onlineDictionary({ atoms: n, power, batchSize: batch, seed: 100 + seed })
        const { gaps } = await learner.update(samples(D, n, theta, T * batch, rng))
        errors.push(error(learner.relaxed.data, D, n))
        slopes.push(slope(gaps, Math.max(10, 2 * n)))
      }
      finals[power] = median(errors)
      recovery.push([n, theta, batch, power, T, median(errors), Math.max(...errors), median(slopes)])
      if (n === 20 && power === 3) {
        targets.push(atMost('N = 20, p = 3: error at 10,000 steps', median(errors), 0.003))
        targets.push(atLeast('N = 20, p = 3: fall of the gap, minus its slope', -median(slopes), 0.25))
      }
    }
    if (n <= 20 && batch > 1)
      targets.push(atLeast(`N = ${n}: error of p = 4 over that of p = 3`, finals[4] / finals[3], 2, '×'))
  }

  log('temperatures')
  const windows = temperatures()
  const learner = onlineDictionary({ atoms: 24, batchSize: 24, initial: 'dct' })
  for (let pass = 0; pass < 20; pass++) await learner.update(windows)
  const offline = await orthogonalDictionary(windows, { atoms: 24, initial: 'dct' })
  const lost = (W: Float64Array) => {
    const one = onlineDictionary({ atoms: 24, initial: { data: W, shape: [24, 24] } })
    const code = (
      one.encodeSync({ data: windows, shape: [windows.length / 24, 24] }, { keep: 4 }) as { data: Float64Array }
    ).data
    const squares = (a: Float64Array) => a.reduce((sum, x) => sum + x * x, 0)
    return Math.sqrt(1 - squares(code) / squares(windows))
  }
  const cosine = lost(onlineDictionary({ atoms: 24, initial: 'dct' }).dictionary.data)
  const [online, power] = [lost(learner.dictionary.data), lost(offline.dictionary.data)]
  targets.push(atMost('temperatures, 4 of 24: error over that of the DCT', online / cosine, 1))
  targets.push(atMost('temperatures, 4 of 24: error over that of the offline method', online / power, 1.05))

  const speed: Cell[][] = []
  for (const n of quick ? [16, 64] : [16, 64, 256]) {
    log(`time of a step, N = ${n}`)
    const rng = generator(1)
    const Y = samples(randomOrthogonal(n, rng), n, 0.2, n * 50, rng)
    const row: Cell[] = [n]
    for (const backend of ['native', 'portable'] as const) {
      const one = onlineDictionary({ atoms: n, batchSize: n, backend })
      const some = backend === 'native' ? Y : Y.subarray(0, 4 * n * n)
      await one.update(some)
      const times: number[] = []
      for (let k = 0; k < 3; k++) {
        const { elapsed, iterations } = await one.update(some)
        times.push(elapsed / iterations)
      }
      row.push(median(times))
    }
    speed.push([...row, (row[2] as number) / (row[1] as number)])
  }
  return {
    tables: [
      {
        title: `Recovery, medians of ${seeds} dictionaries`,
        columns: ['N', 'theta', 'batch', 'p', 'steps', 'error', 'worst', 'slope of the gap'],
        rows: recovery,
      },
      {
        title: 'Temperatures, relative error with 4 of 24 coefficients',
        columns: ['DCT', 'online', 'offline'],
        rows: [[cosine, online, power]],
      },
      {
        title: 'Milliseconds of a step, batches of N',
        columns: ['N', 'native', 'portable', 'portable / native'],
        rows: speed,
      },
    ],
    targets,
  }
}
