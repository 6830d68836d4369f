import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { generator } from '../../lib/random/index.js'
import { lowRankSinkhorn, pointCloud } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'

export const description = 'Low-rank transport between Gaussian clouds in five dimensions: time per size.'

const script = fileURLToPath(new URL('../peer/low_rank.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'
const d = 5
const rank = 10
const iterations = 100

export async function run({ quick, log }: Context): Promise<Report> {
  const sizes = quick ? [500, 1000] : [1000, 4000, 16000]
  const rows: Cell[][] = []
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    for (const n of sizes) {
      log(`n = ${n}`)
      const x = generator(1).normal(n * d)
      const y = generator(2)
        .normal(n * d)
        .map((value) => 0.5 * value + 1)
      const files = { x: path.join(folder, 'x'), y: path.join(folder, 'y') }
      writeFileSync(files.x, x)
      writeFileSync(files.y, y)
      const request = JSON.stringify({ n, d, rank, ...files, iterations, tolerance: 1e-6 })
      const answer = execFileSync(python, ['-W', 'ignore', script, request], { encoding: 'utf8' })
      const peer = JSON.parse(answer) as { seconds: number; value: number } | null
      const cost = pointCloud({ data: x, shape: [n, d] }, { data: y, shape: [n, d] })
      const solution = await lowRankSinkhorn({ cost }, { rank, maxIterations: iterations, backend: 'native' })
      const theirs = peer === null ? 'not in this POT' : 1000 * peer.seconds
      rows.push([n, solution.iterations, solution.elapsed, solution.value, theirs, peer?.value ?? '–'])
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return {
    tables: [
      {
        title: `Low-rank transport, rank ${rank}, at most ${iterations} iterations, milliseconds`,
        note: 'Both from a random start, with tolerance 1e-6.',
        columns: ['n', 'iterations', 'native', 'value', 'POT', "POT's value"],
        rows,
      },
    ],
    targets: [],
  }
}
