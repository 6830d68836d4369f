import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Csr } from '../../lib/core/index.js'
import {
  type BlockCoordinateDescentOptions,
  blockCoordinateDescent,
  type DescentProblem,
} from '../../lib/descent/index.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { multiply, regression } from '../lib/descent-data.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median, medianOf } from '../lib/timing.js'

export const description = 'The Lasso against scikit-learn, sparse and dense, at equal duality gaps.'

const script = fileURLToPath(new URL('../peer/sklearn_lasso.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'

interface Peer {
  seconds: number[]
  value: number
  gap: number
  nonzeros: number
  iterations: number
}

interface Data {
  name: string
  m: number
  n: number
  A: Csr | { data: Float64Array; shape: [number, number] }
  b: Float64Array
  /** A x and Aᵀ r, for the gap. */
  times(x: Float64Array): Float64Array
  transposed(r: Float64Array): Float64Array
  files: Record<string, Float64Array | Int32Array>
}

function sparse(m: number, n: number): Data {
  const { A, b } = regression(m, n, 5)
  const transposed = (r: Float64Array) => {
    const out = new Float64Array(n)
    for (let i = 0; i < m; i++) {
      for (let k = A.indptr[i]; k < A.indptr[i + 1]; k++) out[A.indices[k]] += A.data[k] * r[i]
    }
    return out
  }
  const files = { indptr: A.indptr, indices: A.indices, data: A.data, b }
  return { name: 'sparse', m, n, A, b, times: (x) => multiply(A, x), transposed, files }
}

/** Columns that have a part in common, as measured features do, and fifty that matter. */
function dense(m: number, n: number): Data {
  const rng = generator(6)
  const shared = rng.normal(m)
  const data = rng.normal(m * n)
  for (let i = 0; i < m * n; i++) data[i] += 0.5 * shared[Math.floor(i / n)]
  const times = (x: Float64Array) => {
    const out = new Float64Array(m)
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[i] += data[i * n + j] * x[j]
    return out
  }
  const transposed = (r: Float64Array) => {
    const out = new Float64Array(n)
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j] += data[i * n + j] * r[i]
    return out
  }
  const w = Float64Array.from({ length: n }, (_, j) => (j % (n / 50) === 0 ? rng.normal() : 0))
  const noise = rng.normal(m)
  const b = times(w).map((value, i) => value + noise[i])
  return { name: 'dense', m, n, A: { data, shape: [m, n] }, b, times, transposed, files: { dense: data, b } }
}

/** P(x) - D(θ) with the residual, scaled until it is feasible, for the dual point. */
function dualityGap({ b, times, transposed }: Data, l1: number, x: Float64Array): number {
  const r = times(x).map((value, i) => b[i] - value)
  const scale = Math.min(1, l1 / transposed(r).reduce((most, g) => Math.max(most, Math.abs(g)), 0))
  const half = (v: Float64Array) => v.reduce((sum, value) => sum + 0.5 * value * value, 0)
  const primal = half(r) + l1 * x.reduce((sum, value) => sum + Math.abs(value), 0)
  return primal - (half(b) - half(b.map((value, i) => value - scale * r[i])))
}

const cases: [string, BlockCoordinateDescentOptions][] = [
  ['cyclic, working set', { selection: 'cyclic', blockSize: 1, update: 'gradient', workingSet: true }],
  ['permutation, working set', { selection: 'permutation', blockSize: 1, update: 'gradient', workingSet: true }],
  ['cyclic', { selection: 'cyclic', blockSize: 1, update: 'gradient' }],
  ['gsd, τ = 50, two-metric', { blockSize: 50 }],
]

async function compare(data: Data, { quick, threads, log }: Context, targets: Target[]): Promise<Cell[][]> {
  const { name, m, n, A, b } = data
  const l1 = 0.05 * data.transposed(b).reduce((most, g) => Math.max(most, Math.abs(g)), 0)
  const rows: Cell[][] = []
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  let peer: Peer
  try {
    for (const [file, values] of Object.entries(data.files)) writeFileSync(path.join(folder, file), values)
    log(`scikit-learn, ${name}`)
    const given = [script, folder, name, String(m), String(n), String(l1 / m), quick ? '2' : '5']
    peer = JSON.parse(execFileSync(python, given, { encoding: 'utf8' }))
  } finally {
    rmSync(folder, { recursive: true })
  }
  const theirs = 1000 * median(peer.seconds)
  rows.push([name, `${m} × ${n}`, 'scikit-learn', peer.iterations, peer.value, peer.nonzeros, peer.gap, theirs])
  const problem: DescentProblem = { loss: 'least-squares', A, b, l1 }
  let best = Number.POSITIVE_INFINITY
  for (const [rule, options] of cases) {
    for (const count of rule.endsWith('working set') && threads > 1 ? [1, threads] : [1]) {
      log(`${name}: ${rule}, ${count} threads`)
      const solve = (tolerance: number) =>
        blockCoordinateDescent(problem, { ...options, tolerance, threads: count, backend: 'native' })
      let [tolerance, gap] = [1e-4, Number.POSITIVE_INFINITY]
      let solution = await solve(tolerance)
      for (; tolerance > 1e-12; tolerance /= 10) {
        solution = await solve(tolerance)
        gap = dualityGap(data, l1, solution.x)
        if (gap <= peer.gap) break
      }
      if (!(gap <= peer.gap)) throw new Error(`${rule}: the gap ${gap} stays above ${peer.gap}`)
      const time = await medianOf(quick ? 1 : 5, async () => (await solve(tolerance)).elapsed)
      const { iterations, value, support } = solution
      const label = count > 1 ? `${rule}, ${count} threads` : rule
      rows.push([name, `${m} × ${n}`, label, iterations, value, support.length, gap, time])
      if (count === 1) best = Math.min(best, time)
    }
  }
  targets.push(atLeast(`speed against scikit-learn, one thread each: ${name}, ${m} × ${n}`, theirs / best, 1, '×'))
  return rows
}

export async function run(context: Context): Promise<Report> {
  const targets: Target[] = []
  const [m, n, wide] = context.quick ? [200, 1000, 500] : [1000, 10_000, 5000]
  const rows = [
    ...(await compare(sparse(m, n), context, targets)),
    ...(await compare(dense(m, wide), context, targets)),
  ]
  return {
    tables: [
      {
        title: 'Lasso at 5% of the largest λ, to the duality gap that scikit-learn reaches with tol 1e-8',
        note: 'Ours: from the rows of A, with all checks of the input. scikit-learn: from its columns, which it is given.',
        columns: ['data', 'size', 'solver', 'iterations', 'objective', 'nonzeros', 'duality gap', 'ms'],
        rows,
      },
    ],
    targets,
  }
}
