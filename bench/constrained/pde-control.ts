import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type EqualityConstrainedOptions, minimizeEqualityConstrained } from '../../lib/constrained/index.js'
import { pdeControl, subdomains } from '../../test/constrained/problems/pde-control.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
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
