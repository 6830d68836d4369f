import { cholesky, lu, multiply, qr, svd, symmetricEigen } from '../../lib/linear/index.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { askDensePeer } from '../lib/dense-peer.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description = 'Dense factorizations against NumPy and SciPy, and as a part of what matrix products reach.'

interface Matrix {
  data: Float64Array
  shape: [number, number]
}

function symmetricMatrix(n: number, shift: number): Matrix {
  const data = generator(2).normal(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) data[i * n + j] = data[j * n + i]
    data[i * n + i] += shift
  }
  return { data, shape: [n, n] }
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const sizes = quick ? [300] : [500, 1000, 2000]
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const n of sizes) {
    const general: Matrix = { data: generator(1).normal(n * n), shape: [n, n] }
    const definite = symmetricMatrix(n, 3 * Math.sqrt(n))
    const options = { threads, backend: 'native' } as const
    const cases = [
      ['product', general, 2 * n ** 3, () => timed(() => multiply(general, general, options))],
      ['cholesky', definite, n ** 3 / 3, async () => (await cholesky(definite, options)).elapsed],
      ['lu', general, (2 * n ** 3) / 3, async () => (await lu(general, options)).elapsed],
      ['qr', general, (8 * n ** 3) / 3, async () => (await qr(general, options)).elapsed],
      ['eigen', definite, null, async () => (await symmetricEigen(definite, options)).elapsed],
      ['svd', general, null, async () => (await svd(general, options)).elapsed],
    ] as const
    const repetitions = quick ? 1 : n < 2000 ? 5 : 2
    let peak = Number.NaN
    for (const [op, matrix, operations, run] of cases) {
      log(`${op}, n = ${n}`)
      const theirs = 1000 * median(askDensePeer(op, matrix, { repetitions, threads }).seconds)
      const times: number[] = []
      await run()
      for (let k = 0; k < repetitions; k++) times.push(await run())
      const ours = median(times)
      const rate = operations === null ? null : operations / ours / 1e6
      if (op === 'product') peak = operations / theirs / 1e6
      rows.push([op, n, ours, theirs, theirs / ours, rate, rate === null ? null : rate / peak])
      if (op !== 'product') targets.push(atLeast(`speed against NumPy, SciPy: ${op}, n = ${n}`, theirs / ours, 1, '×'))
    }
  }
  return {
    tables: [
      {
        title: 'Dense factorizations, milliseconds',
        note: 'Both on the same threads. The last column is the rate over that of NumPy’s matrix product. qr forms Q.',
        columns: ['', 'n', 'ours', 'NumPy, SciPy', 'NumPy / ours', 'GFLOP/s', 'of a product'],
        rows,
      },
    ],
    targets,
  }
}

async function timed(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await task()
  return performance.now() - start
}
