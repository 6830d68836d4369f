import { prepare, sparseCholesky } from '../../lib/linear/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { eigenCg, laplacian } from '../lib/laplacian.js'
import { columns, measure, tolerance } from '../lib/solve-laplacian.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description = 'Preconditioned conjugate gradients on the 5-point Laplacian, against Eigen.'

export async function run({ quick, log }: Context): Promise<Report> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const side of quick ? [200] : [300, 1000]) {
    const n = side * side
    const matrix = prepare(laplacian(side))
    const grid = prepare({ kind: 'stencil', grid: [side, side] })
    const repetitions = quick || side >= 1000 ? 1 : 3
    const omega = 2 / (1 + 2 * Math.sin(Math.PI / (2 * (side + 1))))
    log(`${n} unknowns: SSOR`)
    const ssor = await measure(`ours, SSOR (${omega.toFixed(3)})`, matrix, repetitions, { kind: 'ssor', omega })
    log(`${n} unknowns: incomplete Cholesky`)
    const incomplete = await measure('ours, IC(0)', matrix, repetitions, { kind: 'incomplete-cholesky' })
    const stencil = await measure('ours, IC(0), as a stencil', grid, repetitions, { kind: 'incomplete-cholesky' })
    rows.push(ssor.row, incomplete.row, stencil.row)
    log(`${n} unknowns: Eigen`)
    const eigen = eigenCg(side, repetitions, tolerance)
    if (eigen === null) {
      log('no headers of Eigen here (libeigen3-dev, or EXTREMA_BENCH_EIGEN)')
    } else {
      rows.push([n, `Eigen ${eigen.eigen} CG, IC`, eigen.iterations, 1000 * median(eigen.seconds), eigen.residual])
      const best = Math.min(ssor.seconds, incomplete.seconds)
      targets.push(atLeast(`preconditioned CG, ${n} unknowns, against Eigen`, median(eigen.seconds) / best, 1, '×'))
    }
    if (side > 300) continue
    const factor = await sparseCholesky(matrix)
    const start = performance.now()
    await factor.solve(new Float64Array(n).fill(1))
    rows.push([n, 'ours, sparseCholesky', 0, factor.elapsed + performance.now() - start, 0])
  }
  return {
    tables: [
      {
        title: 'A x = 1 to 1e-8, milliseconds',
        note: 'Times of ours include the check of symmetry, and the factor as do those of Eigen, which is compiled with -O3 -march=native and runs on one thread.',
        columns,
        rows,
      },
    ],
    targets,
  }
}
