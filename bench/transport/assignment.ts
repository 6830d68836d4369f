import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { generator } from '../../lib/random/index.js'
import { assignment } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { betweenPoints, uniformPoints } from '../lib/problems.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description = 'Linear assignment against scipy.optimize.linear_sum_assignment, at the same optimal value.'

interface Matrix {
  data: Float64Array
  shape: [number, number]
}

const script = fileURLToPath(new URL('../peer/scipy_assignment.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'

function uniform(n: number, m: number): Matrix {
  return { data: generator(1).uniform(n * m), shape: [n, m] }
}

function integers(n: number, most: number): Matrix {
  const rng = generator(2)
  return { data: Float64Array.from({ length: n * n }, () => rng.integer(0, most)), shape: [n, n] }
}

function products(n: number): Matrix {
  const entry = (k: number) => (Math.floor(k / n) + 1) * ((k % n) + 1)
  return { data: Float64Array.from({ length: n * n }, (_, k) => entry(k)), shape: [n, n] }
}

export async function run({ quick, log }: Context): Promise<Report> {
  const scale = quick ? 4 : 1
  const size = (n: number) => n / scale
  const cases: [string, Matrix][] = [
    ['uniform', uniform(size(500), size(500))],
    ['uniform', uniform(size(1000), size(1000))],
    ['uniform', uniform(size(2000), size(2000))],
    ['uniform', uniform(size(4000), size(4000))],
    ['uniform, rectangular', uniform(size(1000), size(4000))],
    [
      'distances² of points in [0, 1]²',
      betweenPoints(uniformPoints(size(2000), 2, 3), uniformPoints(size(2000), 2, 4)).cost,
    ],
    ['whole numbers below 100', integers(size(2000), 100)],
    ['products (i + 1)(j + 1)', products(size(1000))],
  ]
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  const rows: Cell[][] = []
  const targets: Target[] = []
  try {
    for (const [name, cost] of cases) {
      const [n, m] = cost.shape
      log(`${name}, ${n} × ${m}`)
      const file = path.join(folder, 'cost')
      writeFileSync(file, cost.data)
      const peer = JSON.parse(
        execFileSync(python, [script, file, String(n), String(m), quick ? '1' : '3'], { encoding: 'utf8' }),
      ) as { seconds: number[]; value: number }
      const ours: number[] = []
      let value = Number.NaN
      let gap = Number.NaN
      for (let k = 0; k < (quick ? 2 : 5); k++) {
        const solution = await assignment(cost, { backend: 'native' })
        if (k > 0) ours.push(solution.elapsed)
        value = solution.value
        gap = solution.certificate.gap
      }
      if (Math.abs(value - peer.value) > 1e-9 * Math.abs(peer.value)) {
        throw new Error(`${name}: the values differ, ${value} and ${peer.value}`)
      }
      const portable = (await assignment(cost, { backend: 'portable' })).elapsed
      const theirs = 1000 * median(peer.seconds)
      rows.push([name, n, m, median(ours), theirs, theirs / median(ours), portable, value, gap])
      if (n === m) {
        targets.push(atLeast(`speed against SciPy: ${name}, ${n} × ${m}`, theirs / median(ours), 1, '×'))
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return {
    tables: [
      {
        title: 'Linear assignment, milliseconds',
        note: 'One thread each. SciPy returns no potentials; ours come with them and with the gap they prove.',
        columns: ['costs', 'n', 'm', 'native', 'SciPy', 'SciPy / native', 'portable', 'value', 'gap'],
        rows,
      },
    ],
    targets,
  }
}
