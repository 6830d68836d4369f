import { prepare } from '../../lib/linear/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { laplacian, scipySparse } from '../lib/laplacian.js'
import { columns, measure, tolerance } from '../lib/solve-laplacian.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description = 'Plain conjugate gradients on the 5-point Laplacian, against SciPy.'

export async function run({ quick, log }: Context): Promise<Report> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const side of quick ? [200] : [300, 1000]) {
    const n = side * side
    const repetitions = quick || side >= 1000 ? 1 : 3
    log(`${n} unknowns: ours`)
    const ours = await measure('ours', prepare(laplacian(side)), repetitions)
    rows.push(ours.row)
    log(`${n} unknowns: SciPy`)
    const scipy = scipySparse(side, repetitions, tolerance)
    rows.push([n, `scipy ${scipy.scipy} cg`, scipy.iterations, 1000 * median(scipy.cg), scipy.residual])
    const counts = `${ours.iterations} iterations against ${scipy.iterations}`
    targets.push(atLeast(`CG, ${n} unknowns, against SciPy, ${counts}`, median(scipy.cg) / ours.seconds, 1.5, '×'))
  }
  return {
    tables: [
      {
        title: 'A x = 1 to 1e-8, milliseconds',
        note: 'Times of ours include the check of symmetry. SciPy runs on one thread.',
        columns,
        rows,
      },
    ],
    targets,
  }
}
