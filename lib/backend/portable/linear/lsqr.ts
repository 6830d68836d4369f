import { ExtremaError } from '../../../core/errors.js'
import { iterativeField as field } from '../../linear-sparse.js'
import { Course, checkRange, ended, type System } from './course.js'
import type { Step, Watch } from './step.js'
import { axpy, dot, residual, scaled, xpby } from './vectors.js'

function normalize(vector: Float64Array): number {
  const norm = Math.sqrt(dot(vector, vector))
  checkRange(norm)
  if (norm > 0) scaled(1 / norm, vector, vector)
  return norm
}

/** native/linear/lsqr.cc, step by step. */
export function* lsqr(system: System, monitor: Watch): Step<void> {
  const { n, rows, b, x, settings, report, apply, applyTranspose, half, halfTranspose } = system
  if (applyTranspose === undefined) throw new ExtremaError('ERR_INTERNAL', 'lsqr: expected rmatvec, got none')
  const { damp } = settings
  const course = new Course(system, monitor)
  const size = Math.sqrt(dot(b, b))
  if (course.endsAtZero(size, x)) return
  const u = new Float64Array(rows)
  const au = new Float64Array(rows)
  const v = new Float64Array(n)
  const w = new Float64Array(n)
  const y = new Float64Array(n)
  const av = new Float64Array(n)
  /** ‖A R⁻¹‖² as far as it is known, with the damping. */
  let frobenius = 0

  /** av = R⁻ᵀ Aᵀ u */
  function* backward(): Step<void> {
    yield* applyTranspose!(u, av)
    if (halfTranspose !== undefined) yield* halfTranspose(av, av)
  }
  /** u = b - A x; the smaller of ‖u‖ / ‖b‖ and ‖Aᵀu - damp² x‖ / (‖A‖ ‖u‖), both from x itself. */
  function* measure(isFirst: boolean): Step<number> {
    yield* apply(x, u)
    const fit = Math.sqrt(residual(b, u))
    checkRange(fit)
    course.matvecs++
    report[field.fit] = fit / size
    if (isFirst) return fit / size
    yield* backward()
    course.matvecs++
    if (damp > 0) axpy(-damp * damp, x, av)
    const total = Math.hypot(fit, damp * Math.sqrt(dot(x, x)))
    const normal = total === 0 || frobenius === 0 ? 0 : Math.sqrt(dot(av, av)) / (Math.sqrt(frobenius) * total)
    report[field.normal] = normal
    return Math.min(fit / size, normal)
  }

  let proven = yield* measure(true)
  course.record(proven)
  if (proven <= settings.tolerance) {
    course.end(ended.converged)
    return
  }
  for (;;) {
    let beta = normalize(u)
    yield* backward()
    course.matvecs++
    v.set(av)
    let alpha = normalize(v)
    w.set(v)
    y.fill(0)
    frobenius = alpha * alpha
    let phi = beta
    let rho = alpha
    let damped = 0
    let limit: number | undefined
    for (let done = alpha === 0; !done; ) {
      limit = course.limit()
      if (limit !== undefined) break
      // beta u = A R⁻¹ v - alpha u
      if (half === undefined) {
        yield* apply(v, au)
      } else {
        yield* half(v, av)
        yield* apply(av, au)
      }
      xpby(au, -alpha, u)
      beta = normalize(u)
      yield* backward()
      course.matvecs += 2
      xpby(av, -beta, v)
      alpha = normalize(v)
      frobenius += alpha * alpha + beta * beta + damp * damp
      const rho1 = Math.hypot(rho, damp)
      const psi = (damp / rho1) * phi
      phi *= rho / rho1
      const rho2 = Math.hypot(rho1, beta)
      const c = rho1 / rho2
      const s = beta / rho2
      const theta = s * alpha
      axpy((c * phi) / rho2, w, y)
      xpby(v, -theta / rho2, w)
      rho = -c * alpha
      phi *= s
      damped = Math.hypot(damped, psi)
      course.iterations++
      const total = Math.hypot(phi, damped)
      const normal = Math.abs(phi) * alpha * Math.abs(c)
      const relative = Math.min(total / size, total === 0 ? 0 : normal / (Math.sqrt(frobenius) * total))
      course.record(relative)
      if (monitor.due()) yield
      done = relative <= settings.tolerance || alpha === 0
    }
    if (half !== undefined) yield* half(y, y)
    axpy(1, y, x)
    const now = yield* measure(false)
    course.record(now)
    if (now <= settings.tolerance) {
      course.end(ended.converged)
      return
    }
    if (limit !== undefined) {
      course.end(limit)
      return
    }
    // A damped system cannot start again from x, and any other only where that helps.
    if (damp > 0 || now > proven / 2) {
      course.end(ended.stalled)
      return
    }
    proven = now
  }
}
