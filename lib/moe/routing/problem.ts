import type { BackendName } from '../../backend/index.js'
import type { Control } from '../../backend/kernels.js'
import { checkRunOptions } from '../../backend/options.js'
import { copyIfSmallFloat64, type MatrixLike, shapeText, toDenseMatrix, type VectorLike } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { flag, oneOf, positive, type SolverOptions, whole } from '../../core/options.js'
import { readCapacity, totalOf } from '../capacity.js'
import { moeRunNames } from '../checks.js'

export const routeMethods = [
  'exact',
  'dual',
  'sinkhorn',
  'sparse-ot',
  'expert-choice',
  'greedy',
  'topk-drop',
  'topk',
] as const
export type RouteMethod = (typeof routeMethods)[number]

export interface RouteOptions extends Pick<SolverOptions, 'timeLimit' | 'signal' | 'onProgress' | 'backend'> {
  /** Experts per token. Default 2. */
  k?: number
  /** Most tokens of an expert, for all or for each. Default: from `capacityFactor`. */
  capacity?: number | VectorLike
  /** Most tokens of an expert over the mean, rounded up: the capacity is ⌈factor × k × tokens / experts⌉. Default 1.25. */
  capacityFactor?: number
  /** Allow tokens to take fewer than k experts, where capacities are short or scores negative. Default false. */
  partial?: boolean
  /**
   * `'exact'` (default): the best routing there is. `'dual'`: prices of the experts, what tokens choose at them, and repairs.
   * `'sinkhorn'`: entropic balancing, then the k best. `'sparse-ot'`: a transport plan with few tokens for each expert, its
   * largest entries, and repairs. `'greedy'`: all pairs by score. `'expert-choice'`: every expert takes
   * its best tokens. `'topk-drop'`: the k best of each token, in order, while there is room. `'topk'`: without capacities.
   */
  method?: RouteMethod
  /** How `'dual'` descends: `'coordinate'` (default) or `'subgradient'`. */
  steps?: 'coordinate' | 'subgradient'
  /** Most sweeps of `'dual'` (default 200; subgradient 2000), iterations of `'sinkhorn'` (1000) or `'sparse-ot'` (500). */
  maxIterations?: number
  /** Entropic strength of `'sinkhorn'`. Default: the standard deviation of the scores; less makes the second
   * choices poor, as the balancing gives a token's whole mass to its first. */
  epsilon?: number
  /** Strength of the quadratic term of `'sparse-ot'`. Default: as in `sparsityConstrained`. */
  gamma?: number
  /** Also find the least upper bound of all routings; costs as much as `'exact'`. Default true. */
  bound?: boolean
}

/** A routing problem after its checks, all but whether the scores are finite. */
export interface RouteProblem {
  tokens: number
  experts: number
  k: number
  scores: Float64Array
  capacity: Int32Array
  partial: boolean
}

export interface CheckedRoute {
  problem: RouteProblem
  control: Control
  backend: BackendName | undefined
  method: RouteMethod
  steps: 'coordinate' | 'subgradient'
  maxIterations: number
  epsilon: number | undefined
  gamma: number | undefined
  bound: boolean
}

const names: ReadonlySet<string> = new Set([
  ...moeRunNames,
  ...['k', 'capacity', 'capacityFactor', 'partial', 'method', 'steps', 'maxIterations', 'epsilon', 'gamma', 'bound'],
])
const stepKinds = ['coordinate', 'subgradient'] as const

/** Methods that put every token in its k places, and so need that there is room. */
const filling: ReadonlySet<RouteMethod> = new Set(['exact', 'dual', 'sparse-ot'])

export function checkRoute(scores: MatrixLike, options: RouteOptions): CheckedRoute {
  const { control, backend } = checkRunOptions(options, names, '{ k, … }')
  const method = oneOf('method', options.method, routeMethods, 'exact')
  const steps = oneOf('steps', options.steps, stepKinds, 'coordinate')
  only('steps', options.steps, method, ['dual'])
  only('epsilon', options.epsilon, method, ['sinkhorn'])
  only('gamma', options.gamma, method, ['sparse-ot'])
  only('maxIterations', options.maxIterations, method, ['dual', 'sinkhorn', 'sparse-ot'])
  const dualIterations = steps === 'coordinate' ? 200 : 2000
  const defaultIterations = method === 'sinkhorn' ? 1000 : method === 'sparse-ot' ? 500 : dualIterations
  const problem = readProblem(scores, options)
  const { tokens, experts, k, capacity, partial } = problem
  const room = totalOf(capacity)
  if (filling.has(method) && !partial && room < tokens * k) {
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      `capacity: expected room for ${tokens * k} (${tokens} tokens × ${k}), got ${room} in ${experts} experts; partial: true leaves some out`,
    )
  }
  return {
    problem,
    control,
    backend,
    method,
    steps,
    maxIterations: whole('maxIterations', options.maxIterations, defaultIterations, 1),
    epsilon: options.epsilon === undefined ? undefined : positive('epsilon', options.epsilon),
    gamma: options.gamma === undefined ? undefined : positive('gamma', options.gamma),
    bound: flag('bound', options.bound, true),
  }
}

function only(name: string, value: unknown, method: RouteMethod, methods: RouteMethod[]): void {
  if (value === undefined || methods.includes(method)) return
  const wanted = methods.map((word) => `'${word}'`).join(' or ')
  throw new ExtremaError('ERR_OPTION', `${name}: expected with method ${wanted} only, got method '${method}'`)
}

function readProblem(given: MatrixLike, options: RouteOptions): RouteProblem {
  const { data, rows: tokens, columns: experts } = toDenseMatrix('scores', given)
  if (tokens === 0 || experts === 0) {
    throw new ExtremaError('ERR_SHAPE', `scores: expected a non-empty matrix, got ${shapeText(tokens, experts)}`)
  }
  const k = whole('k', options.k, Math.min(2, experts), 1)
  if (k > experts) throw new ExtremaError('ERR_OPTION', `k: expected at most ${experts} (the experts), got ${k}`)
  const partial = flag('partial', options.partial, false)
  // Borrowed where it is large, as everywhere; float32 scores become float64 once.
  const scores = copyIfSmallFloat64(data)
  return { tokens, experts, k, scores, capacity: readCapacity(options, tokens, experts, k), partial }
}

/** The pass over all scores that only a running solve may take its time for. */
export function* checkFinite(
  { scores, experts }: RouteProblem,
  monitor: { due(): boolean },
): Generator<void, void, void> {
  for (let i = 0; i < scores.length; i++) {
    if (!Number.isFinite(scores[i])) {
      const where = `scores[${Math.floor(i / experts)}][${i % experts}]`
      throw new ExtremaError('ERR_NOT_FINITE', `${where}: expected a finite number, got ${scores[i]}`)
    }
    if (i % 2 ** 16 === 0 && monitor.due()) yield
  }
}
