import { ExtremaError } from '../../../core/errors.js'
import { Course, checkRange, ended, type System } from './course.js'
import type { Step, Watch } from './step.js'
import { dot, project, residual, scaled } from './vectors.js'

/** ‖A r‖ / (‖A‖ ‖r‖) where nothing more can be had: x is a least-squares solution. */
const leastNormal = 1e-13

/** native/linear/minres.cc, step by step. */
export function* minres(system: System, monitor: Watch): Step<void> {
  const { n, b, x, nullVector, settings } = system
  const course = new Course(system, monitor)
  yield* course.checkSymmetry(system.apply, n)
  const size = Math.sqrt(dot(b, b))
  if (course.endsAtZero(size, x)) return
  const r = new Float64Array(n)
  let now = new Float64Array(n)
  let before = new Float64Array(n)
  const z = new Float64Array(n)
  const direction = new Float64Array(n)
  const q = new Float64Array(n)
  let w = new Float64Array(n)
  let w1 = new Float64Array(n)

  function* refresh(): Step<number> {
    yield* system.apply(x, r)
    course.matvecs++
    residual(b, r)
    project(nullVector, r)
    return Math.sqrt(dot(r, r))
  }
  /** z = M⁻¹ now; returns the root of z·now. */
  function* precondition(): Step<number> {
    if (system.precondition === null) z.set(now)
    else yield* system.precondition(now, z)
    project(nullVector, z)
    const square = dot(z, now)
    if (square >= 0) return Math.sqrt(square)
    throw new ExtremaError(
      'ERR_NOT_POSITIVE',
      `preconditioner: expected a positive definite one, got r·M⁻¹r = ${square}`,
    )
  }

  const goal = settings.tolerance * size
  let norm = yield* refresh()
  checkRange(norm)
  course.record(norm / size)
  // Each round starts from x; another is only needed where rounding errors have spoilt the recursion.
  while (norm > goal) {
    const proven = norm
    now.set(r)
    before.fill(0)
    w.fill(0)
    w1.fill(0)
    let gamma = yield* precondition()
    let gamma0 = 1
    let eta = gamma
    let [c, c0, s, s0, most] = [1, 1, 0, 0, 0]
    for (let done = false; !done; ) {
      const limit = course.limit()
      if (limit !== undefined) {
        course.record((yield* refresh()) / size)
        course.endBy(limit)
        return
      }
      if (gamma === 0) break
      scaled(1 / gamma, z, direction)
      yield* system.apply(direction, q)
      course.matvecs++
      const delta = dot(direction, q)
      checkRange(delta)
      // v_{j+1} = A z_j - (delta_j / gamma_j) v_j - (gamma_j / gamma_{j-1}) v_{j-1}
      const one = delta / gamma
      const two = gamma / gamma0
      for (let i = 0; i < n; i++) before[i] = q[i] - one * now[i] - two * before[i]
      ;[now, before] = [before, now]
      project(nullVector, now)
      const next = yield* precondition()
      most = Math.max(most, Math.sqrt(gamma * gamma + delta * delta + next * next))
      const a0 = c * delta - c0 * s * gamma
      const a1 = Math.hypot(a0, next)
      const a2 = s * delta + c0 * c * gamma
      const a3 = s0 * gamma
      if (a1 <= 1e-15 * most) break
      c0 = c
      s0 = s
      c = a0 / a1
      s = next / a1
      const step = c * eta
      for (let i = 0; i < n; i++) {
        w1[i] = (direction[i] - a3 * w1[i] - a2 * w[i]) / a1
        x[i] += step * w1[i]
      }
      ;[w, w1] = [w1, w]
      const last = Math.abs(eta)
      eta = -s * eta
      if (system.precondition === null) {
        norm = Math.abs(eta)
      } else {
        // r = s² r + c eta v_{j+1} / gamma_{j+1}
        const keep = s * s
        const add = next === 0 ? 0 : (c * eta) / next
        for (let i = 0; i < n; i++) r[i] = keep * r[i] + add * now[i]
        norm = Math.sqrt(dot(r, r))
      }
      gamma0 = gamma
      gamma = next
      course.iterations++
      course.record(norm / size)
      if (monitor.due()) yield
      done = norm <= goal || last * Math.hypot(a0, c0 * next) <= leastNormal * most * last
    }
    norm = yield* refresh()
    course.record(norm / size)
    if (norm > goal && norm > proven / 2) {
      course.end(ended.stalled)
      return
    }
  }
  course.end(ended.converged)
}
