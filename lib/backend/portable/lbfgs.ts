import { axpy, dot } from './linear/vectors.js'

/** A point that {@link lbfgs} asks to be evaluated. The asker fills in all but `x` and `iteration`. */
export interface Trial {
  readonly x: Float64Array
  readonly gradient: Float64Array
  value: number
  /** What `tolerance` bounds, of this point. */
  residual: number
  /** How far the value may be off by rounding. */
  roundoff: number
  /** Iterations done so far. */
  iteration: number
  /** Of the best point so far, `x` of {@link lbfgs}. */
  readonly best: { gradient: Float64Array; value: number; residual: number }
}

export interface LbfgsOptions {
  /** Stop at a residual <= tolerance. */
  tolerance: number
  maxIterations: number
  /** The first step changes no variable by more. */
  firstStep: number
  /** Pairs of steps and gradient differences that make the inverse Hessian. Default 10. */
  memory?: number
}

export interface LbfgsResult {
  status: 'converged' | 'iteration-limit' | 'stalled'
  iterations: number
  value: number
  residual: number
}

// Strong Wolfe conditions: Nocedal and Wright, 2nd edition, algorithms 3.5, 3.6 and 7.5.
const decrease = 1e-4
const curvature = 0.9
const mostTrials = 20
/** After so many trials a kink is likely, where no step has a small slope: a decrease beyond the kink will do. */
const patience = 4

/**
 * Minimises a function of a vector by limited-memory BFGS with a strong Wolfe line search, by reverse communication: the
 * generator yields a point, and goes on when its value and gradient are filled in. So the same method serves functions
 * that are computed at once, in slices or elsewhere. `x` is the start and holds the best point so far at every yield.
 *
 * Where values differ by less than their rounding, slopes decide (Hager and Zhang's approximate Wolfe conditions): on
 * smooth functions gradients get about as small as their own rounding.
 */
export function* lbfgs(x: Float64Array, options: LbfgsOptions): Generator<Trial, LbfgsResult, void> {
  const running = lbfgsInSlices(x, options)
  for (;;) {
    const { done, value } = running.next()
    if (done) return value
    if (value !== undefined) yield value
  }
}

/** {@link lbfgs}, which on long vectors also yields undefined, where the event loop may take over. */
export function* lbfgsInSlices(
  x: Float64Array,
  options: LbfgsOptions,
): Generator<Trial | undefined, LbfgsResult, void> {
  const { tolerance, maxIterations, firstStep, memory = 10 } = options
  const n = x.length
  const gradient = new Float64Array(n)
  const direction = new Float64Array(n)
  const trial: Trial = {
    x: x.slice(),
    gradient: new Float64Array(n),
    value: 0,
    residual: 0,
    roundoff: 0,
    iteration: 0,
    best: { gradient, value: Number.NaN, residual: Number.NaN },
  }
  const best = { x: new Float64Array(n), gradient: new Float64Array(n), value: 0, residual: 0 }
  const pairs = new Pairs(n, memory)
  yield trial
  gradient.set(trial.gradient)
  let { value, residual } = trial
  Object.assign(trial.best, { value, residual })

  for (let iterations = 0; ; iterations++) {
    if (residual <= tolerance) return { status: 'converged', iterations, value, residual }
    if (iterations >= maxIterations) return { status: 'iteration-limit', iterations, value, residual }
    trial.iteration = iterations
    yield* pairs.direction(gradient, direction)
    let slope = dot(gradient, direction)
    if (!(slope < 0)) {
      pairs.clear()
      yield* pairs.direction(gradient, direction)
      slope = dot(gradient, direction)
    }
    if (!(slope < 0 && slope > Number.NEGATIVE_INFINITY)) return { status: 'stalled', iterations, value, residual }

    // [low, high] holds a step that meets the conditions once `bracketed`; low is the best so far.
    let step = pairs.count > 0 ? 1 : firstStep / largestSize(direction)
    let low = { step: 0, value, slope }
    let high = low
    let bracketed = false
    let accepted = false
    let found = false
    for (let count = 0; count < mostTrials && !accepted; count++) {
      for (let i = 0; i < n; i++) trial.x[i] = x[i] + step * direction[i]
      yield trial
      const here = { step, value: trial.value, slope: dot(trial.gradient, direction) }
      const { roundoff } = trial
      const hidden = here.value <= value + roundoff && -step * slope <= 1e3 * roundoff
      const lower = here.value <= value + decrease * step * slope
      const good = lower || (hidden && here.slope <= (2 * decrease - 1) * slope)
      if (good) {
        accepted = Math.abs(here.slope) <= -curvature * slope || (count >= patience && here.slope >= curvature * slope)
        if (accepted || !found || here.value < best.value) {
          found = true
          best.x.set(trial.x)
          best.gradient.set(trial.gradient)
          best.value = trial.value
          best.residual = trial.residual
        }
      }
      if (accepted) break
      const numbers = Number.isFinite(here.value) && Number.isFinite(here.slope)
      if (!numbers || (!hidden && (!lower || here.value >= low.value))) {
        high = here
        bracketed = true
      } else {
        if (bracketed ? here.slope * (high.step - low.step) >= 0 : here.slope >= 0) {
          high = low
          bracketed = true
        }
        low = here
      }
      if (!bracketed) {
        step *= count === 0 ? 2 : 4
      } else {
        const width = high.step - low.step
        let part = count % 3 === 2 ? 0.5 : between(low, high, hidden)
        // Where there are no numbers nothing says how far it is to the first.
        if (!numbers) part = 0.1
        step = low.step + width * part
      }
    }
    if (!found) {
      // A direction from old pairs may be a bad one: once more from the gradient alone.
      if (pairs.count === 0) return { status: 'stalled', iterations, value, residual }
      pairs.clear()
      continue
    }
    pairs.add(x, gradient, best.x, best.gradient)
    x.set(best.x)
    gradient.set(best.gradient)
    value = best.value
    residual = best.residual
    Object.assign(trial.best, { value, residual })
  }
}

/** Of vectors whose products take the better part of a millisecond. */
const longLength = 2 ** 18

interface Sample {
  step: number
  value: number
  slope: number
}

/** Where between two samples a cubic through them has its minimum, kept away from their ends; the middle if nowhere. */
function between(low: Sample, high: Sample, hidden: boolean): number {
  const width = high.step - low.step
  let part = 0.5
  if (hidden) {
    part = low.slope / (low.slope - high.slope)
  } else {
    const d1 = low.slope + high.slope - (3 * (high.value - low.value)) / width
    const d2 = Math.sign(width) * Math.sqrt(d1 * d1 - low.slope * high.slope)
    part = 1 - (high.slope + d2 - d1) / (high.slope - low.slope + 2 * d2)
  }
  if (Number.isNaN(part)) return 0.5
  return Math.min(0.9, Math.max(0.1, part))
}

/** The last steps s and gradient differences y, and the inverse Hessian that they make. */
class Pairs {
  count = 0
  private newest = -1
  private readonly steps: Float64Array[]
  private readonly changes: Float64Array[]
  private readonly inverse: Float64Array
  private readonly weights: Float64Array

  constructor(n: number, memory: number) {
    this.steps = Array.from({ length: memory }, () => new Float64Array(n))
    this.changes = Array.from({ length: memory }, () => new Float64Array(n))
    this.inverse = new Float64Array(memory)
    this.weights = new Float64Array(memory)
  }

  clear(): void {
    this.count = 0
  }

  /** Keeps a step unless it has no positive curvature, as can be beyond a kink or at rounding. */
  add(x: Float64Array, gradient: Float64Array, xNext: Float64Array, gradientNext: Float64Array): void {
    const memory = this.steps.length
    const next = (this.newest + 1) % memory
    const s = this.steps[next]
    const y = this.changes[next]
    for (let i = 0; i < x.length; i++) {
      s[i] = xNext[i] - x[i]
      y[i] = gradientNext[i] - gradient[i]
    }
    const product = dot(s, y)
    if (product > 1e-16 * Math.sqrt(dot(s, s) * dot(y, y))) {
      this.inverse[next] = 1 / product
      this.newest = next
      this.count = Math.min(this.count + 1, memory)
    } else if (this.count === memory) {
      this.count-- // the oldest was in that place
    }
  }

  /** out = -H gradient by the two-loop recursion (algorithm 7.4). */
  *direction(gradient: Float64Array, out: Float64Array): Generator<undefined, void, void> {
    const { steps, changes, inverse, weights, count, newest } = this
    const long = out.length > longLength
    const memory = steps.length
    for (let i = 0; i < out.length; i++) out[i] = -gradient[i]
    for (let age = 0; age < count; age++) {
      const q = (newest - age + memory) % memory
      weights[q] = inverse[q] * dot(steps[q], out)
      axpy(-weights[q], changes[q], out)
      if (long) yield
    }
    if (count > 0) {
      const scale = 1 / (inverse[newest] * dot(changes[newest], changes[newest]))
      for (let i = 0; i < out.length; i++) out[i] *= scale
    }
    for (let age = count - 1; age >= 0; age--) {
      const q = (newest - age + memory) % memory
      axpy(weights[q] - inverse[q] * dot(changes[q], out), steps[q], out)
      if (long) yield
    }
  }
}

function largestSize(x: Float64Array): number {
  let largest = 0
  for (let i = 0; i < x.length; i++) if (Math.abs(x[i]) > largest) largest = Math.abs(x[i])
  return largest
}
