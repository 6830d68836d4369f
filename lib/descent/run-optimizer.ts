import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Flow, Watch } from '../backend/portable/descent/flow.js'
import { ExtremaError } from '../core/errors.js'
import { positive, type SolverOptions, whole } from '../core/options.js'
import type { Solution, Status } from '../core/solution.js'
import type { Optimizer } from '../tensor/optimizer.js'
import type { LionOptimizer } from './lion.js'
import { follow, followSync } from './oracle.js'
import { checkSmoothProblem, evaluateSmooth, type SmoothProblem } from './smooth-problem.js'

export interface RunOptimizerOptions extends Pick<SolverOptions, 'timeLimit' | 'signal' | 'onProgress'> {
  /** Steps. Default 1000. */
  maxIterations?: number
  /** Of the residual. Default: none, all steps are taken. */
  tolerance?: number
  /** Record every so many steps. Default 0: nothing. */
  traceEvery?: number
}

/** Numbers of the recorded steps, one behind the other. */
export interface OptimizerTrace {
  steps: Float64Array
  values: Float64Array
  residuals: Float64Array
  /** Of Lion-K with weight decay; NaN where it is not defined. */
  lyapunov: Float64Array
  /** Of Lion-K: from the set of its constraint; 0 of other optimizers. */
  distances: Float64Array
}

export interface RunOptimizerSolution extends Solution {
  x: Float64Array
  /** f at x, as the oracle gave it. */
  value: number
  trace?: OptimizerTrace
}

const names: ReadonlySet<string> = new Set([
  ...['maxIterations', 'tolerance', 'traceEvery'],
  ...['timeLimit', 'signal', 'onProgress'],
])

/**
 * Runs an optimizer on a function of a vector by oracles, which may be estimates (of a minibatch) and promises. `residual` is the `gap` of Lion-K
 * with weight decay where it has one, otherwise the largest |∂f/∂x_i|, both at x.
 *
 * @throws {ExtremaError} `ERR_ORACLE` (an oracle that throws, or gives what is not finite), what the optimizer's steps throw, `ERR_SHAPE`,
 * `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_OPTION`; the reason of `signal` when aborted
 */
export async function runOptimizer(
  problem: SmoothProblem,
  optimizer: Optimizer,
  options: RunOptimizerOptions = {},
): Promise<RunOptimizerSolution> {
  const { control, solve, finish } = prepare(problem, optimizer, options)
  await follow(solve, control)
  return finish()
}

/** {@link runOptimizer} on the calling thread; oracles must not return promises. */
export function runOptimizerSync(
  problem: SmoothProblem,
  optimizer: Optimizer,
  options: RunOptimizerOptions = {},
): RunOptimizerSolution {
  const { control, solve, finish } = prepare(problem, optimizer, options)
  followSync(solve, control)
  return finish()
}

interface Prepared {
  control: Control
  solve(watch: Watch): Flow<void>
  finish(): RunOptimizerSolution
}

function prepare(problem: SmoothProblem, optimizer: Optimizer, options: RunOptimizerOptions): Prepared {
  const start = performance.now()
  const { control } = checkRunOptions(options, names, '{ maxIterations, tolerance, … }')
  control.signal?.throwIfAborted()
  const x = checkSmoothProblem(problem)
  const maxIterations = whole('maxIterations', options.maxIterations, 1000, 0)
  const tolerance = options.tolerance === undefined ? -1 : positive('tolerance', options.tolerance)
  const every = whole('traceEvery', options.traceEvery, 0, 0)
  const rows: Measured[] = []
  const reached = { status: 'iteration-limit' as Status, iterations: 0, value: 0, residual: 0 }

  function* solve(watch: Watch): Flow<void> {
    const gradient = new Float64Array(x.length)
    for (let step = 0; ; step++) {
      const value = yield* evaluateSmooth(problem, x, gradient)
      if (value === Number.POSITIVE_INFINITY) {
        const expected = `finite numbers for f and its gradient at step ${step}`
        throw new ExtremaError('ERR_ORACLE', `value: expected ${expected}, got others`)
      }
      const traced = every > 0 && step % every === 0
      const last = step >= maxIterations || watch.expired()
      if (traced || last || tolerance > 0) {
        const measured = measure(optimizer, x, gradient, value, step)
        if (traced) rows.push(measured)
        const { residual } = measured
        watch.progress(step, residual)
        const converged = residual <= tolerance
        if (last || converged) {
          const status = converged ? 'converged' : step >= maxIterations ? 'iteration-limit' : 'time-limit'
          Object.assign(reached, { status, iterations: step, value, residual })
          return
        }
      }
      optimizer.step(x, gradient)
      if (watch.due()) yield
    }
  }

  return {
    control,
    solve,
    finish: () => ({
      ...reached,
      elapsed: performance.now() - start,
      backend: 'portable',
      x,
      ...(every > 0 && { trace: traceOf(rows) }),
    }),
  }
}

interface Measured {
  step: number
  value: number
  residual: number
  lyapunov: number
  distance: number
}

const reports = (optimizer: Optimizer): optimizer is LionOptimizer => 'report' in optimizer

function measure(optimizer: Optimizer, x: Float64Array, gradient: Float64Array, value: number, step: number): Measured {
  const largest = gradient.reduce((most, slope) => Math.max(most, Math.abs(slope)), 0)
  if (!reports(optimizer)) return { step, value, residual: largest, lyapunov: Number.NaN, distance: 0 }
  const { gap, lyapunov, distance } = optimizer.report(x, gradient, value)
  return { step, value, residual: gap ?? largest, lyapunov: lyapunov ?? Number.NaN, distance }
}

function traceOf(rows: Measured[]): OptimizerTrace {
  const column = (pick: (row: Measured) => number) => Float64Array.from(rows, pick)
  return {
    steps: column(({ step }) => step),
    values: column(({ value }) => value),
    residuals: column(({ residual }) => residual),
    lyapunov: column(({ lyapunov }) => lyapunov),
    distances: column(({ distance }) => distance),
  }
}
