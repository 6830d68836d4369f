import { conjugateGradient, type Preconditioner, prepare, sparseCholesky } from '../../lib/linear/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { eigenCg, laplacian, scipySparse } from '../lib/laplacian.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'Conjugate gradients on the 5-point Laplacian, against SciPy, and preconditioned against Eigen.'

const tolerance = 1e-8

export async function run({ quick, log }: Context): Promise<Report> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const side of quick ? [200] : [300, 1000]) {
    const n = side * side
    const matrix = prepare(laplacian(side))
    const b = new Float64Array(n).fill(1)
    const repetitions = quick || side >= 1000 ? 1 : 3
    const measure = async (name: string, preconditioner?: Preconditioner, a = matrix) => {
      log(`${n} unknowns: ${name}`)
      const times: number[] = []
      let solution = await conjugateGradient({ matrix: a, b, preconditioner }, { tolerance, maxIterations: 50 })
      for (let k = 0; k < repetitions; k++) {
        solution = await conjugateGradient({ matrix: a, b, preconditioner }, { tolerance })
        times.push(solution.elapsed)
      }
      if (solution.status !== 'converged') throw new Error(`${name}: ${solution.status}`)
      rows.push([n, name, solution.iterations, median(times), solution.residual])
      return { seconds: median(times) / 1000, iterations: solution.iterations }
    }
    const plain = await measure('ours, plain')
    const omega = 2 / (1 + 2 * Math.sin(Math.PI / (2 * (side + 1))))
    const ssor = await measure(`ours, SSOR (${omega.toFixed(3)})`, { kind: 'ssor', omega })
    const incomplete = await measure('ours, IC(0)', { kind: 'incomplete-cholesky' })
    const grid = prepare({ kind: 'stencil', grid: [side, side] })
    await measure('ours, IC(0), as a stencil', { kind: 'incomplete-cholesky' }, grid)
    log(`${n} unknowns: SciPy`)
    const scipy = scipySparse(side, repetitions, tolerance)
    rows.push([n, `scipy ${scipy.scipy} cg`, scipy.iterations, 1000 * median(scipy.cg), scipy.residual])
    const counts = `${plain.iterations} iterations against ${scipy.iterations}`
    targets.push(atLeast(`CG, ${n} unknowns, against SciPy, ${counts}`, median(scipy.cg) / plain.seconds, 1.5, '×'))
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
    await factor.solve(b)
    rows.push([n, 'ours, sparseCholesky', 0, factor.elapsed + performance.now() - start, 0])
  }
  return {
    tables: [
      {
        title: 'A x = 1 to 1e-8, milliseconds',
        note: 'Times of ours include the check of symmetry, of Eigen the factor. Eigen is compiled with -O3 -march=native and runs on one thread, as SciPy does.',
        columns: ['unknowns', 'method', 'iterations', 'milliseconds', 'residual'],
        rows,
      },
    ],
    targets,
  }
}
