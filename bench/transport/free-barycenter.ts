import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { emd, freeBarycenter, pointCloud } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { environment } from '../lib/environment.js'
import { moved, normalPoints, type Points } from '../lib/problems.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'Barycenters on a free support with exact plans against POT, from the same points and for the same number of iterations.'

const script = fileURLToPath(new URL('../peer/pot_barycenter.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'
const iterations = 10

interface Answer {
  seconds: number[]
  iterations: number
  points: Points
}

function pot(folder: string, measures: Points[], initial: Points, threads: number, repetitions: number): Answer {
  const write = (name: string, data: Float64Array) => {
    const file = path.join(folder, name)
    writeFileSync(file, data)
    return file
  }
  const out = path.join(folder, 'out')
  const request = {
    method: 'free_support_barycenter',
    measures: measures.map(({ data }, k) => write(`measure${k}`, data)),
    initial: write('initial', initial.data),
    dimension: initial.shape[1],
    iterations,
    stop: 0,
    repetitions,
    out,
  }
  const file = path.join(folder, 'request')
  writeFileSync(file, JSON.stringify(request))
  const count = String(threads)
  const env = { ...environment(), OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count }
  const answer = JSON.parse(execFileSync(python, [script, file], { encoding: 'utf8', env }))
  const { buffer, byteOffset, length } = readFileSync(out)
  const data = new Float64Array(buffer.slice(byteOffset, byteOffset + length))
  return { ...answer, points: { data, shape: initial.shape } }
}

/** What the points cost: the mean of the exact transports to all measures. */
async function costOf(points: Points, measures: Points[]): Promise<number> {
  let total = 0
  for (const measure of measures) total += (await emd({ cost: pointCloud(points, measure) })).value
  return total / measures.length
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  const rows: Cell[][] = []
  const targets: Target[] = []
  try {
    for (const [n, d] of quick
      ? [[100, 2]]
      : [
          [200, 2],
          [500, 2],
          [500, 20],
          [1000, 2],
        ]) {
      log(`n = ${n}, d = ${d}`)
      const measures = [0, 2, 5].map((offset, k) => moved(normalPoints(n, d, 10 + k), offset))
      const initial = normalPoints(n, d, 1)
      const peer = pot(folder, measures, initial, threads, quick ? 1 : 3)
      const problem = { measures: measures.map((points) => ({ points })), initial }
      const times: number[] = []
      let points = initial
      for (let k = 0; k <= (quick ? 1 : 3); k++) {
        const solution = await freeBarycenter(problem, { maxIterations: iterations, tolerance: 0, threads })
        if (k > 0) times.push(solution.elapsed) // the first warms up
        points = { data: solution.points.data, shape: initial.shape }
      }
      const [mine, theirs] = [median(times), 1000 * median(peer.seconds)]
      const [ours, other] = [await costOf(points, measures), await costOf(peer.points, measures)]
      const ratio = ours <= other * (1 + 1e-9) ? theirs / mine : Number.NaN
      rows.push([n, d, mine, ours, theirs, other, ratio])
      targets.push(atLeast(`speed against POT: ${n} points in ${d} dimensions`, ratio, 1, '×'))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return {
    tables: [
      {
        title: `Barycenters of three clouds on a free support, ${iterations} iterations, milliseconds`,
        note: 'Normal clouds of n points around (0, …), (2, …) and (5, …); a barycenter of n points. Cost: the mean of exact transports.',
        columns: ['n', 'd', 'ms', 'cost', 'POT ms', 'POT cost', 'POT / ours'],
        rows,
      },
    ],
    targets,
  }
}
