import { Course, checkRange, ended, type System } from './course.js'
import type { Step, Watch } from './step.js'
import { axpy, dot, residual, scaled } from './vectors.js'

/** native/linear/gmres.cc, step by step. */
export function* gmres(system: System, monitor: Watch): Step<void> {
  const { n, b, x, settings, precondition } = system
  const course = new Course(system, monitor)
  const most = Math.min(settings.restart, n)
  const basis = Array.from({ length: most + 1 }, () => new Float64Array(n))
  const z = new Float64Array(precondition === null ? 0 : n)
  const h = Array.from({ length: most }, () => new Float64Array(most + 1))
  const c = new Float64Array(most)
  const s = new Float64Array(most)
  const g = new Float64Array(most + 1)
  const y = new Float64Array(most)
  const r = basis[0]
  const size = Math.sqrt(dot(b, b))
  if (course.endsAtZero(size, x)) return
  function* refresh(): Step<number> {
    yield* system.apply(x, r)
    course.matvecs++
    return Math.sqrt(residual(b, r))
  }
  const goal = settings.tolerance * size
  let norm = yield* refresh()
  checkRange(norm)
  course.record(norm / size)
  while (norm > goal) {
    const proven = norm
    scaled(1 / norm, r, r)
    g[0] = norm
    let k = 0
    let limit: number | undefined
    let isSingular = false
    while (k < most && norm > goal) {
      limit = course.limit()
      if (limit !== undefined) break
      const next = basis[k + 1]
      if (precondition === null) {
        yield* system.apply(basis[k], next)
      } else {
        yield* precondition(basis[k], z)
        yield* system.apply(z, next)
      }
      course.matvecs++
      // Modified Gram-Schmidt.
      const column = h[k]
      const before = Math.sqrt(dot(next, next))
      checkRange(before)
      for (let j = 0; j <= k; j++) {
        column[j] = dot(basis[j], next)
        axpy(-column[j], basis[j], next)
        if (monitor.due()) yield
      }
      let length = Math.sqrt(dot(next, next))
      // What is left of a vector inside the space is rounding error.
      if (length <= 1e-15 * before) length = 0
      if (length > 0) scaled(1 / length, next, next)
      for (let j = 0; j < k; j++) {
        const upper = column[j]
        column[j] = c[j] * upper + s[j] * column[j + 1]
        column[j + 1] = c[j] * column[j + 1] - s[j] * upper
      }
      const rho = Math.hypot(column[k], length)
      if (rho <= 1e-15 * before) {
        // A maps the space into itself, and is singular there.
        isSingular = true
        break
      }
      c[k] = column[k] / rho
      s[k] = length / rho
      column[k] = rho
      g[k + 1] = -s[k] * g[k]
      g[k] *= c[k]
      norm = Math.abs(g[k + 1])
      k++
      course.iterations++
      course.record(norm / size)
      if (monitor.due()) yield
      if (length === 0) break
    }
    for (let i = k - 1; i >= 0; i--) {
      let sum = g[i]
      for (let j = i + 1; j < k; j++) sum -= h[j][i] * y[j]
      y[i] = sum / h[i][i]
    }
    if (precondition === null) {
      for (let j = 0; j < k; j++) axpy(y[j], basis[j], x)
    } else if (k > 0) {
      const sum = basis[k]
      scaled(y[0], r, sum)
      for (let j = 1; j < k; j++) axpy(y[j], basis[j], sum)
      yield* precondition(sum, z)
      axpy(1, z, x)
    }
    norm = yield* refresh()
    course.record(norm / size)
    if (norm <= goal) break
    if (limit !== undefined) {
      course.end(limit)
      return
    }
    if (isSingular || norm >= proven * (1 - 1e-10)) {
      course.end(ended.stalled)
      return
    }
  }
  course.end(ended.converged)
}
