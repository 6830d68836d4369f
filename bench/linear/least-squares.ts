import { sketchedLeastSquares } from '../../lib/linear/index.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { askDensePeer } from '../lib/dense-peer.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description = "Sketched least squares against LAPACK's dgels (through SciPy), at the same residual."

/** Normal entries with columns of lengths 1 to 1 / condition, mixed by neighbours, and b with half of its length outside. */
function problem(rows: number, columns: number, condition: number) {
  const random = generator(1)
  const data = random.normal(rows * columns)
  const b = random.normal(rows)
  const scales = Float64Array.from({ length: columns }, (_, j) => condition ** (-j / (columns - 1)))
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const k = i * columns + j
      data[k] = data[k] * scales[j] + (j > 0 ? data[k - 1] : 0)
      b[i] += data[k] / Math.sqrt(columns)
    }
  }
  return { a: { data, shape: [rows, columns] }, b }
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const sizes: [number, number][] = quick
    ? [[100_000, 100]]
    : [
        [100_000, 100],
        [100_000, 200],
        [1_000_000, 200],
      ]
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [m, n] of sizes) {
    for (const condition of m > 100_000 ? [1e6] : [1, 1e6]) {
      log(`${m} × ${n}, condition number ${condition}`)
      const { a, b } = problem(m, n, condition)
      const repetitions = quick ? 1 : m > 100_000 ? 2 : 3
      const peer = askDensePeer('least-squares', a, { repetitions, threads, b })
      const times: number[] = []
      let last = await sketchedLeastSquares(a, b, { threads, backend: 'native' })
      for (let k = 0; k < repetitions; k++) {
        last = await sketchedLeastSquares(a, b, { threads, backend: 'native' })
        times.push(last.elapsed)
      }
      const ours = median(times)
      const theirs = 1000 * median(peer.seconds)
      const difference = Math.abs(last.residualNorm / (peer.residual as number) - 1)
      rows.push([m, n, condition, ours, theirs, theirs / ours, last.iterations, last.residual, difference])
      const name = `${m} × ${n}, condition number ${condition}`
      targets.push(atLeast(`speed against dgels: ${name}`, theirs / ours, 1, '×'))
      targets.push(atMost(`difference of the residuals, relative: ${name}`, difference + Number.EPSILON, 1e-8))
    }
  }
  return {
    tables: [
      {
        title: 'Least squares, milliseconds',
        note: "dgels' column-major copy of A is made outside its timer. Ours: tolerance 1e-10 and one refinement.",
        columns: [
          'rows',
          'columns',
          'condition',
          'ours',
          'dgels',
          'dgels / ours',
          'products',
          'residual',
          '|Ax-b| differs',
        ],
        rows,
      },
    ],
    targets,
  }
}
