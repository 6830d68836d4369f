import { ExtremaError } from '../../../core/errors.js'
import { Course, checkRange, ended, type System } from './course.js'
import type { Step, Watch } from './step.js'
import { axpy, dot, project, residual, xpby } from './vectors.js'

/** An A that is positive definite lets the residual grow by the root of its condition at most. */
const growth = 1e8

/** native/linear/conjugate-gradient.cc, step by step. */
export function* conjugateGradient(system: System, monitor: Watch): Step<void> {
  const { n, b, x, nullVector, settings } = system
  const course = new Course(system, monitor)
  yield* course.checkSymmetry(system.apply, n)
  const bb = dot(b, b)
  const size = Math.sqrt(bb)
  if (course.endsAtZero(size, x)) return
  const r = new Float64Array(n)
  const p = new Float64Array(n)
  const q = new Float64Array(n)
  const z = system.precondition === null ? r : new Float64Array(n)

  function* restart(): Step<number> {
    yield* system.apply(x, r)
    course.matvecs++
    const rr = residual(b, r)
    if (nullVector === null) return rr
    project(nullVector, r)
    return dot(r, r)
  }
  function* precondition(rr: number): Step<number> {
    if (system.precondition === null) return rr
    yield* system.precondition(r, z)
    project(nullVector, z)
    const rz = dot(r, z)
    if (rz > 0) return rz
    throw new ExtremaError('ERR_NOT_POSITIVE', `preconditioner: expected a positive definite one, got r·M⁻¹r = ${rz}`)
  }

  let rr = bb
  if (dot(x, x) === 0) r.set(b)
  else rr = yield* restart()
  checkRange(rr)
  const goal = settings.tolerance * size
  let proven = rr
  const most = growth * growth * Math.max(rr, bb)
  course.record(Math.sqrt(rr) / size)
  if (Math.sqrt(rr) <= goal) {
    course.end(ended.converged)
    return
  }
  let rz = yield* precondition(rr)
  p.set(z)
  for (;;) {
    const limit = course.limit()
    if (limit !== undefined) {
      course.record(Math.sqrt(yield* restart()) / size)
      course.endBy(limit)
      return
    }
    yield* system.apply(p, q)
    course.matvecs++
    const pq = dot(p, q)
    checkRange(pq)
    if (!(pq > 0)) {
      throw new ExtremaError('ERR_NOT_POSITIVE', `matrix: expected a positive definite one, got p·Ap = ${pq}`)
    }
    const alpha = rz / pq
    axpy(-alpha, q, r)
    rr = dot(r, r)
    project(nullVector, r)
    axpy(alpha, p, x)
    course.iterations++
    course.record(Math.sqrt(rr) / size)
    if (monitor.due()) yield
    if (Math.sqrt(rr) > goal && rr <= most) {
      const before = rz
      rz = yield* precondition(rr)
      xpby(z, rz / before, p)
      continue
    }
    const diverged = !(rr <= most)
    rr = yield* restart()
    course.record(Math.sqrt(rr) / size)
    if (Math.sqrt(rr) <= goal) {
      course.end(ended.converged)
      return
    }
    // The recursion has lost touch: once more from x, unless that no longer helps.
    if (diverged || rr > proven / 4) {
      course.end(ended.stalled)
      return
    }
    proven = rr
    rz = yield* precondition(rr)
    p.set(z)
  }
}
