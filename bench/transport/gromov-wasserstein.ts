import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { generator } from '../../lib/random/index.js'
import { gromovWasserstein } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'Gromov-Wasserstein transport between Gaussian clouds in the plane and in space, against POT.'

interface Matrix {
  data: Float64Array
  shape: [number, number]
}

const script = fileURLToPath(new URL('../peer/gromov.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'
const tolerance = 1e-7

function distances(n: number, d: number, seed: number): Matrix {
  const points = generator(seed).normal(n * d)
  const data = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let squares = 0
      for (let k = 0; k < d; k++) squares += (points[i * d + k] - points[j * d + k]) ** 2
      data[i * n + j] = Math.sqrt(squares)
    }
  }
  return { data, shape: [n, n] }
}

export async function run({ quick, log }: Context): Promise<Report> {
  const sizes = quick ? [100, 200] : [200, 500, 1000]
  const rows: Cell[][] = []
  const targets: Target[] = []
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    for (const n of sizes) {
      const [source, target] = [distances(n, 2, 1), distances(n, 3, 2)]
      const files = { source: path.join(folder, 'source'), target: path.join(folder, 'target') }
      writeFileSync(files.source, source.data)
      writeFileSync(files.target, target.data)
      for (const epsilon of [undefined, 0.05]) {
        const form = epsilon === undefined ? 'exact' : `epsilon ${epsilon}`
        log(`n = ${n}, ${form}`)
        const repetitions = quick ? 1 : 3
        const request = JSON.stringify({ n, ...files, epsilon, tolerance, repetitions })
        const peer = JSON.parse(execFileSync(python, ['-W', 'ignore', script, request], { encoding: 'utf8' })) as {
          seconds: number[]
          value: number
        }
        const options = { epsilon, tolerance: epsilon === undefined ? 1e-9 : tolerance, backend: 'native' as const }
        await gromovWasserstein({ source, target }, options)
        const ours: number[] = []
        let solution = await gromovWasserstein({ source, target }, options)
        for (let k = 0; k < repetitions; k++) {
          solution = await gromovWasserstein({ source, target }, options)
          ours.push(solution.elapsed)
        }
        const theirs = 1000 * median(peer.seconds)
        const speed = theirs / median(ours)
        rows.push([n, form, solution.iterations, median(ours), theirs, speed, solution.value, peer.value])
        targets.push(atLeast(`speed against POT: n = ${n}, ${form}`, speed, 1, '×'))
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return {
    tables: [
      {
        title: 'Gromov-Wasserstein transport, milliseconds',
        note: `Both start from a bᵀ and end in a stationary point. Entropic: ours stops at a relative L1 change of the plan of ${tolerance}, POT at an L2 change of ${tolerance}.`,
        columns: ['n', 'form', 'iterations', 'native', 'POT', 'POT / native', 'value', "POT's value"],
        rows,
      },
    ],
    targets,
  }
}
