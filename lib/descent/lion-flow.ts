import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Flow, Watch } from '../backend/portable/descent/flow.js'
import { checkFinite, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, nonNegative, positive, type SolverOptions, whole } from '../core/options.js'
import type { Solution, Status } from '../core/solution.js'
import { checkFunction, potentialOf } from './lion-k/make.js'
import type { LionFunction, Potential } from './lion-k/potential.js'
import { follow, followSync } from './oracle.js'
import { ask, checkValue, fillGradient } from './smooth-problem.js'

/** f by functions of your own, which may return promises. x is only lent. */
export interface LionFlowProblem {
  x0: VectorLike
  /** Default: zeros. */
  m0?: VectorLike
  /** ∇f(x) */
  gradient(x: Float64Array): VectorLike | Promise<VectorLike>
  /** f(x), for the Lyapunov function. */
  value?(x: Float64Array): number | Promise<number>
}

export interface LionFlowOptions extends Pick<SolverOptions, 'timeLimit' | 'signal' | 'onProgress' | 'maxIterations'> {
  /** The time to integrate to. */
  time: number
  /** λ > 0 */
  weightDecay: number
  /** Default `'l1'`. Its derivative must be continuous for the Lyapunov function to fall: `'soft-abs'`, `'huber'`, … */
  k?: LionFunction
  /** α > 0, default 1: what multiplies f. */
  alpha?: number
  /** γ > 0, default 1: the decay of momentum. */
  gamma?: number
  /** ε >= 0 with ε γ <= 1, default 0: how far the momentum looks ahead. */
  epsilon?: number
  /** Largest error of a step, relative to 1 + |entry|. Default 1e-8. */
  tolerance?: number
}

export interface LionFlowSolution extends Solution {
  /** At `time`. */
  x: Float64Array
  m: Float64Array
  time: number
  /** The ends of all steps, from 0. */
  times: Float64Array
  /** The Lyapunov function there; absent without `value` or without K*, Infinity outside the constraint. */
  lyapunov?: Float64Array
}

const problemNames: ReadonlySet<string> = new Set(['x0', 'm0', 'gradient', 'value'])
const names: ReadonlySet<string> = new Set([
  ...['time', 'weightDecay', 'k', 'alpha', 'gamma', 'epsilon', 'tolerance', 'maxIterations'],
  ...['timeLimit', 'signal', 'onProgress'],
])

// Dormand and Prince's method of order 5: stages, weights (those of the last stage) and the error against order 4.
const stages = [
  [],
  [1 / 5],
  [3 / 40, 9 / 40],
  [44 / 45, -56 / 15, 32 / 9],
  [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
  [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
  [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
]
const errors = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40]

/**
 * Lion-K in continuous time: m' = −α ∇f(x) − γ m; x' = ∇K(m − ε (α ∇f(x) + γ m)) − λ x, integrated by Dormand and Prince's adaptive method of
 * order 5. Its fixed points minimize α f(x) + (γ/λ) K*(λ x), and the Lyapunov function
 * H = α f + (γ/λ) K*(λ x) + (1 − ε γ) / (1 + ε λ) (K(m) + K*(λ x) − λ ⟨m, x⟩) falls along it once K*(λ x) is finite. The optimizer
 * with learning rate η takes steps along the flow with α = γ = (1 − β₂) / η, ε = η (1 − β₁) / (1 − β₂).
 *
 * `residual` is the error estimate of the last step over the tolerance; `iterations` counts steps, maxIterations is 1e6 by default; `status`
 * is `'converged'` when `time` is reached, `'stalled'` if steps become shorter than rounding allows.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`, `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_ORACLE`; the reason of `signal` when aborted
 *
 * Source: Chen, Liu, Liang, Liu, arXiv 2310.05898, the flow and its Lyapunov function; Dormand, Prince, 1980.
 */
export async function lionFlow(problem: LionFlowProblem, options: LionFlowOptions): Promise<LionFlowSolution> {
  const { control, solve, finish } = prepare(problem, options)
  await follow(solve, control)
  return finish()
}

/** {@link lionFlow} on the calling thread; oracles must not return promises. */
export function lionFlowSync(problem: LionFlowProblem, options: LionFlowOptions): LionFlowSolution {
  const { control, solve, finish } = prepare(problem, options)
  followSync(solve, control)
  return finish()
}

interface Prepared {
  control: Control
  solve(watch: Watch): Flow<void>
  finish(): LionFlowSolution
}

function prepare(problem: LionFlowProblem, options: LionFlowOptions): Prepared {
  const start = performance.now()
  const { control } = checkRunOptions(options, names, '{ time, weightDecay, … }')
  control.signal?.throwIfAborted()
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { x0, gradient }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, problemNames)
  if (typeof problem.gradient !== 'function') {
    throw new ExtremaError('ERR_OPTION', `gradient: expected a function, got ${describe(problem.gradient)}`)
  }
  const integrator = new Integrator(problem, options)
  return {
    control,
    solve: (watch) => integrator.run(watch),
    finish: () => ({ ...integrator.solution(), elapsed: performance.now() - start, backend: 'portable' }),
  }
}

class Integrator {
  private readonly n: number
  /** x and m, one behind the other. */
  private state: Float64Array
  private readonly potential: Potential
  private readonly end: number
  private readonly lambda: number
  private readonly alpha: number
  private readonly gamma: number
  private readonly epsilon: number
  private readonly tolerance: number
  private readonly maxIterations: number
  private readonly gradient: Float64Array
  private readonly times: number[] = [0]
  private readonly lyapunov: number[] = []
  private time = 0
  private iterations = 0
  private residual = 0
  private status: Status = 'converged'

  constructor(
    private readonly problem: LionFlowProblem,
    options: LionFlowOptions,
  ) {
    const x0 = checkFinite('x0', toFloat64('x0', problem.x0))
    const n = x0.length
    if (n === 0) throw new ExtremaError('ERR_SHAPE', 'x0: expected at least one number, got none')
    this.n = n
    this.state = new Float64Array(2 * n)
    this.state.set(x0)
    if (problem.m0 !== undefined) {
      const m0 = checkFinite('m0', toFloat64('m0', problem.m0))
      if (m0.length !== n) throw new ExtremaError('ERR_SHAPE', `m0: expected ${n} numbers, got ${m0.length}`)
      this.state.set(m0, n)
    }
    this.end = positive('time', options.time)
    this.lambda = positive('weightDecay', options.weightDecay)
    this.alpha = positive('alpha', options.alpha, 1)
    this.gamma = positive('gamma', options.gamma, 1)
    this.epsilon = nonNegative('epsilon', options.epsilon, 0)
    if (this.epsilon * this.gamma > 1) {
      throw new ExtremaError('ERR_OPTION', `epsilon: expected at most 1 / gamma, got ${this.epsilon}`)
    }
    this.tolerance = positive('tolerance', options.tolerance, 1e-8)
    this.maxIterations = whole('maxIterations', options.maxIterations, 1e6, 1)
    const leaf = { path: '', dtype: 'float64' as const, shape: [n] }
    this.potential = potentialOf(checkFunction('k', options.k ?? 'l1'), leaf)
    this.gradient = new Float64Array(n)
  }

  *run(watch: Watch): Flow<void> {
    const { n, end, tolerance } = this
    const size = 2 * n
    const slopes = stages.map(() => new Float64Array(size))
    const next = new Float64Array(size)
    yield* this.slope(this.state, slopes[0])
    yield* this.record()
    let step = end / 100
    while (this.time < end) {
      if (this.iterations >= this.maxIterations || watch.expired()) {
        this.status = this.iterations >= this.maxIterations ? 'iteration-limit' : 'time-limit'
        return
      }
      step = Math.min(step, end - this.time)
      for (let s = 1; s < stages.length; s++) {
        for (let i = 0; i < size; i++) {
          let move = 0
          for (let r = 0; r < s; r++) move += stages[s][r] * slopes[r][i]
          next[i] = this.state[i] + step * move
        }
        yield* this.slope(next, slopes[s])
      }
      let worst = 0
      for (let i = 0; i < size; i++) {
        let error = 0
        for (let s = 0; s < errors.length; s++) error += errors[s] * slopes[s][i]
        worst = Math.max(worst, Math.abs(step * error) / (tolerance * (1 + Math.abs(this.state[i]))))
      }
      if (worst <= 1) {
        this.time = step < end - this.time ? this.time + step : end
        this.state.set(next)
        // The last stage is the first one of the next step.
        slopes[0].set(slopes[slopes.length - 1])
        this.iterations++
        this.residual = worst
        yield* this.record()
        watch.progress(this.iterations, worst)
      }
      step *= Math.min(5, Math.max(0.2, 0.9 * worst ** -0.2))
      if (!(this.time + step > this.time)) {
        this.status = 'stalled'
        return
      }
      if (watch.due()) yield
    }
  }

  /** x' and m' at a state. */
  private *slope(state: Float64Array, out: Float64Array): Flow<void> {
    const { n, alpha, gamma, epsilon, lambda, gradient } = this
    const x = state.subarray(0, n)
    fillGradient(yield* ask('gradient', () => this.problem.gradient(x)), gradient)
    for (let i = 0; i < n; i++) {
      if (!Number.isFinite(gradient[i])) {
        throw new ExtremaError('ERR_ORACLE', `gradient[${i}]: expected a finite number, got ${gradient[i]}`)
      }
      const fall = alpha * gradient[i] + gamma * state[n + i]
      out[n + i] = -fall
      out[i] = state[n + i] - epsilon * fall
    }
    const u = out.subarray(0, n)
    this.potential.subgradient(u, u)
    for (let i = 0; i < n; i++) u[i] -= lambda * x[i]
  }

  private *record(): Flow<void> {
    if (this.time > 0) this.times.push(this.time)
    const { problem, n, state, alpha, gamma, epsilon, lambda, potential } = this
    if (problem.value === undefined) return
    const [x, m] = [state.subarray(0, n), state.subarray(n)]
    const value = checkValue(yield* ask('value', () => problem.value!(x)))
    const y = x.map((entry) => lambda * entry)
    const conjugate = potential.conjugate(y, 1e-12)
    const product = m.reduce((sum, entry, i) => sum + entry * y[i], 0)
    const bracket = potential.value(m) + conjugate - product
    const energy = alpha * value + (gamma / lambda) * conjugate
    this.lyapunov.push(energy + ((1 - epsilon * gamma) / (1 + epsilon * lambda)) * bracket)
  }

  solution(): Omit<LionFlowSolution, 'elapsed' | 'backend'> {
    const { n, state, time, times, lyapunov, status, iterations, residual } = this
    const known = lyapunov.length > 0 && !lyapunov.some(Number.isNaN)
    return {
      status,
      iterations,
      residual,
      x: state.slice(0, n),
      m: state.slice(n),
      time,
      times: Float64Array.from(times),
      ...(known && { lyapunov: Float64Array.from(lyapunov) }),
    }
  }
}
