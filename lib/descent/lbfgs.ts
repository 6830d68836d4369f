import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Flow, Watch } from '../backend/portable/descent/flow.js'
import { lbfgsInSlices } from '../backend/portable/lbfgs.js'
import { ExtremaError } from '../core/errors.js'
import { flag, positive, type SolverOptions, whole } from '../core/options.js'
import type { Solution, Status } from '../core/solution.js'
import { follow, followSync } from './oracle.js'
import { checkSmoothProblem, evaluateSmooth, type SmoothProblem } from './smooth-problem.js'

export interface LbfgsOptions extends Pick<SolverOptions, 'timeLimit' | 'signal' | 'onProgress'> {
  /** Of the largest |∂f/∂x_i|, absolute: scale f to suit. Default 1e-6. */
  tolerance?: number
  /** Default 10,000. */
  maxIterations?: number
  /** Pairs of steps and gradient differences that stand for the Hessian. Default 10. */
  memory?: number
  /** The first step changes no coordinate by more. Default 1. */
  firstStep?: number
  /** Record the value after each iteration. Default false. */
  history?: boolean
}

export interface LbfgsSolution extends Solution {
  x: Float64Array
  /** f(x) */
  value: number
  /** ∇f(x) */
  gradient: Float64Array
  /** How often f and its gradient were asked for. */
  evaluations: number
  /** f at x0 and after each iteration. */
  history?: Float64Array
}

const names: ReadonlySet<string> = new Set([
  ...['tolerance', 'maxIterations', 'memory', 'firstStep', 'history'],
  ...['timeLimit', 'signal', 'onProgress'],
])

/** Of a value, relative. */
const roundoff = 4 * Number.EPSILON

interface Prepared {
  control: Control
  solve(watch: Watch): Flow<void>
  finish(): LbfgsSolution
}

/**
 * Minimizes a smooth function without constraints by limited-memory BFGS, with a line search for the strong Wolfe conditions (1e-4 and 0.9)
 * by bracketing and safeguarded cubics. Where steps are so short that values differ by their rounding only, slopes decide
 * (Hager and Zhang's approximate conditions), so gradients get about as small as rounding allows. Trial points outside f's domain (NaN,
 * Infinity) are drawn back from.
 *
 * `residual` is the largest |∂f/∂x_i| at x; `status` is `'stalled'` if no further decrease is found above the tolerance. Memory: 2 `memory` + 6
 * vectors.
 *
 * @throws {ExtremaError} `ERR_ORACLE` (an oracle that throws or gives what is no number, −Infinity, or nothing finite at x0), `ERR_SHAPE`,
 * `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_OPTION`; the reason of `signal` when aborted
 *
 * Source: Liu, Nocedal, *On the limited memory BFGS method for large scale optimization*, 1989; Nocedal, Wright, *Numerical Optimization*, 2nd
 * edition, algorithms 3.5, 3.6 and 7.5; Hager, Zhang, *A new conjugate gradient method*, 2005.
 */
export async function lbfgs(problem: SmoothProblem, options: LbfgsOptions = {}): Promise<LbfgsSolution> {
  const { control, solve, finish } = prepare(problem, options)
  await follow(solve, control)
  return finish()
}

/** {@link lbfgs} on the calling thread; oracles must not return promises. */
export function lbfgsSync(problem: SmoothProblem, options: LbfgsOptions = {}): LbfgsSolution {
  const { control, solve, finish } = prepare(problem, options)
  followSync(solve, control)
  return finish()
}

function prepare(problem: SmoothProblem, options: LbfgsOptions): Prepared {
  const start = performance.now()
  const { control } = checkRunOptions(options, names, '{ tolerance, maxIterations, … }')
  control.signal?.throwIfAborted()
  const x = checkSmoothProblem(problem)
  const tolerance = positive('tolerance', options.tolerance, 1e-6)
  const maxIterations = whole('maxIterations', options.maxIterations, 10_000, 0)
  const memory = whole('memory', options.memory, 10, 1, 1000)
  const firstStep = positive('firstStep', options.firstStep, 1)
  const values: number[] | null = flag('history', options.history, false) ? [] : null
  const reached = { status: 'stalled' as Status, iterations: 0, value: 0, residual: 0, evaluations: 0 }
  let gradient: Float64Array = new Float64Array(0)

  function* solve(watch: Watch): Flow<void> {
    const running = lbfgsInSlices(x, { tolerance, maxIterations, firstStep, memory })
    const record = (iterations: number, value: number) => {
      if (values !== null && values.length === iterations) values.push(value)
    }
    for (;;) {
      const { done, value: trial } = running.next()
      if (trial === undefined) {
        if (watch.due()) yield
        continue
      }
      if (done) {
        const { status, iterations, value, residual } = trial
        record(iterations, value)
        Object.assign(reached, { status, iterations, value, residual })
        return
      }
      if (reached.evaluations === 0) gradient = trial.best.gradient
      else {
        record(trial.iteration, trial.best.value)
        watch.progress(trial.iteration, trial.best.residual)
        if (watch.expired()) {
          const { value, residual } = trial.best
          Object.assign(reached, { status: 'time-limit', iterations: trial.iteration, value, residual })
          return
        }
      }
      trial.value = yield* evaluateSmooth(problem, trial.x, trial.gradient)
      if (reached.evaluations++ === 0 && trial.value === Number.POSITIVE_INFINITY) {
        throw new ExtremaError('ERR_ORACLE', 'value: expected finite numbers for f and its gradient at x0, got others')
      }
      trial.residual = largest(trial.gradient)
      // None where there is no number: such a point must not pass for one that differs by rounding only.
      trial.roundoff = trial.value < Number.POSITIVE_INFINITY ? roundoff * Math.abs(trial.value) : 0
      if (watch.due()) yield
    }
  }

  return {
    control,
    solve,
    finish: () => ({
      status: reached.status,
      iterations: reached.iterations,
      residual: reached.residual,
      elapsed: performance.now() - start,
      backend: 'portable',
      x,
      value: reached.value,
      gradient,
      evaluations: reached.evaluations,
      ...(values !== null && { history: Float64Array.from(values) }),
    }),
  }
}

function largest(x: Float64Array): number {
  let most = 0
  for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(x[i]))
  return most
}
