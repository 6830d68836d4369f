import { type CsrParts, type Kernels, reportField, reportLength, type SolveSettings } from '../backend/kernels.js'
import type { GromovBlendJob, GromovProductJob } from '../backend/transport-gromov.js'
import type { Status } from '../core/solution.js'
import type { GromovData } from './gromov-problem.js'
import { Vertices } from './gromov-vertex.js'
import { call, type Program } from './program.js'

export interface DescentSettings {
  alpha: number
  /** 0: no entropic term. */
  epsilon: number
  tolerance: number
  maxIterations: number
  threads: number
  /** `performance.now()` after which to stop. */
  deadline: number
  /** u·a + v·b, the scale of the structural part. */
  structure: number
  /** What the residual of the exact form is relative to. */
  scale: number
  report(iteration: number, residual: number): void
}

/** A plan with what is kept up to date along with it. */
export interface Descent {
  plan: Float64Array
  status: Status
  iterations: number
  residual: number
  value: number
  /** Of all iterations. */
  history: number[]
}

/** What one step from the plan T to a plan S may need: inner products of S. */
interface Direction {
  /** <C1 S C2, S>, <C1 T C2, S>, <M, S> */
  own: number
  cross: number
  features: number
}

/**
 * E(T) = (1 - alpha) <M,T> + alpha (u·a + v·b - 2 <C1 T C2, T>), its quadratic along T + t (S - T), and the memory that
 * a descent works in.
 */
export class GromovState {
  readonly plan: Float64Array
  readonly product: Float64Array
  readonly gradient: Float64Array
  readonly directionProduct: Float64Array
  private quadratic = 0 // <C1 T C2, T>
  private linear = 0 // <M, T>

  constructor(
    readonly data: GromovData,
    readonly u: Float64Array,
    readonly v: Float64Array,
    readonly settings: DescentSettings,
    readonly kernels: Kernels,
  ) {
    const size = data.n * data.m
    this.plan = new Float64Array(size)
    this.product = new Float64Array(size)
    this.gradient = new Float64Array(size)
    this.directionProduct = new Float64Array(size)
  }

  /** Takes in what stands in `plan`. */
  *start(): Program<void> {
    const { own, features } = yield* this.multiply(this.plan, this.product, null)
    this.quadratic = own
    this.linear = features
    yield* this.blend(0, null)
  }

  get value(): number {
    const { alpha, structure } = this.settings
    // A sum of squares, which rounding must not make negative.
    return (1 - alpha) * this.linear + alpha * Math.max(0, structure - 2 * this.quadratic)
  }

  /** The direction from T to the plan S. */
  *toward(plan: Float64Array | CsrParts): Program<Direction> {
    return yield* this.multiply(plan, this.directionProduct, this.product)
  }

  /** dE/dt at t = 0 and the coefficient of t². */
  along({ own, cross, features }: Direction): { slope: number; curvature: number } {
    const { alpha } = this.settings
    return {
      slope: (1 - alpha) * (features - this.linear) - 4 * alpha * (cross - this.quadratic),
      curvature: -2 * alpha * (own - 2 * cross + this.quadratic),
    }
  }

  /** T <- T + t (S - T), and the gradient there. */
  *move(t: number, plan: Float64Array | CsrParts, { own, cross, features }: Direction): Program<void> {
    const keep = 1 - t
    this.quadratic = keep * keep * this.quadratic + 2 * t * keep * cross + t * t * own
    this.linear = keep * this.linear + t * features
    yield* this.blend(t, plan)
  }

  private *multiply(
    plan: Float64Array | CsrParts,
    out: Float64Array,
    product: Float64Array | null,
  ): Program<Direction> {
    const { n, m, source, target, features } = this.data
    const { threads } = this.settings
    const report = new Float64Array(3)
    const job: GromovProductJob = { n, m, source, target, plan, product, features, threads, out, report }
    yield call(this.kernels.transport.gromovProduct, job)
    return { own: report[0], cross: report[1], features: report[2] }
  }

  private *blend(step: number, direction: Float64Array | CsrParts | null): Program<void> {
    const { n, m, features } = this.data
    const { alpha, threads } = this.settings
    const { plan, product, gradient, u, v } = this
    const directionProduct = step === 0 ? null : this.directionProduct
    const job: GromovBlendJob = {
      ...{ n, m, step, alpha, plan, product, direction, directionProduct, u, v, features, threads, gradient },
    }
    yield call(this.kernels.transport.gromovBlend, job)
  }
}

/**
 * Frank-Wolfe: the direction is a vertex of the transport polytope, the step the minimum of the quadratic along it. The
 * residual is the Frank-Wolfe gap max_S <gradient, T - S>, which is zero at stationary points only.
 */
export function* frankWolfe(state: GromovState): Program<Descent> {
  const { data, settings, kernels } = state
  const vertices = new Vertices(data, kernels, settings.threads)
  yield* state.start()
  const history: number[] = []
  let status: Status = 'iteration-limit'
  let residual = Number.POSITIVE_INFINITY
  let iterations = 0
  while (iterations < settings.maxIterations) {
    if (performance.now() >= settings.deadline) {
      status = 'time-limit'
      break
    }
    const corner = yield* vertices.at(state.gradient)
    if (corner === null) {
      status = 'time-limit'
      break
    }
    const direction = yield* state.toward(corner)
    const { slope, curvature } = state.along(direction)
    iterations++
    residual = Math.max(0, -slope) / settings.scale
    history.push(state.value)
    settings.report(iterations, residual)
    if (residual <= settings.tolerance) {
      status = 'converged'
      break
    }
    if (residual <= roundoff) {
      status = 'stalled'
      break
    }
    const step = curvature > 0 ? Math.min(1, -slope / (2 * curvature)) : 1
    yield* state.move(step, corner, direction)
  }
  return { plan: state.plan, status, iterations, residual, value: state.value, history }
}

/** A gap below this is rounding. */
const roundoff = 4 * Number.EPSILON

/** Of the marginals of the inner plans, relative to the last change of the plan. */
const innerShare = 0.01
const loosestInner = 1e-6
const tightestInner = 1e-13

/** Below this change of the plan what is gained is lost in rounding, and the step stays as it is. */
const measurable = 1e-5
const leastStep = 1e-4
/** Iterations of that kind without progress before giving up. */
const patience = 100

/**
 * T <- the entropic plan of the gradient at T, as far along as descends: all the way where the objective is concave
 * between them (as for Euclidean distances), else to the minimum of a quadratic that lies above it. The residual is the
 * change sum |S - T| / mass from T to its image S.
 */
export function* entropicDescent(state: GromovState): Program<Descent> {
  const { data, settings, kernels, plan } = state
  const { n, m, a, b } = data
  const { epsilon, threads } = settings
  const mass = a.reduce((sum, weight) => sum + weight, 0)
  const next = new Float64Array(n * m)
  const f = new Float64Array(n)
  const g = new Float64Array(m)
  const cost = { n, m, metric: 'dense' as const, x: state.gradient, y: null, d: 0 }
  yield* state.start()
  const history: number[] = []
  let status: Status = 'iteration-limit'
  let residual = Number.POSITIVE_INFINITY
  let iterations = 0
  let step = 1
  let best = Number.POSITIVE_INFINITY
  let since = 0
  while (iterations < settings.maxIterations) {
    if (performance.now() >= settings.deadline) {
      status = 'time-limit'
      break
    }
    const isMeasurable = residual > measurable
    const tolerance = Math.max(tightestInner, Math.min(loosestInner, innerShare * residual))
    const report = new Float64Array(reportLength)
    yield call(kernels.transport.sinkhornNewtonSparse, {
      problem: { ...cost, a, b },
      settings: entropicSettings(epsilon, tolerance, threads),
      f,
      g,
      report,
      history: null,
    })
    yield call(kernels.transport.plan, { cost, epsilon, f, g, threads, out: next })
    const direction = yield* state.toward(next)
    const { slope, curvature } = state.along(direction)
    const compared = new Float64Array(3)
    const entropies = curvature > 0 && isMeasurable
    yield call(kernels.transport.gromovCompare, { plan, next, entropies, threads, report: compared })
    iterations++
    residual = Math.max(compared[0] / mass, report[reportField.marginalError])
    history.push(state.value)
    settings.report(iterations, residual)
    if (isMeasurable) {
      // The entropy is convex, so that the objective at t lies below t² curvature - t drop: this step always descends.
      // It is the minimum where the entropy is its own second-order expansion.
      const drop = Math.max(0, -slope - epsilon * (compared[2] - compared[1]))
      step = entropies ? Math.max(leastStep, drop / (curvature + drop)) : 1
    }
    const converged = residual <= settings.tolerance
    yield* state.move(converged ? 1 : step, next, direction)
    if (converged) {
      status = 'converged'
      break
    }
    if (residual < 0.9 * best) {
      best = residual
      since = 0
    } else if (residual <= measurable && ++since > patience) {
      status = 'stalled'
      break
    }
  }
  return { plan, status, iterations, residual, value: state.value, history }
}

/** For inner problems and for random starts. */
export function entropicSettings(epsilon: number, tolerance: number, threads: number): SolveSettings {
  return {
    epsilon,
    tolerance,
    maxIterations: 500,
    threads,
    float32: false,
    certificate: false,
    paper: false,
    sinkhornIterations: 20,
    sparsity: 0,
  }
}
