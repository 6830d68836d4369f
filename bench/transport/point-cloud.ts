import { pointCloud, type SinkhornOptions, sinkhorn, type TransportProblem } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { memoryGrowth } from '../lib/memory.js'
import { exponentialLimit, ourIterations } from '../lib/ours.js'
import { uniformPoints } from '../lib/problems.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { inTurns, perIteration } from '../lib/timing.js'

export const description =
  'Sinkhorn between point clouds whose cost is never stored: time per entry, memory, what truncation and coarser clouds save.'

interface Limit {
  float64: number
  float32: number
}

export async function run(context: Context): Promise<Report> {
  const large = await largeClouds(context)
  const time = await timeTable(context)
  const memory = memoryTable(context)
  const truncation = await truncationTable(context)
  const scales = await scalesTable(context)
  return {
    tables: [large.table, time, truncation, scales, memory.table],
    targets: [...large.targets, ...memory.targets],
  }
}

/** Nanoseconds per entry on all threads; measured next to what is compared with it. */
function limits({ quick, threads }: Context, dimension: number): Limit {
  const of = (precision: keyof Limit) => exponentialLimit(precision, dimension, threads, quick ? 5 : 50) / threads
  return { float64: of('float64'), float32: of('float32') }
}

function clouds(n: number, dimension: number): TransportProblem {
  return { cost: pointCloud(uniformPoints(n, dimension, 1), uniformPoints(n, dimension, 2)) }
}

/** Nanoseconds per entry of a sweep that forms all of them. */
async function perEntry(problem: TransportProblem, n: number, options: SinkhornOptions, few: number, many: number) {
  const full = { ...options, truncation: false }
  return (1e6 * (await perIteration(few, many, (k) => ourIterations(problem, full, k)))) / (n * n)
}

async function timeTable(context: Context): Promise<Table> {
  const { quick, threads, log } = context
  const rows: Cell[][] = []
  for (const n of quick ? [2000] : [5000, 20_000]) {
    for (const dimension of [2, 3, 50]) {
      log(`n = ${n}, dimension ${dimension}`)
      const problem = clouds(n, dimension)
      const many = n > 10_000 ? 5 : 22
      const epsilon = 0.01 * dimension
      const ours = (precision: keyof Limit) => () => perEntry(problem, n, { epsilon, precision, threads }, 2, many)
      const limit = limits(context, dimension)
      const time = await inTurns(quick ? 1 : 3, { float64: ours('float64'), float32: ours('float32') })
      rows.push([
        ...[n, dimension, time.float64, limit.float64, limit.float64 / time.float64],
        ...[time.float32, limit.float32, limit.float32 / time.float32],
      ])
    }
  }
  return {
    title: 'Point clouds, nanoseconds per entry and iteration',
    note:
      `Squared Euclidean cost between clouds uniform in the unit cube, nothing left out. "limit": exp2 with a ` +
      `fused multiplication and addition for each coordinate and one for the columns, over numbers in the cache, of the ` +
      `same precision, on the same ${threads} threads.`,
    columns: ['n = m', 'dimension', 'float64', 'limit', 'share', 'float32', 'limit', 'share'],
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
async function largeClouds(context: Context): Promise<{ table: Table; targets: Target[] }> {
  const { quick, threads, log } = context
  const n = quick ? 5000 : 50_000
  const dimension = 3
  // Squared distances in the unit cube reach 3.
  const epsilon = 0.01 * 3
  const problem = clouds(n, dimension)
  log(`sweeps, n = ${n}`)
  const limit = limits(context, dimension)
  const time = {
    float64: await perEntry(problem, n, { epsilon, threads }, 1, quick ? 20 : 5),
    float32: await perEntry(problem, n, { epsilon, threads, precision: 'float32' }, 1, quick ? 20 : 5),
  }
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const precision of ['float64', 'float32'] as const) {
    log(`to 1e-3, n = ${n}, ${precision}`)
    const solution = await sinkhorn(problem, { epsilon, tolerance: 1e-3, certificate: false, threads, precision })
    log(`memory, n = ${n}, ${precision}`)
    const growth = memoryGrowth({ cost: 'points', n, dimension, precision, iterations: 1, threads }) / 2 ** 20
    const share = limit[precision] / time[precision]
    rows.push([
      ...[precision, solution.status, solution.marginalError, solution.iterations, solution.elapsed / 1000],
      ...[solution.skipped!, time[precision], limit[precision], share, growth],
    ])
    const name = `${n} × ${n}, ${precision}`
    targets.push(
      atMost(`${name}: marginal error`, solution.marginalError, 1e-3, ''),
      atLeast(`${name}: speed of a sweep against its exp2 and fused multiplications alone`, share, 0.6, '×'),
      atMost(`${name}: memory on top of the points`, growth, 1024, ' MiB'),
    )
  }
  return {
    table: {
      title: `${n} × ${n} points in the cube, epsilon at a hundredth of the largest cost, to a marginal error of 1e-3`,
      note: 'Nanoseconds per entry are those of a sweep that leaves nothing out.',
      columns: [
        ...['precision', 'status', 'marginal error', 'iterations', 'seconds', 'skipped'],
        ...['ns per entry', 'limit', 'share of the limit', 'memory, MiB'],
      ],
      rows,
    },
    targets,
  }
}

async function truncationTable({ quick, threads, log }: Context): Promise<Table> {
  const n = quick ? 4000 : 16_000
  const rows: Cell[][] = []
  for (const dimension of [2, 3]) {
    const problem = clouds(n, dimension)
    for (const share of [0.01, 0.003, 0.001, 0.0003]) {
      log(`truncation, dimension ${dimension}, epsilon ${share}`)
      const options = {
        ...{ epsilon: share * dimension, tolerance: 1e-3, maxIterations: 60, multiscale: true },
        ...{ certificate: false, threads },
      }
      const full = await sinkhorn(problem, { ...options, truncation: false })
      const truncated = await sinkhorn(problem, { ...options, truncation: true })
      rows.push([
        ...[dimension, share, full.iterations, truncated.iterations, truncated.skipped!],
        ...[full.elapsed, truncated.elapsed, full.elapsed / truncated.elapsed],
        Math.abs(truncated.value / full.value - 1),
      ])
    }
  }
  return {
    title: `Truncation, ${n} × ${n} points, to a marginal error of 1e-3 or 60 iterations`,
    note: 'Epsilon as a share of the largest cost. From coarse to fine in either case.',
    columns: [
      ...['dimension', 'epsilon', 'iterations', 'truncated', 'skipped'],
      ...['milliseconds', 'truncated, milliseconds', 'speed-up', 'value differs by'],
    ],
    rows,
  }
}

async function scalesTable({ quick, threads, log }: Context): Promise<Table> {
  const rows: Cell[][] = []
  for (const dimension of [2, 3, 5]) {
    for (const n of quick ? [1000] : [1000, 2000, 4000, 8000]) {
      const problem = clouds(n, dimension)
      for (const share of [0.01, 0.001]) {
        log(`scales, dimension ${dimension}, n = ${n}, epsilon ${share}`)
        const options = {
          ...{ epsilon: share * dimension, tolerance: 1e-6, maxIterations: 300, certificate: false, threads },
        }
        const plain = await sinkhorn(problem, { ...options, multiscale: false })
        const scaled = await sinkhorn(problem, { ...options, multiscale: true })
        rows.push([
          ...[dimension, n, share, plain.iterations, scaled.iterations],
          ...[plain.elapsed, scaled.elapsed, plain.elapsed / scaled.elapsed],
        ])
      }
    }
  }
  return {
    title: 'From coarse to fine, to a marginal error of 1e-6 or 300 iterations',
    note: 'Epsilon as a share of the largest cost.',
    columns: [
      ...['dimension', 'n = m', 'epsilon', 'iterations', 'coarse to fine'],
      ...['milliseconds', 'coarse to fine, milliseconds', 'speed-up'],
    ],
    rows,
  }
}
