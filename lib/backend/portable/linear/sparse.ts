import { checkFinite } from '../../../core/arrays.js'
import type { IterativeJob, MultiplyJob, SparseKernels } from '../../linear-sparse.js'
import { portableKernel, type Steps } from '../driver.js'
import { bicgstab } from './bicgstab.js'
import { conjugateGradient } from './conjugate-gradient.js'
import type { System } from './course.js'
import { gmres } from './gmres.js'
import { lsqr } from './lsqr.js'
import { minres } from './minres.js'
import { portableOperator } from './operators.js'
import { portablePreconditioner } from './preconditioners.js'
import { analyzeCholesky, factorizeCholesky, incompleteCholesky, solveCholesky } from './sparse-cholesky.js'
import { stationary } from './stationary.js'
import type { Step, Watch } from './step.js'

/** A kernel's steps never wait: its operators and preconditioners are data. */
function kernel<Job>(steps: (job: Job, monitor: Watch) => Step<void>) {
  return portableKernel<Job>((job, monitor) => steps(job, monitor) as Steps)
}

function iterative(iterate: (system: System, monitor: Watch) => Step<void>) {
  return kernel<IterativeJob>((job, monitor) => {
    const { rows, columns, apply, applyTranspose } = portableOperator(job.operator, monitor)
    const preconditioner = job.preconditioner === null ? null : portablePreconditioner(job.preconditioner, monitor)
    const system: System = {
      n: columns,
      rows,
      apply,
      applyTranspose,
      precondition: preconditioner?.apply ?? null,
      half: preconditioner?.half,
      halfTranspose: preconditioner?.halfTranspose,
      b: job.b,
      x: job.x,
      nullVector: job.nullVector,
      settings: job.settings,
      history: job.history,
      report: job.report,
    }
    return iterate(system, monitor)
  })
}

function* multiply({ operator, transpose, count, x, out, check }: MultiplyJob, monitor: Watch): Step<void> {
  if (check !== false) checkFinite('x', x, check === 'matrix' ? { columns: count } : {})
  const { rows, columns, apply, applyTranspose } = portableOperator(operator, monitor)
  const once = transpose ? applyTranspose : apply
  if (count === 1) {
    yield* once(x, out)
    return
  }
  const from = new Float64Array(transpose ? rows : columns)
  const to = new Float64Array(transpose ? columns : rows)
  for (let j = 0; j < count; j++) {
    for (let i = 0; i < from.length; i++) from[i] = x[i * count + j]
    yield* once(from, to)
    for (let i = 0; i < to.length; i++) out[i * count + j] = to[i]
  }
}

export const portableSparse: SparseKernels = {
  multiply: kernel(multiply),
  conjugateGradient: iterative(conjugateGradient),
  minres: iterative(minres),
  gmres: iterative(gmres),
  bicgstab: iterative(bicgstab),
  lsqr: iterative(lsqr),
  analyzeCholesky: kernel(analyzeCholesky),
  factorizeCholesky: kernel(factorizeCholesky),
  solveCholesky: kernel(solveCholesky),
  incompleteCholesky: kernel(incompleteCholesky),
  stationary: kernel(stationary),
}
