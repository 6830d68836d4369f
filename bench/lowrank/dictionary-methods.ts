import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { symmetricEigenSync } from '../../lib/linear/index.js'
import { randomOrthogonal } from '../../lib/lowrank/dictionary/start.js'
import {
  matchAtoms,
  type OnlineDictionaryOptions,
  onlineDictionary,
  orthogonalDictionary,
} from '../../lib/lowrank/index.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { lostWith, sensorTraces, sparseSamples } from '../lib/dictionary.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'Orthogonal dictionaries: schedules of the online method, offline methods and scikit-learn on the same samples, drift, simulated sensors.'

type Schedules = Pick<OnlineDictionaryOptions, 'schedule' | 'rho' | 'gamma'>

/** The usual rule of stochastic Frank-Wolfe: a negative control. */
const textbook: Schedules = {
  rho: { scale: 4, offset: 8, exponent: 2 / 3 },
  gamma: { scale: 2, offset: 2, exponent: 1 },
}
const marks = [100, 300, 1000, 3000]

const square = (data: Float64Array, n: number) => ({ data, shape: [n, n] as [number, number] })

/** Medians over dictionaries of the error at the marks, and of the matched error at the end. */
async function course(n: number, theta: number, batch: number, schedules: Schedules, seeds: number) {
  const errors: number[][] = marks.map(() => [])
  const matched: number[] = []
  for (let seed = 0; seed < seeds; seed++) {
    const rng = generator(seed)
    const D = randomOrthogonal(n, rng)
    const learner = onlineDictionary({ atoms: n, batchSize: batch, seed: 100 + seed, ...schedules })
    for (const [k, mark] of marks.entries()) {
      await learner.update(sparseSamples(D, n, theta, (mark - learner.steps) * batch, rng))
      const { spread, worst } = await matchAtoms(learner.dictionary, square(D, n))
      errors[k].push(spread)
      if (k === marks.length - 1) matched.push(worst)
    }
  }
  return { errors: errors.map(median), matched: median(matched) }
}

interface Peer {
  sklearn: string
  seconds: number
  atoms: Float64Array
}

function scikit(samples: Float64Array, n: number, batch: number, alpha: number): Peer {
  const script = fileURLToPath(new URL('../peer/sklearn_dictionary.py', import.meta.url))
  const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    writeFileSync(path.join(folder, 'samples'), samples)
    const args = ['-W', 'ignore', script, folder, String(n), String(batch), String(alpha)]
    const answer = JSON.parse(execFileSync(python, args, { encoding: 'utf8' }))
    const bytes = readFileSync(path.join(folder, 'atoms'))
    return { ...answer, atoms: new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** One stream, all of it given to every method. */
async function sameSamples(n: number, theta: number, count: number, log: Context['log']) {
  const rng = generator(5)
  const D = randomOrthogonal(n, rng)
  const Y = sparseSamples(D, n, theta, count, rng)
  const rows: Cell[][] = []
  const errors = new Map<string, number>()
  const add = async (name: string, seconds: number, atoms: Float64Array) => {
    const { spread, worst } = await matchAtoms(square(atoms, n), square(D, n))
    rows.push([n, count, name, seconds, spread, worst])
    errors.set(name, spread)
  }
  const online = async (name: string, options: Partial<OnlineDictionaryOptions>) => {
    log(`${name}, N = ${n}`)
    const learner = onlineDictionary({ atoms: n, batchSize: n, seed: 1, ...options })
    const start = performance.now()
    await learner.update(Y)
    await add(name, (performance.now() - start) / 1000, learner.dictionary.data as Float64Array)
  }
  await online('online', {})
  await online("online, schedule: 'fast'", { schedule: 'fast' })
  await online('online, no averaging (rho = 1)', { rho: 1 })
  for (const [name, options] of [
    ['offline, p = 3', { power: 3 }],
    ['offline, p = 4 (MSP)', { power: 4 }],
    ['offline, thresholds and Procrustes', { method: 'threshold', threshold: 0.5 }],
  ] as const) {
    log(`${name}, N = ${n}`)
    const start = performance.now()
    const { dictionary } = await orthogonalDictionary(Y, { atoms: n, maxIterations: 100, seed: 1, ...options })
    await add(name, (performance.now() - start) / 1000, dictionary.data as Float64Array)
  }
  log(`scikit-learn, N = ${n}`)
  const peer = scikit(Y, n, n, 0.3)
  await add('scikit-learn, alpha = 0.3', peer.seconds, peer.atoms)
  const seconds = (name: string) => rows.find((row) => row[2] === name)?.[3] as number
  const of = (name: string) => errors.get(name) as number
  const targets: Target[] = [
    atMost(`N = ${n}: error of online over that of MSP, same samples`, of('online') / of('offline, p = 4 (MSP)'), 1),
    atLeast(
      `N = ${n}: seconds of scikit-learn over ours`,
      seconds('scikit-learn, alpha = 0.3') / seconds('online'),
      1,
      '×',
    ),
    atMost(`N = ${n}: error of online over that of scikit-learn`, of('online') / of('scikit-learn, alpha = 0.3'), 1),
  ]
  return { rows, targets, version: peer.sklearn }
}

/** The dictionary changes at step 2,000. */
async function drift(seeds: number) {
  const n = 20
  const after = [100, 300, 1000, 2000]
  const rows: Cell[][] = []
  const at300: number[] = []
  for (const [name, schedules] of [
    ['rho = 0.1, gamma = 0.05', { rho: 0.1, gamma: 0.05 }],
    ['decreasing', {}],
  ] as const) {
    const errors: number[][] = [[], ...after.map(() => [])]
    for (let seed = 0; seed < seeds; seed++) {
      const rng = generator(seed)
      const [first, second] = [randomOrthogonal(n, rng), randomOrthogonal(n, rng)]
      const learner = onlineDictionary({ atoms: n, batchSize: n, seed: 100 + seed, ...schedules })
      await learner.update(sparseSamples(first, n, 0.3, 2000 * n, rng))
      errors[0].push((await matchAtoms(learner.dictionary, square(first, n))).spread)
      for (const [k, steps] of after.entries()) {
        await learner.update(sparseSamples(second, n, 0.3, (2000 + steps - learner.steps) * n, rng))
        errors[k + 1].push((await matchAtoms(learner.dictionary, square(second, n))).spread)
      }
    }
    rows.push([name, ...errors.map(median)])
    at300.push(median(errors[2]))
  }
  return { rows, columns: ['weights', 'before', ...after.map((steps) => `${steps} after`)], ratio: at300[1] / at300[0] }
}

async function sensors() {
  const n = 32
  const Y = sensorTraces(n, 20_000, 1)
  const held = sensorTraces(n, 2000, 2)
  const covariance = new Float64Array(n * n)
  for (let r = 0; r < Y.length; r += n) {
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) covariance[i * n + j] += Y[r + i] * Y[r + j]
  }
  const principal = (symmetricEigenSync(square(covariance, n)).vectors as { data: Float64Array }).data
  const learner = onlineDictionary({ atoms: n, batchSize: n, initial: 'dct' })
  await learner.update(Y)
  const offline = await orthogonalDictionary(Y, { atoms: n, initial: 'dct' })
  const bases: [string, Float64Array][] = [
    ['DCT', onlineDictionary({ atoms: n, initial: 'dct' }).dictionary.data as Float64Array],
    ['principal components', principal],
    ['offline, p = 3', offline.dictionary.data as Float64Array],
    ['online', learner.dictionary.data as Float64Array],
  ]
  return bases.map(([name, basis]): Cell[] => [name, ...[2, 4, 8].map((keep) => lostWith(basis, held, n, keep))])
}

export async function run({ quick, log }: Context): Promise<Report> {
  const seeds = quick ? 2 : 10
  const rows: Cell[][] = []
  const last = new Map<string, number>()
  for (const [n, theta, batch, name, schedules] of [
    [10, 0.3, 10, 'default', {}],
    [20, 0.3, 20, 'default', {}],
    [20, 0.3, 20, 'fast', { schedule: 'fast' }],
    [20, 0.3, 1, 'default', {}],
    [20, 0.3, 1, 'textbook', textbook],
    [50, 0.2, 50, 'default', {}],
    [50, 0.2, 50, 'fast', { schedule: 'fast' }],
    [50, 0.2, 50, 'textbook', textbook],
  ] as const) {
    log(`N = ${n}, batches of ${batch}, ${name}`)
    const { errors, matched } = await course(n, theta, batch, schedules, seeds)
    rows.push([n, theta, batch, name, ...errors, matched])
    last.set(`${n}/${batch}/${name}`, errors[marks.length - 1])
  }
  const of = (key: string) => last.get(key) as number
  log('drift')
  const drifted = await drift(seeds)
  const compared = []
  for (const [n, theta] of quick
    ? [[20, 0.3]]
    : [
        [20, 0.3],
        [50, 0.2],
      ]) {
    compared.push(await sameSamples(n, theta, quick ? 20_000 : 3000 * n, log))
  }
  log('sensors')
  return {
    tables: [
      {
        title: 'Schedules: error after 100, 300, 1,000 and 3,000 steps',
        note: `Medians of ${seeds} dictionaries, 1 - ‖WᵀD‖₄⁴ / N; "matched" is the largest 1 - |cos| of paired atoms at the end. "textbook" is rho = 4 (t + 8)^(-2/3), gamma = 2 / (t + 2).`,
        columns: ['N', 'theta', 'batch', 'schedule', '100', '300', '1,000', '3,000', 'matched'],
        rows,
      },
      {
        title: 'The same samples to every method, batches of N',
        note: `Offline methods: at most 100 iterations. scikit-learn ${compared[0].version} MiniBatchDictionaryLearning, N atoms, one pass, the same batches, lasso codes by coordinate descent.`,
        columns: ['N', 'samples', 'method', 'seconds', 'error', 'matched'],
        rows: compared.flatMap((one) => one.rows),
      },
      {
        title: 'Drift: error before and after the dictionary is replaced at step 2,000, N = 20, batches of 20',
        columns: drifted.columns,
        rows: drifted.rows,
      },
      {
        title: 'Simulated sensors: relative error of windows held out with 2, 4, 8 of 32 coefficients',
        note: 'A simulation: two slow oscillations, rare decaying steps, noise.',
        columns: ['basis', '2', '4', '8'],
        rows: await sensors(),
      },
    ],
    targets: [
      atMost('N = 20, batches of 20: error at 3,000 steps', of('20/20/default'), 1e-3),
      atMost('N = 50, batches of 50: error at 3,000 steps', of('50/50/default'), 1e-3),
      atMost('N = 20, single samples: error at 3,000 steps', of('20/1/default'), 1e-2),
      atLeast(
        'N = 20, single samples: error of the textbook schedule over ours',
        of('20/1/textbook') / of('20/1/default'),
        5,
        '×',
      ),
      atLeast('N = 50: error of the textbook schedule over ours', of('50/50/textbook') / of('50/50/default'), 5, '×'),
      atLeast('drift: error of decreasing over constant weights, 300 steps after', drifted.ratio, 5, '×'),
      ...compared.flatMap((one) => one.targets),
    ],
  }
}
