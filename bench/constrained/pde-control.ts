import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { columnScales } from '../../lib/constrained/equilibrate.js'
import { type EqualityConstrainedOptions, minimizeEqualityConstrained } from '../../lib/constrained/index.js'
import { symmetricEigenSync } from '../../lib/linear/index.js'
import { pdeControl, subdomains } from '../../test/constrained/problems/pde-control.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast } from '../lib/target.js'

export const description =
  "AdaSketch-Newton on the control of Poisson's equation to N = 64, with exact, Krylov and sketched directions, beside IPOPT."

const source = fileURLToPath(new URL('../peer/ipopt_pde.cc', import.meta.url))
const tolerance = 1e-4

interface IpoptAnswer {
  seconds: number
  iterations: number
  value: number
  peakMiB: number
}

/**
 * The condition number of Γ, and the sketches by which Kaczmarz's method takes e⁻² off the error in the mean: 2 rows / σ_min² of Γ
 * with rows of length one. In the eigenvectors of the Laplacian Γ falls into 3 × 3 blocks; rows count as those of the interior.
 */
function conditioning(sizes: number[]): Table {
  const rows = sizes.map((size) => {
    const inverse = ((size + 1) / 2) ** 2
    const far = Math.sqrt(20) * inverse
    const lengths = {
      rows: 3,
      columns: 3,
      data: Float64Array.of(1, 0, far, 0, 0.1, 1, far, 1, 0),
      indptr: null,
      indices: null,
    }
    const scales = columnScales(lengths, { due: () => false }).next().value as Float64Array
    const singular = (block: number[][]) => {
      const square = block.map((_, i) => block.map((_, j) => block.reduce((sum, row) => sum + row[i] * row[j], 0)))
      const { values } = symmetricEigenSync(square)
      return [values[0], values[2]].map((value) => Math.sqrt(Math.max(0, value)))
    }
    const unitRows = (block: number[][], d: ArrayLike<number>) =>
      block.map((row, i) => {
        let squares = 0
        for (let j = 0; j < 3; j++) squares += (lengths.data[3 * i + j] * d[j]) ** 2
        return row.map((value, j) => (value * d[j]) / Math.sqrt(squares))
      })
    let [least, most, plain, scaled] = [Infinity, 0, Infinity, Infinity]
    const wave = (k: number) => 2 * Math.cos((Math.PI * k) / (size + 1)) - 2
    for (let i = 1; i <= size; i++) {
      for (let j = 1; j <= size; j++) {
        const mu = (wave(i) + wave(j)) * inverse
        const block = [
          [1, 0, mu],
          [0, 0.1, 1],
          [mu, 1, 0],
        ]
        const [low, high] = singular(block)
        least = Math.min(least, low)
        most = Math.max(most, high)
        plain = Math.min(plain, singular(unitRows(block, [1, 1, 1]))[0])
        scaled = Math.min(scaled, singular(unitRows(block, scales))[0])
      }
    }
    const expected = (sigma: number) => (2 * 3 * size ** 2) / sigma ** 2
    return [size, most / least, expected(plain), expected(scaled)]
  })
  return {
    title: 'Conditioning of the KKT matrix',
    note: 'Sketches by which e⁻² comes off the mean squared error of Kaczmarz’s method.',
    columns: ['N', 'κ(Γ)', 'Kaczmarz', 'equilibrated'],
    rows,
  }
}

export async function run({ quick, log }: Context): Promise<Report> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  const rows: Cell[][] = []
  let [agreed, sketched] = [0, 0]
  const sizes = quick ? [3, 8, 16] : [3, 4, 8, 16, 32, 64]
  try {
    const binary = path.join(folder, 'ipopt_pde')
    execFileSync('g++', ['-O2', source, '-I/usr/include/coin', '-lipopt', '-o', binary])
    for (const size of sizes) {
      const peer = JSON.parse(
        execFileSync(binary, [String(size), String(tolerance)], { encoding: 'utf8' }),
      ) as IpoptAnswer
      rows.push([
        size,
        'IPOPT',
        'converged',
        peer.iterations,
        null,
        null,
        null,
        null,
        peer.value,
        peer.seconds,
        peer.peakMiB,
      ])
      const contenders: [string, EqualityConstrainedOptions][] = [
        ['exact (sparse L D Lᵀ)', { linearSolver: 'exact' }],
        ['MINRES', { linearSolver: 'minres', accuracy: 'practical', maxSketches: 1e6 }],
        ['Kaczmarz', { accuracy: 'practical', maxSketches: 1e12 }],
        ['Kaczmarz, equilibrated', { accuracy: 'practical', maxSketches: 1e12, scaling: 'equilibrate' }],
        [
          'subdomains, equilibrated',
          {
            accuracy: 'practical',
            maxSketches: 1e12,
            scaling: 'equilibrate',
            sketch: 'blocks',
            blocks: subdomains(size, Math.ceil(size / 2)),
          },
        ],
      ]
      for (const [name, options] of contenders) {
        log(`PDE control, N = ${size}, ${name}`)
        const before = process.memoryUsage.rss()
        const limits = {
          tolerance,
          timeLimit: quick ? 2000 : name === 'Kaczmarz' ? 2000 : 20_000,
          backend: 'native' as const,
        }
        const solution = await minimizeEqualityConstrained(pdeControl(size), { ...limits, ...options })
        const growth = Math.max(0, process.memoryUsage.rss() - before) / 2 ** 20
        const { status, iterations, residual, rows: read, flops, value, elapsed } = solution
        rows.push([
          size,
          name,
          status,
          iterations,
          residual,
          solution.sketches,
          read,
          flops,
          value,
          elapsed / 1000,
          growth,
        ])
        const isRight = status === 'converged' && Math.abs(value - peer.value) <= 1e-3 * peer.value
        if (name.startsWith('exact') && isRight) agreed++
        if (name.startsWith('subdomains') && isRight) sketched++
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return {
    tables: [
      conditioning(sizes),
      {
        title: 'PDE control, N × N grid, n = 2N²',
        note: 'Seconds include the test of the curvature. Memory: peak of the whole process for IPOPT, growth of the resident set for ours.',
        columns: [
          'N',
          'solver',
          'status',
          'iterations',
          'residual',
          'sketches',
          'rows read',
          'flops',
          'value',
          'seconds',
          'MiB',
        ],
        rows,
      },
    ],
    targets: [
      atLeast("sizes where the exact variant has IPOPT's value", agreed, sizes.length),
      atLeast("sizes where sketches of subdomains have IPOPT's value", sketched, sizes.length),
    ],
  }
}
