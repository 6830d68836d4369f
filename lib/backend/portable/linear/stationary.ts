import { ExtremaError } from '../../../core/errors.js'
import type { StationaryJob } from '../../linear-sparse.js'
import { Course, checkRange, ended } from './course.js'
import { portableOperator } from './operators.js'
import { Split } from './split.js'
import { type Step, segment, type Watch } from './step.js'
import { axpy, dot, residual } from './vectors.js'

/** Where the residual has grown by this much there is no convergence. */
const growth = 1e8
/** Iterations after which the residual is computed from x again. */
const refreshing = 50

/** native/linear/stationary.cc, step by step. */
export function* stationary(job: StationaryJob, monitor: Watch): Step<void> {
  const { matrix, method, b, x, settings } = job
  const { omega } = settings
  const n = matrix.rows
  const course = new Course(job, monitor)
  const { apply } = portableOperator({ kind: 'csr', ...matrix }, monitor)
  const split = new Split(matrix, method !== 'jacobi', monitor)
  yield* course.checkSymmetry(apply, n)
  const size = Math.sqrt(dot(b, b))
  if (course.endsAtZero(size, x)) return
  const r = new Float64Array(n)
  const d = new Float64Array(n)
  const image = method === 'jacobi' ? new Float64Array(n) : d

  function* refresh(): Step<number> {
    yield* apply(x, r)
    course.matvecs++
    return Math.sqrt(residual(b, r))
  }
  function* jacobi(): Step<void> {
    for (let i = 0; i < n; i++) d[i] = omega * split.inverse[i] * r[i]
    axpy(1, d, x)
    yield* apply(d, image)
    axpy(-1, image, r)
  }
  function* forward(): Step<void> {
    for (let i = 0; i < n; i++) r[i] *= omega
    yield* split.forward(r, omega, d)
    yield* after(false)
  }
  function* backward(): Step<void> {
    for (let i = 0; i < n; i++) d[i] = omega * split.inverse[i] * r[i]
    yield* split.backward(d, omega, d)
    yield* after(true)
  }
  /** x += d, r = ((1/omega - 1) D - U) d, or with L in the place of U. */
  function* after(lower: boolean): Step<void> {
    const { diagonal } = split
    const { indptr, indices, data } = matrix
    const own = 1 / omega - 1
    for (let i = 0; i < n; i++) {
      const at = diagonal[i]
      const end = lower ? at : indptr[i + 1]
      let sum = 0
      for (let k = lower ? indptr[i] : at + 1; k < end; k++) sum += data[k] * d[indices[k]]
      r[i] = own * data[at] * d[i] - sum
      x[i] += d[i]
      if (i % segment === 0 && monitor.due()) yield
    }
  }

  const goal = settings.tolerance * size
  let norm = yield* refresh()
  checkRange(norm)
  const most = growth * Math.max(norm, size)
  let proven = norm
  course.record(norm / size)
  while (norm > goal) {
    const limit = course.limit()
    if (limit !== undefined) {
      course.record((yield* refresh()) / size)
      course.endBy(limit)
      return
    }
    if (method === 'jacobi') yield* jacobi()
    else yield* forward()
    if (method === 'ssor') yield* backward()
    norm = Math.sqrt(dot(r, r))
    course.matvecs++
    course.iterations++
    if (monitor.due()) yield
    const reached = norm <= goal
    if (reached || course.iterations % refreshing === 0) norm = yield* refresh()
    if (!(norm <= most)) {
      // On a positive definite matrix these sweeps converge whatever omega in (0, 2).
      if (method !== 'jacobi' && settings.checkSymmetry) {
        throw new ExtremaError('ERR_NOT_POSITIVE', 'matrix: expected a positive definite one, got diverging sweeps')
      }
      checkRange(norm)
      course.record(norm / size)
      course.end(ended.stalled)
      return
    }
    course.record(norm / size)
    if (!reached || norm <= goal) continue
    if (norm > proven / 2) {
      course.end(ended.stalled)
      return
    }
    proven = norm
  }
  course.end(ended.converged)
}
