import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { randomOrthogonal } from '../../lib/lowrank/dictionary/start.js'
import { matchAtoms, onlineDictionary, orthogonalDictionary } from '../../lib/lowrank/index.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { lostWith, relaxedError, slope, sparseSamples, temperatures } from '../lib/dictionary.js'
import type { Mark } from '../lib/dictionary-stream-child.js'
import { environment } from '../lib/environment.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'Online orthogonal dictionary learning: recovery, the slope of the gap, codes of temperatures, memory over a long stream, time of a step.'

/** Recovery after T steps: medians over dictionaries. */
async function recovery(seeds: number, log: Context['log']) {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [n, theta, batch, T] of [
    [10, 0.3, 10, 10_000],
    [20, 0.2, 10, 10_000],
    [50, 0.1, 10, 3000],
    [10, 0.2, 1, 30_000],
  ]) {
    const finals: Record<number, number> = {}
    for (const power of [3, 4] as const) {
      log(`N = ${n}, p = ${power}`)
      const [errors, matched, slopes]: number[][] = [[], [], []]
      for (let seed = 0; seed < seeds; seed++) {
        const rng = generator(seed)
        const D = randomOrthogonal(n, rng)
        const learner = onlineDictionary({ atoms: n, power, batchSize: batch, seed: 100 + seed })
        const { gaps } = await learner.update(sparseSamples(D, n, theta, T * batch, rng))
        const match = await matchAtoms(learner.dictionary, { data: D, shape: [n, n] })
        errors.push(relaxedError(learner.relaxed.data, D, n))
        matched.push(match.worst)
        slopes.push(slope(gaps, Math.max(10, 2 * n)))
      }
      finals[power] = median(errors)
      rows.push([n, theta, batch, power, T, median(errors), Math.max(...errors), median(matched), median(slopes)])
      if (n === 20 && power === 3) {
        targets.push(atMost('N = 20, p = 3: error at 10,000 steps', median(errors), 0.003))
        targets.push(atLeast('N = 20, p = 3: fall of the gap, minus its slope', -median(slopes), 0.25))
      }
    }
    targets.push(atLeast(`N = ${n}, batch ${batch}: error of p = 4 over that of p = 3`, finals[4] / finals[3], 2, '×'))
  }
  return { rows, targets }
}

/** A process of its own that learns from a long stream, and says what memory it has at marks. */
function longStream(samples: number): Mark[] {
  const script = fileURLToPath(new URL('../lib/dictionary-stream-child.ts', import.meta.url))
  const args = ['--import=tsx', '--expose-gc', script, String(samples)]
  return JSON.parse(execFileSync(process.execPath, args, { env: environment(), encoding: 'utf8' }))
}

async function speeds(sizes: number[], log: Context['log']): Promise<Cell[][]> {
  const rows: Cell[][] = []
  for (const n of sizes) {
    log(`time of a step, N = ${n}`)
    const rng = generator(1)
    const Y = sparseSamples(randomOrthogonal(n, rng), n, 0.2, n * 50, rng)
    const times: number[] = []
    for (const backend of ['native', 'portable'] as const) {
      const one = onlineDictionary({ atoms: n, batchSize: n, backend })
      const some = backend === 'native' ? Y : Y.subarray(0, 4 * n * n)
      await one.update(some)
      const own: number[] = []
      for (let k = 0; k < 3; k++) {
        const { elapsed, iterations } = await one.update(some)
        own.push(elapsed / iterations)
      }
      times.push(median(own))
    }
    rows.push([n, ...times, times[1] / times[0]])
  }
  return rows
}

export async function run({ quick, log }: Context): Promise<Report> {
  const recovered = await recovery(quick ? 2 : 10, log)

  log('temperatures')
  const windows = temperatures()
  const learner = onlineDictionary({ atoms: 24, batchSize: 24, initial: 'dct' })
  for (let pass = 0; pass < 20; pass++) await learner.update(windows)
  const offline = await orthogonalDictionary(windows, { atoms: 24, initial: 'dct' })
  const cosines = onlineDictionary({ atoms: 24, initial: 'dct' })
  const [cosine, online, power] = [cosines, learner, offline].map(({ dictionary }) =>
    lostWith(dictionary.data as Float64Array, windows, 24, 4),
  )

  log('a long stream')
  const marks = longStream(quick ? 100_000 : 1_000_000)
  const [before, last] = marks.slice(-2)

  return {
    tables: [
      {
        title: 'Recovery, medians of 10 dictionaries',
        note: '"error" is 1 - ‖WᵀD‖₄⁴ / N of W itself, "matched", of the orthogonal dictionary, the largest 1 - |cos| of an atom and the one it is paired with.',
        columns: ['N', 'theta', 'batch', 'p', 'steps', 'error', 'worst', 'matched', 'slope of the gap'],
        rows: recovered.rows,
      },
      {
        title: 'Temperatures, relative error with 4 of 24 coefficients',
        columns: ['DCT', 'online', 'offline'],
        rows: [[cosine, online, power]],
      },
      {
        title: 'A long stream, N = 16, batches of 10',
        columns: [
          'samples',
          'resident MiB',
          'MiB in the JavaScript heap',
          'microseconds of a step since the last mark',
        ],
        rows: marks.map(({ samples, resident, heap, step }) => [samples, resident / 2 ** 20, heap / 2 ** 20, step]),
      },
      {
        title: 'Milliseconds of a step, batches of N',
        columns: ['N', 'native', 'portable', 'portable / native'],
        rows: await speeds(quick ? [16, 64] : [16, 64, 256], log),
      },
    ],
    targets: [
      ...recovered.targets,
      atMost('temperatures, 4 of 24: error over that of the DCT', online / cosine, 1),
      atMost('temperatures, 4 of 24: error over that of the offline method', online / power, 1.05),
      atMost(
        `resident memory after ${last.samples.toLocaleString('en-US')} samples over that after a tenth of them`,
        last.resident / before.resident,
        1.05,
      ),
    ],
  }
}
