import addon from '../../lib/backend/addon.cjs'
import type { TopKJob } from '../../lib/backend/completion.js'
import { kernels } from '../../lib/backend/index.js'
import { topKProducts } from '../../lib/backend/native/completion.js'
import type { Binding } from '../../lib/backend/native/kernels.js'
import { Runtime } from '../../lib/backend/native/runtime.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { inTurns, milliseconds } from '../lib/timing.js'

export const description =
  'The best columns of all rows of a completed matrix, against the matrix products in float32 that they take.'

const forever = { timeLimit: Number.POSITIVE_INFINITY }

function job(m: number, n: number, rank: number, k: number, threads: number, seen: number): TopKJob {
  const rng = generator(1)
  const indptr = seen === 0 ? null : Int32Array.from({ length: m + 1 }, (_, i) => i * seen)
  return {
    n,
    rank,
    k,
    threads,
    u: rng.normal(m * rank),
    v: rng.normal(n * rank),
    columnBias: null,
    rows: Int32Array.from({ length: m }, (_, i) => i),
    indptr,
    indices: seen === 0 ? null : Int32Array.from({ length: m * seen }, (_, at) => Math.floor(((at % seen) * n) / seen)),
    columns: new Int32Array(m * k),
    scores: new Float64Array(m * k),
  }
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const { binding, error } = addon.loadAddon()
  if (binding === undefined) throw new Error('the benchmark needs the native addon', { cause: error })
  const native = binding as Binding
  const runtime = Runtime.of(native)
  const size = quick ? 4 : 1
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [m, n, rank, k, seen] of [
    [20_000, 10_000, 20, 20, 0],
    [20_000, 10_000, 20, 20, 500],
    [20_000, 10_000, 64, 20, 0],
    [5_000, 40_000, 20, 100, 0],
  ]) {
    const given = job(m / size, n, rank, k, threads, seen)
    log(`${given.rows.length} × ${n}, rank ${rank}, k ${k}`)
    const { best, products } = await inTurns(quick ? 3 : 9, {
      best: () => milliseconds(() => kernels('native').lowrank.topK.runSync(given, forever)),
      products: () => milliseconds(() => topKProducts(runtime, native.lowrank, given)),
    })
    const flops = (2 * given.rows.length * n * rank) / 1e6
    rows.push([given.rows.length, n, rank, k, seen, best, products, products / best, flops / products])
    if (rank === 20 && k === 20) {
      const name = `share of the products' speed, ${seen === 0 ? 'nothing' : seen} left out`
      targets.push(atLeast(name, products / best, 0.8))
    }
  }
  return {
    tables: [
      {
        title: 'Recommendations for all rows, milliseconds',
        note: 'Products: the same blocks by sgemm, without the selection.',
        columns: [
          'rows',
          'columns',
          'rank',
          'k',
          'left out of each row',
          'topK',
          'products',
          'products / topK',
          'GFLOP/s of the products',
        ],
        rows,
      },
    ],
    targets,
  }
}
