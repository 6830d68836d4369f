import { Course, checkRange, ended, type System } from './course.js'
import type { Step, Watch } from './step.js'
import { axpy, dot, residual } from './vectors.js'

/** Where an inner product says nothing any more. */
const breakdown = 1e-15
/** Rounds without progress before it is given up. */
const rounds = 4

/** native/linear/bicgstab.cc, step by step. */
export function* bicgstab(system: System, monitor: Watch): Step<void> {
  const { n, b, x, settings, precondition } = system
  const course = new Course(system, monitor)
  const size = Math.sqrt(dot(b, b))
  if (course.endsAtZero(size, x)) return
  const r = new Float64Array(n)
  const shadow = new Float64Array(n)
  const p = new Float64Array(n)
  const image = new Float64Array(n)
  const t = new Float64Array(n)
  const scratch = new Float64Array(precondition === null ? 0 : n)

  function* refresh(): Step<number> {
    yield* system.apply(x, r)
    course.matvecs++
    return Math.sqrt(residual(b, r))
  }
  /** out = A M⁻¹ vector; returns M⁻¹ vector. */
  function* apply(vector: Float64Array, out: Float64Array): Step<Float64Array> {
    if (precondition !== null) yield* precondition(vector, scratch)
    const direction = precondition === null ? vector : scratch
    yield* system.apply(direction, out)
    course.matvecs++
    return direction
  }

  const goal = settings.tolerance * size
  let norm = yield* refresh()
  checkRange(norm)
  course.record(norm / size)
  // Each round starts from x with a new shadow residual: after a breakdown, or where rounding errors have spoilt the
  // recursion.
  let proven = norm
  let failed = 0
  while (norm > goal) {
    shadow.set(r)
    p.set(r)
    const shadowNorm = norm
    let rho = norm * norm
    let limit: number | undefined
    while (norm > goal) {
      limit = course.limit()
      if (limit !== undefined) break
      let direction = yield* apply(p, image)
      const inner = dot(shadow, image)
      const imageNorm = Math.sqrt(dot(image, image))
      checkRange(imageNorm)
      if (Math.abs(inner) <= breakdown * shadowNorm * imageNorm) break
      const alpha = rho / inner
      axpy(alpha, direction, x)
      axpy(-alpha, image, r)
      norm = Math.sqrt(dot(r, r))
      course.iterations++
      if (monitor.due()) yield
      if (norm <= goal) {
        course.record(norm / size)
        break
      }
      direction = yield* apply(r, t)
      const tt = dot(t, t)
      const tr = dot(t, r)
      if (Math.abs(tr) <= breakdown * Math.sqrt(tt) * norm) {
        course.record(norm / size)
        break
      }
      const omega = tr / tt
      axpy(omega, direction, x)
      axpy(-omega, t, r)
      norm = Math.sqrt(dot(r, r))
      course.record(norm / size)
      checkRange(norm)
      const next = dot(shadow, r)
      if (Math.abs(next) <= breakdown * shadowNorm * norm) break
      const beta = (next / rho) * (alpha / omega)
      rho = next
      for (let i = 0; i < n; i++) p[i] = r[i] + beta * (p[i] - omega * image[i])
      if (monitor.due()) yield
    }
    norm = yield* refresh()
    course.record(norm / size)
    if (norm <= goal) break
    if (limit !== undefined) {
      course.end(limit)
      return
    }
    failed = norm > proven * 0.9 ? failed + 1 : 0
    proven = Math.min(proven, norm)
    if (failed === rounds) {
      course.end(ended.stalled)
      return
    }
  }
  course.end(ended.converged)
}
