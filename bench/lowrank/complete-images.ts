import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodePng } from '../../lib/cli/image/png.js'
import { type CompletionOptions, completeMatrix } from '../../lib/lowrank/index.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { environment } from '../lib/environment.js'
import { mnistImages, type Pixels, patches } from '../lib/images.js'
import type { Cell } from '../lib/table.js'
import { atMost, type Target } from '../lib/target.js'

export const description =
  'Matrix completion of pictures with half of their pixels missing: against mean imputation and soft-impute.'

const script = fileURLToPath(new URL('../peer/soft_impute.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'
const picture = fileURLToPath(new URL('../../out/bench/lowrank-complete-images.png', import.meta.url))

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function ask(threads: number, ...args: string[]): string {
  const env = { ...environment(), OPENBLAS_NUM_THREADS: String(threads), OMP_NUM_THREADS: String(threads) }
  return execFileSync(python, [script, ...args], { encoding: 'utf8', env })
}

/** scikit-learn's digits. */
function digits(): Pixels {
  const program = (file: string) => `import numpy; print(numpy.fromfile('${file}').tolist())`
  return inFolder((folder) => {
    const file = path.join(folder, 'digits')
    ask(1, 'digits', file)
    const numbers = JSON.parse(execFileSync(python, ['-c', program(file)], { encoding: 'utf8', maxBuffer: 1e8 }))
    return { data: Float64Array.from(numbers), rows: 1797, side: 8 }
  })
}

/** 0: missing, 1: observed, 2: observed, and what options are chosen by. */
function observed(count: number): Uint8Array {
  const draws = generator(7).uniform(2 * count)
  return Uint8Array.from({ length: count }, (_, k) => (draws[k] < 0.5 ? 0 : draws[count + k] < 0.1 ? 2 : 1))
}

/** Entries of the matrix whose code is one of those. */
function entries({ data, side }: Pixels, code: Uint8Array, ...wanted: number[]) {
  const at = [...code.keys()].filter((k) => wanted.includes(code[k]))
  const size = side * side
  return {
    rows: Int32Array.from(at, (k) => Math.floor(k / size)),
    columns: Int32Array.from(at, (k) => k % size),
    values: Float64Array.from(at, (k) => data[k]),
  }
}

const rmse = (x: ArrayLike<number>, y: ArrayLike<number>) =>
  Math.sqrt(Array.from(x).reduce((sum, value, k) => sum + (value - y[k]) ** 2, 0) / x.length)

interface Completed {
  solver: string
  rank: number
  regularization: number
  rmse: number
  milliseconds: number
  all: Float64Array
}

/** Rank and regularization by the entries of code 2, then all that was observed. */
async function complete(
  pixels: Pixels,
  code: Uint8Array,
  solver: 'exact' | 'inexact',
  ranks: number[],
  threads: number,
) {
  const shape: [number, number] = [pixels.rows, pixels.side ** 2]
  const common = { solver, biases: true, tolerance: 1e-4, threads, backend: 'native' } as const
  const validation = entries(pixels, code, 2)
  let best: CompletionOptions = { rank: ranks[0] }
  let least = Number.POSITIVE_INFINITY
  for (const rank of ranks) {
    let last = Number.POSITIVE_INFINITY
    // From light to heavy, until the error rises.
    for (const regularization of [0.5, 1, 2, 4, 8, 16]) {
      const given = { ...common, rank, regularization, validation }
      const { validationRmse = 0 } = await completeMatrix({ shape, ...entries(pixels, code, 1) }, given)
      if (validationRmse >= last) break
      last = validationRmse
      if (validationRmse >= least) continue
      least = validationRmse
      best = { rank, regularization }
    }
  }
  const solution = await completeMatrix({ shape, ...entries(pixels, code, 1, 2) }, { ...common, ...best })
  const missing = entries(pixels, code, 0)
  const every = Array.from(code.keys())
  const predicted = solution.predict(
    every.map((k) => Math.floor(k / shape[1])),
    every.map((k) => k % shape[1]),
  )
  const out: Completed = {
    solver,
    rank: best.rank,
    regularization: best.regularization ?? 0,
    rmse: rmse(solution.predict(missing.rows, missing.columns), missing.values),
    milliseconds: solution.elapsed,
    all: predicted,
  }
  return out
}

function meanImputation(pixels: Pixels, code: Uint8Array): number {
  const size = pixels.side ** 2
  const [sums, counts] = [new Float64Array(size), new Float64Array(size)]
  code.forEach((seen, k) => {
    if (seen === 0) return
    sums[k % size] += pixels.data[k]
    counts[k % size]++
  })
  const missing = entries(pixels, code, 0)
  return rmse(
    Array.from(missing.columns, (j) => sums[j] / Math.max(1, counts[j])),
    missing.values,
  )
}

function softImpute(pixels: Pixels, code: Uint8Array, threads: number) {
  return inFolder((folder): { rmse: number; rank: number; seconds: number; numpy: string } => {
    writeFileSync(path.join(folder, 'matrix'), pixels.data)
    writeFileSync(path.join(folder, 'seen'), code)
    return JSON.parse(ask(threads, 'complete', folder, String(pixels.rows), String(pixels.side ** 2)))
  })
}

/** Rows of pictures: what was observed (missing pixels blue), what came out, the truth. Every pixel 3 × 3. */
function draw(pixels: Pixels, code: Uint8Array, completed: Float64Array, chosen: number[]): void {
  const [scale, gap, { side }] = [3, 4, pixels]
  const cell = side * scale + gap
  const [width, height] = [chosen.length * cell + gap, 3 * cell + gap]
  const rgba = new Uint8Array(4 * width * height).fill(255)
  chosen.forEach((row, c) => {
    for (let kind = 0; kind < 3; kind++) {
      for (let p = 0; p < (side * scale) ** 2; p++) {
        const [y, x] = [Math.floor(p / (side * scale)), p % (side * scale)]
        const k = row * side ** 2 + Math.floor(y / scale) * side + Math.floor(x / scale)
        const known = code[k] > 0
        const value = kind === 2 || known ? pixels.data[k] : completed[k]
        const grey = Math.round(255 * Math.min(1, Math.max(0, value)))
        const to = 4 * ((gap + kind * cell + y) * width + gap + c * cell + x)
        rgba.set(kind === 0 && !known ? [40, 70, 150] : [grey, grey, grey], to)
      }
    }
  })
  mkdirSync(path.dirname(picture), { recursive: true })
  writeFileSync(picture, encodePng({ width, height, rgba, hasAlpha: false }))
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const images = mnistImages(quick ? 20 : 200)
  const sets: [name: string, Pixels, ranks: number[]][] = [
    ['digits of scikit-learn', digits(), quick ? [16] : [10, 20, 40]],
    ['MNIST', images, quick ? [40] : [20, 40, 80]],
    ['MNIST, patches of 7 × 7', patches(images, 7), quick ? [16] : [8, 16, 32]],
  ]
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [name, pixels, ranks] of sets) {
    log(`${name}, ${pixels.rows} × ${pixels.side ** 2}`)
    const code = observed(pixels.data.length)
    const mean = meanImputation(pixels, code)
    const exact = await complete(pixels, code, 'exact', ranks, threads)
    const inexact = await complete(pixels, code, 'inexact', ranks, threads)
    const soft = softImpute(pixels, code, threads)
    rows.push([name, 'mean of the pixel', null, null, mean, null])
    for (const way of [exact, inexact])
      rows.push([name, way.solver, way.rank, way.regularization, way.rmse, way.milliseconds])
    rows.push([name, `soft-impute, NumPy ${soft.numpy}`, soft.rank, null, soft.rmse, null])
    targets.push(atMost(`${name}: RMSE of inexact against exact`, inexact.rmse / exact.rmse, 1.02))
    targets.push(atMost(`${name}: RMSE against mean imputation`, inexact.rmse / mean, 0.8))
    targets.push(atMost(`${name}: RMSE against soft-impute`, inexact.rmse / soft.rmse, 1))
    if (name === 'MNIST') {
      const perDigit = images.rows / 10
      draw(
        pixels,
        code,
        inexact.all,
        Array.from({ length: 10 }, (_, digit) => digit * perDigit + 1),
      )
      log(`picture: ${path.relative(process.cwd(), picture)}`)
    }
  }
  return {
    tables: [
      {
        title: 'Pictures, half of the pixels missing',
        note: 'Intensities in [0, 1], a row for every picture. RMSE over the missing pixels. Ours with biases; rank and regularization, and the threshold of soft-impute, chosen on a tenth of the observed pixels. Milliseconds of the last solve.',
        columns: ['data', 'method', 'rank', 'regularization', 'RMSE', 'milliseconds'],
        rows,
      },
    ],
    targets,
  }
}
