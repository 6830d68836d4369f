import { pointCloud, sinkhorn, type TransportProblem } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { memoryGrowth } from '../lib/memory.js'
import { ourIterations } from '../lib/ours.js'
import { randomAssignment, uniformPoints } from '../lib/problems.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { inTurns, medianOf, milliseconds, perIteration } from '../lib/timing.js'

export const description = 'Sinkhorn between point clouds whose cost is never stored: time per entry and memory.'

export async function run(context: Context): Promise<Report> {
  const limit = await exponentialLimit(context)
  const time = await timeTable(context, limit)
  const memory = memoryTable(context)
  const large = await largeClouds(context, limit)
  return { tables: [time, memory.table, large.table], targets: [...memory.targets, ...large.targets] }
}

/**
 * Nanoseconds per entry of forming exp((f + g − C) / epsilon) and adding it up, on one thread over a stored cost that
 * stays in the cache: no geometry and no memory traffic, so what an iteration over points would take if its distances
 * were free.
 */
async function exponentialLimit({ quick, log }: Context): Promise<number> {
  log('limit of the exponential')
  const n = 256
  const solution = await sinkhorn(randomAssignment(n, 1), { epsilon: 0.05, threads: 1 })
  const ones = new Float64Array(n).fill(1)
  const count = 200
  const time = await medianOf(quick ? 3 : 11, () =>
    milliseconds(() => {
      for (let k = 0; k < count; k++) solution.apply(ones)
    }),
  )
  return (1e6 * time) / (count * n * n)
}

function clouds(n: number, dimension: number): TransportProblem {
  return { cost: pointCloud(uniformPoints(n, dimension, 1), uniformPoints(n, dimension, 2)) }
}

async function timeTable({ quick, threads, log }: Context, limit: number): Promise<Table> {
  const rows: Cell[][] = []
  for (const n of quick ? [2000] : [5000, 20_000]) {
    for (const dimension of [2, 50]) {
      log(`n = ${n}, dimension ${dimension}`)
      const problem = clouds(n, dimension)
      const many = n > 10_000 ? 5 : 22
      const ours = (precision: 'float64' | 'float32') => async () => {
        const epsilon = 0.01 * dimension
        const time = await perIteration(2, many, (k) => ourIterations(problem, { epsilon, precision, threads }, k))
        return (1e6 * time) / (n * n)
      }
      const { float64, float32 } = await inTurns(quick ? 1 : 3, { float64: ours('float64'), float32: ours('float32') })
      const bound = limit / threads
      rows.push([n, dimension, float64, float32, bound, float64 / bound])
    }
  }
  return {
    title: 'Point clouds, nanoseconds per entry and iteration',
    note:
      'Squared Euclidean cost between clouds uniform in the unit cube. "limit": exp and sum alone over a stored cost in ' +
      `cache, float64, ${limit.toFixed(3)} ns on one thread, divided by the ${threads} threads.`,
    columns: ['n = m', 'dimension', 'float64', 'float32', 'limit', 'float64 / limit'],
    rows,
  }
}

function memoryTable({ quick, threads, log }: Context): { table: Table; targets: Target[] } {
  const dimension = 2
  const sizes = quick ? [1000, 4000] : [5000, 20_000]
  const growths = sizes.map((n) => {
    log(`memory, n = ${n}`)
    return memoryGrowth({ cost: 'points', n, dimension, precision: 'float64', iterations: 2, threads })
  })
  const rows = sizes.map((n, k): Cell[] => {
    const dense = n * n * 8
    return [n, growths[k] / 2 ** 20, growths[k] / (2 * n), dense / 2 ** 20, growths[k] / dense]
  })
  // Four times the points: O(n + m) grows at most fourfold, n × m sixteenfold. A cost matrix would be 3.2 GB.
  const slope = (growths[1] - growths[0]) / (2 * (sizes[1] - sizes[0]))
  return {
    table: {
      title: 'Memory on top of the points, MiB',
      note: 'Peak of the resident memory of a fresh process during the solve, less what it held before.',
      columns: ['n = m', 'growth', 'bytes per point', 'n × m matrix', 'growth / matrix'],
      rows,
    },
    targets: [atMost('point clouds: bytes per further point', slope, 1000, ' B')],
  }
}

/** A cost matrix would be 20 GB. */
async function largeClouds(
  { quick, threads, log }: Context,
  limit: number,
): Promise<{ table: Table; targets: Target[] }> {
  const n = quick ? 5000 : 50_000
  const dimension = 3
  log(`to 1e-3, n = ${n}`)
  // Squared distances in the unit cube reach 3.
  const options = { epsilon: 0.01 * 3, tolerance: 1e-3, certificate: false, threads }
  const solution = await sinkhorn(clouds(n, dimension), options)
  const perEntry = (1e6 * solution.elapsed) / (solution.passes * n * n)
  const growth = memoryGrowth({ cost: 'points', n, dimension, precision: 'float64', iterations: 1, threads }) / 2 ** 20
  const share = limit / threads / perEntry
  return {
    table: {
      title: `${n} × ${n} points in the cube, epsilon at a hundredth of the largest cost, to a marginal error of 1e-3`,
      columns: [
        'status',
        'marginal error',
        'iterations',
        'seconds',
        'ns per entry',
        'share of the limit',
        'memory, MiB',
      ],
      rows: [
        [
          solution.status,
          solution.marginalError,
          solution.iterations,
          solution.elapsed / 1000,
          perEntry,
          share,
          growth,
        ],
      ],
    },
    targets: [
      atMost(`${n} × ${n}: marginal error`, solution.marginalError, 1e-3, ''),
      atLeast(`${n} × ${n}: speed against the exponential alone`, share, 0.6, '×'),
      atMost(`${n} × ${n}: memory on top of the points`, growth, 1024, ' MiB'),
    ],
  }
}
