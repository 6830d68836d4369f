import { statuses } from '../../../core/solution.js'
import { type LeastSquaresJob, leastSquaresField } from '../../linear-dense.js'
import type { Watch, Work } from '../work.js'
import { dot, normOf, unitOf } from './matrix.js'
import { allFinite, refuse, SketchFactor } from './sketch-factor.js'
import { normalProduct, residualProduct } from './view.js'

const diverged = 10 // times the smallest gradient so far
const refinedBy = 1e-3 // by which a refinement reduces the gradient

/** native/linear/least-squares.cc, step by step. */
export function* leastSquares(job: LeastSquaresJob, monitor: Watch): Work<void> {
  const { matrix: a, x, history, report } = job
  let largest = 0
  for (const value of job.b) largest = Math.max(largest, Math.abs(value))
  const unit = largest > 0 ? unitOf(largest) : 1
  const b = job.b.map((value) => value / unit)
  const scale = largest > 0 ? normOf(b, 0, b.length) : 1
  const factor = new SketchFactor(job.sketch, a, monitor)
  yield* factor.build()
  if (job.warm) for (let j = 0; j < x.length; j++) x[j] /= unit
  else yield* factor.apply(yield* factor.project(b), x)

  let iterations = 0
  let noted = 0
  const note = (size: number) => {
    if (noted < history.length) history[noted++] = size / scale
    monitor.progress(iterations, size / scale)
  }
  const product = new Float64Array(a.columns)
  function* evaluate(at: Float64Array, gradient: Float64Array): Work<{ size: number; squares: number }> {
    const squares = yield* residualProduct(a, b, at, product, monitor)
    if (!Number.isFinite(squares) || !allFinite(product)) yield* refuse(a, monitor)
    yield* factor.applyTransposed(product, gradient)
    return { size: normOf(gradient, 0, factor.rank), squares }
  }
  const inner = new Inner(job, factor, monitor, (size) => {
    iterations++
    note(size)
  })
  const mayGoOn = () => iterations < job.maxIterations && !monitor.expired()
  inner.mayGoOn = mayGoOn

  let gradient = new Float64Array(factor.rank)
  let better = new Float64Array(factor.rank)
  const step = new Float64Array(a.columns)
  const next = new Float64Array(a.columns)
  let { size, squares } = yield* evaluate(x, gradient)
  note(size)
  const goal = job.tolerance * scale
  let refined = 0
  let rounds = 0
  let status = 'converged'
  for (;;) {
    const reached = size <= goal
    if (reached && (refined === job.refinements || size === 0)) break
    if (!mayGoOn()) {
      if (!reached) status = monitor.expired() ? 'time-limit' : 'iteration-limit'
      break
    }
    if (reached) refined++
    // Rounding keeps a round from reducing the gradient by more than the condition number allows.
    const floor = Number.EPSILON * factor.spread * size
    yield* inner.run(gradient, Math.max(reached ? refinedBy * size : goal, floor))
    yield* factor.apply(inner.y, step)
    for (let j = 0; j < x.length; j++) next[j] = x[j] + step[j]
    const now = yield* evaluate(next, better)
    rounds++
    if (now.size < size) {
      x.set(next)
      ;[gradient, better] = [better, gradient]
      squares = now.squares
    }
    const stuck = now.size > 0.5 * size
    size = Math.min(size, now.size)
    if (stuck && mayGoOn()) {
      if (size > goal) status = 'stalled'
      break
    }
  }
  for (let j = 0; j < x.length; j++) x[j] *= unit
  report[leastSquaresField.status] = statuses.indexOf(status as (typeof statuses)[number])
  report[leastSquaresField.iterations] = iterations
  report[leastSquaresField.residual] = size / scale
  report[leastSquaresField.residualNorm] = Math.sqrt(squares) * unit
  report[leastSquaresField.rank] = factor.rank
  report[leastSquaresField.rounds] = rounds
  report[leastSquaresField.switched] = inner.switched ? 1 : 0
  report[leastSquaresField.historyLength] = noted
}

/** min |A N y - r| from y = 0 by the gradient g = Nᵀ Aᵀ (r - A N y), with H = Nᵀ Aᵀ A N near to the identity. */
class Inner {
  switched = false
  mayGoOn = () => true
  readonly y: Float64Array
  private readonly gradient: Float64Array
  private readonly step: Float64Array
  private readonly image: Float64Array
  private readonly x: Float64Array
  private readonly product: Float64Array
  private method: LeastSquaresJob['method']

  constructor(
    private readonly job: LeastSquaresJob,
    private readonly factor: SketchFactor,
    private readonly monitor: Watch,
    private readonly note: (size: number) => void,
  ) {
    const { rank } = factor
    this.method = job.method
    this.y = new Float64Array(rank)
    this.gradient = new Float64Array(rank)
    this.step = new Float64Array(rank)
    this.image = new Float64Array(rank)
    this.x = new Float64Array(job.matrix.columns)
    this.product = new Float64Array(job.matrix.columns)
  }

  /** Until |g| <= target, or out of iterations or time. */
  *run(gradient: Float64Array, target: number): Work<void> {
    for (;;) {
      this.gradient.set(gradient)
      this.y.fill(0)
      this.step.fill(0)
      if (this.method === 'cg') {
        yield* this.conjugate(target)
        return
      }
      if (yield* this.simple(target)) return
      this.method = 'cg'
      this.switched = true
    }
  }

  private *multiply(): Work<void> {
    yield* this.factor.apply(this.step, this.x)
    yield* normalProduct(this.job.matrix, this.x, this.product, this.monitor)
    yield* this.factor.applyTransposed(this.product, this.image)
  }

  private *conjugate(target: number): Work<void> {
    const { gradient, step, image, y } = this
    const k = y.length
    let rho = dot(gradient, 0, gradient, 0, k)
    step.set(gradient)
    while (Math.sqrt(rho) > target && this.mayGoOn()) {
      yield* this.multiply()
      const curvature = dot(step, 0, image, 0, k)
      if (!(curvature > 0)) return // rounding: no more is to be had in this round
      const alpha = rho / curvature
      for (let i = 0; i < k; i++) {
        y[i] += alpha * step[i]
        gradient[i] -= alpha * image[i]
      }
      const next = dot(gradient, 0, gradient, 0, k)
      for (let i = 0; i < k; i++) step[i] = gradient[i] + (next / rho) * step[i]
      rho = next
      this.note(Math.sqrt(rho))
    }
  }

  /** Gradient steps of length one, or heavy ball with the step and momentum for a Gaussian sketch. False when it diverges. */
  private *simple(target: number): Work<boolean> {
    const { gradient, step, image, y } = this
    const k = y.length
    const { rows } = this.job.sketch
    const share = rows === 0 || this.method === 'gradient' ? 0 : k / rows
    const length = (1 - share) ** 2
    let smallest = Number.POSITIVE_INFINITY
    for (;;) {
      const size = normOf(gradient, 0, k)
      if (size <= target) return true
      smallest = Math.min(smallest, size)
      if (!(size <= diverged * smallest)) return false
      if (!this.mayGoOn()) return true
      for (let i = 0; i < k; i++) step[i] = length * gradient[i] + share * step[i]
      yield* this.multiply()
      for (let i = 0; i < k; i++) {
        y[i] += step[i]
        gradient[i] -= image[i]
      }
      this.note(normOf(gradient, 0, k))
    }
  }
}
