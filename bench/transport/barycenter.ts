import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { barycenter, gridCost } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { environment } from '../lib/environment.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'Barycenters on a fixed support against POT, at the same distance from the exact entropic (or debiased) barycenter.'

const script = fileURLToPath(new URL('../peer/pot_barycenter.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'

/** Places along a line, or along both sides of a picture. */
interface Case {
  shape: [number] | [number, number]
  histograms: Float64Array[]
  epsilon: number
  debiased: boolean
}

function normalized(values: Float64Array): Float64Array {
  const total = values.reduce((sum, value) => sum + value, 0)
  return values.map((value) => value / total)
}

/** Three normal densities. */
function onLine(n: number): Float64Array[] {
  const density = (mean: number, deviation: number) =>
    normalized(
      Float64Array.from({ length: n }, (_, i) => Math.exp(-((i / (n - 1) - mean) ** 2) / (2 * deviation ** 2))),
    )
  return [density(0.2, 0.05), density(0.5, 0.1), density(0.75, 0.08)]
}

/** Two rings of different size. */
function pictures(n: number): Float64Array[] {
  const ring = (x: number, y: number, radius: number) =>
    normalized(
      Float64Array.from({ length: n * n }, (_, k) => {
        const away = Math.hypot(Math.floor(k / n) / (n - 1) - x, (k % n) / (n - 1) - y)
        return Math.exp(-(((away - radius) / 0.04) ** 2))
      }),
    )
  return [ring(0.35, 0.35, 0.15), ring(0.6, 0.55, 0.3)]
}

function casesOf(quick: boolean): Case[] {
  const lines = quick ? [200] : [500, 2000]
  const grids = quick ? [32] : [64, 128]
  const large: Case = { shape: [256, 256], histograms: pictures(256), epsilon: 1e-2, debiased: false }
  return [
    ...lines.flatMap((n) =>
      [1e-2, 1e-3].map((epsilon): Case => ({ shape: [n], histograms: onLine(n), epsilon, debiased: false })),
    ),
    ...grids.flatMap((n) =>
      [1e-2, 2e-3].map((epsilon): Case => ({ shape: [n, n], histograms: pictures(n), epsilon, debiased: false })),
    ),
    ...(quick ? [] : [large]),
    ...lines.map((n): Case => ({ shape: [n], histograms: onLine(n), epsilon: 1e-3, debiased: true })),
    ...grids.map((n): Case => ({ shape: [n, n], histograms: pictures(n), epsilon: 2e-3, debiased: true })),
  ]
}

interface PotAnswer {
  pot: string
  seconds: number[]
  iterations: number
  finite: boolean
  barycenter: Float64Array
}

function pot(
  folder: string,
  { shape, histograms, epsilon, debiased }: Case,
  threads: number,
  quick: boolean,
): PotAnswer {
  const file = (name: string) => path.join(folder, name)
  writeFileSync(file('histograms'), Float64Array.from(histograms.flatMap((h) => [...h])))
  const request = {
    method: `${shape.length === 1 ? 'barycenter' : 'convolutional_barycenter2d'}${debiased ? '_debiased' : ''}`,
    histograms: file('histograms'),
    shape: [histograms.length, ...shape],
    epsilon,
    stop: debiased ? 1e-3 : 1e-6,
    iterations: debiased ? 500 : 2000,
    repetitions: quick || shape[0] >= 128 ? 1 : 3,
    out: file('out'),
  }
  writeFileSync(file('request'), JSON.stringify(request))
  const count = String(threads)
  const env = { ...environment(), OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count }
  const answer = JSON.parse(execFileSync(python, [script, file('request')], { encoding: 'utf8', env }))
  const { buffer, byteOffset, length } = readFileSync(file('out'))
  return { ...answer, barycenter: new Float64Array(buffer.slice(byteOffset, byteOffset + length)) }
}

function distance(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0)
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  const rows: Cell[][] = []
  const targets: Target[] = []
  try {
    for (const one of casesOf(quick)) {
      const { shape, histograms, epsilon, debiased } = one
      const name = `${shape.join('×')}, K = ${histograms.length}, ε = ${epsilon}${debiased ? ', debiased' : ''}`
      log(name)
      const problem = { cost: shape.length === 1 ? squares(shape[0]) : gridCost(shape), histograms: matrix(histograms) }
      // Debiased barycenters are known as well as early stopping lets them be: a longer run of the same kind.
      const exact = await barycenter(problem, { epsilon, debiased, tolerance: debiased ? 1e-5 : 1e-10, threads })
      const peer = pot(folder, one, threads, quick)
      const theirError = distance(peer.barycenter, exact.barycenter)
      const ours = await asExact(
        (tolerance) => barycenter(problem, { epsilon, debiased, tolerance, threads }),
        exact.barycenter,
        peer.finite && theirError < 0.05 ? theirError : 1e-3,
      )
      const times: number[] = []
      for (let k = 0; k < (quick ? 1 : 5); k++) {
        times.push((await barycenter(problem, { epsilon, debiased, tolerance: ours.tolerance, threads })).elapsed)
      }
      const [mine, theirs] = [median(times), 1000 * median(peer.seconds)]
      const right = peer.finite && theirError < 0.05
      const ratio = ours.error <= theirError ? theirs / mine : Number.NaN
      rows.push([
        name,
        ours.iterations,
        mine,
        ours.error,
        peer.iterations,
        theirs,
        peer.finite ? theirError : 'NaN',
        right ? ratio : null,
      ])
      if (right) targets.push(atLeast(`speed against POT: ${name}`, ratio, 2, '×'))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return {
    tables: [
      {
        title: 'Barycenters on a fixed support, milliseconds',
        note:
          'POT 0.8: barycenter, convolutional_barycenter2d and their _debiased forms with stopThr 1e-6 and ' +
          'at most 2,000 iterations (debiased: 1e-3 and 500), which do not work in the log domain; ours with the largest of the tolerances 1e-2, 1e-3, … ' +
          'that comes as close to the exact barycenter. Error: the L1 distance from it, as our own solver finds it with a ' +
          'tolerance of 1e-10 (debiased: 1e-5). No ratio where POT ends farther away than 0.05, as its kernel underflows.',
        columns: ['problem', 'iterations', 'ms', 'error', 'POT iterations', 'POT ms', 'POT error', 'POT / ours'],
        rows,
      },
    ],
    targets,
  }
}

function matrix(histograms: Float64Array[]) {
  return {
    data: Float64Array.from(histograms.flatMap((h) => [...h])),
    shape: [histograms.length, histograms[0].length],
  }
}

function squares(n: number) {
  const data = Float64Array.from({ length: n * n }, (_, k) => ((Math.floor(k / n) - (k % n)) / (n - 1)) ** 2)
  return { data, shape: [n, n] }
}

/** The run with the largest tolerance that comes within `error` of the exact barycenter, or that of the smallest. */
async function asExact(
  solve: (tolerance: number) => ReturnType<typeof barycenter>,
  exact: Float64Array,
  error: number,
): Promise<{ tolerance: number; iterations: number; error: number }> {
  for (let tolerance = 1e-2; ; tolerance /= 10) {
    const { iterations, barycenter: b } = await solve(tolerance)
    const ours = distance(b, exact)
    if (ours <= error || tolerance < 1e-9) return { tolerance, iterations, error: ours }
  }
}
