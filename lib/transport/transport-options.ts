import { checkRunOptions, type RunOptions, runNames } from '../backend/options.js'
import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import { checkStart } from './options.js'

export type ExactMethod = 'emd' | 'assignment' | 'crossover' | 'wasserstein1d'
export type EntropicMethod = 'sinkhorn' | 'sinkhornNewtonSparse'
export type TransportMethod = ExactMethod | EntropicMethod

export interface TransportOptions extends SolverOptions {
  /**
   * Strength of the entropic term, in units of the cost: min <C,P> + epsilon sum P (log P - 1). Default: none, the exact
   * optimum. With `method: 'crossover'` the one to go down to on the way to the exact optimum.
   */
  epsilon?: number
  /**
   * Default `'auto'`: chosen by structure and size, and by another one if that one stalls. Exact: `'emd'`, `'assignment'`
   * (n = m, equal weights), `'crossover'`, `'wasserstein1d'` (points of one dimension, convex cost). With `epsilon`:
   * `'sinkhorn'`, `'sinkhornNewtonSparse'`.
   */
  method?: 'auto' | TransportMethod
  /**
   * Stop when `residual` is no larger. Exact: the relative gap of the certificate, default 0, until the plan is proved
   * optimal. Entropic: the marginal error, default 1e-9.
   */
  tolerance?: number
  /** Most iterations of a method, in its own terms: pivots of `emd` and `crossover`, Newton steps, sweeps. */
  maxIterations?: number
  /** Potentials to start from, as in `solution.potentials`. Not for `'assignment'` and `'wasserstein1d'`. */
  warmStart?: { f: VectorLike; g: VectorLike }
  /** Of the entropic methods, as in `sinkhorn`. Default `'float64'`. */
  precision?: 'float64' | 'float32'
}

export interface CheckedTransport {
  run: RunOptions
  method: 'auto' | TransportMethod
  /** Whether the optimum without an entropic term is asked for. */
  exact: boolean
  epsilon: number | undefined
  /** What goes to the method as it is. */
  rest: Pick<TransportOptions, 'tolerance' | 'maxIterations' | 'warmStart' | 'threads' | 'backend'>
  precision: TransportOptions['precision']
}

export const exactMethods = ['emd', 'assignment', 'crossover', 'wasserstein1d'] as const
export const entropicMethods = ['sinkhorn', 'sinkhornNewtonSparse'] as const
export const transportMethods = ['auto', ...exactMethods, ...entropicMethods] as const
const precisions = ['float64', 'float32'] as const

const names: ReadonlySet<string> = new Set([
  ...['epsilon', 'method', 'tolerance', 'maxIterations', 'warmStart', 'precision'],
  ...runNames,
])

export function checkTransport(options: TransportOptions): CheckedTransport {
  const run = checkRunOptions(options, names)
  const method = oneOf('method', options.method, transportMethods, 'auto')
  const isEntropic = (entropicMethods as readonly string[]).includes(method)
  const needsEpsilon = isEntropic || options.epsilon !== undefined
  const epsilon = needsEpsilon ? positive('epsilon', options.epsilon) : undefined
  const exact = method === 'auto' ? epsilon === undefined : !isEntropic
  if (method !== 'auto' && method !== 'crossover' && exact) refuse('epsilon', epsilon, method)
  if (exact) refuse('precision', options.precision, method)
  if (method === 'assignment' || method === 'wasserstein1d') {
    refuse('maxIterations', options.maxIterations, method)
    refuse('warmStart', options.warmStart, method)
  }
  oneOf('precision', options.precision, precisions, 'float64')
  nonNegative('tolerance', options.tolerance, 0)
  whole('maxIterations', options.maxIterations, 1, 1)
  checkStart(options.warmStart)
  const rest: CheckedTransport['rest'] = {}
  for (const name of ['tolerance', 'maxIterations', 'warmStart', 'threads', 'backend'] as const) {
    if (options[name] !== undefined) Object.assign(rest, { [name]: options[name] })
  }
  return { run, method, exact, epsilon, rest, precision: options.precision }
}

function refuse(name: string, value: unknown, method: string): void {
  if (value === undefined) return
  const without = method === 'auto' ? 'without epsilon' : `with method: '${method}'`
  throw new ExtremaError('ERR_OPTION', `${name}: expected none ${without}, got ${describe(value)}`)
}
