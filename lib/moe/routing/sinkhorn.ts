import type { Kernel } from '../../backend/kernels.js'
import type { Monitor } from '../../backend/portable/driver.js'
import { sinkhorn, sinkhornSync, type TransportSolution } from '../../transport/index.js'
import { totalOf } from '../capacity.js'
import { inKernel, inSteps, type Stages } from '../stages.js'
import { largest } from '../synthetic-trace.js'
import { limited } from './limited.js'
import type { CheckedRoute, RouteProblem } from './problem.js'
import { Routing } from './routing.js'

/** Marginal error at which the balancing stops: the k best of the balanced scores are taken anyway. */
const tolerance = 1e-3

export interface Balanced {
  routing: Routing
  solution: TransportSolution
}

/**
 * Entropic balancing (Clark et al. 2022, arXiv 2202.01169): transport of the tokens to the experts in proportion to their
 * capacities, whose potentials g are added to the scores; tokens take their k best, in order, while there is room.
 */
export function* balanced(checked: CheckedRoute): Stages<Balanced> {
  const { problem, maxIterations, backend } = checked
  const { tokens, experts, scores, capacity } = problem
  const epsilon = checked.epsilon ?? (yield* inSteps((monitor) => defaultEpsilon(scores, monitor)))
  const room = totalOf(capacity)
  const job = {
    problem: {
      cost: { data: scores.map((score) => -score), shape: [tokens, experts] },
      b: Float64Array.from(capacity, (limit) => limit / room),
    },
    solution: undefined as TransportSolution | undefined,
  }
  const options = { epsilon, maxIterations, tolerance, certificate: false, backend }
  const kernel: Kernel<typeof job> = {
    async run(job, control) {
      job.solution = await sinkhorn(job.problem, { ...options, ...limited(control) })
    },
    runSync(job, control) {
      job.solution = sinkhornSync(job.problem, { ...options, ...limited(control) })
    },
  }
  yield* inKernel(kernel, job)
  const solution = job.solution as TransportSolution
  return { solution, routing: yield* inSteps((monitor) => takeBest(problem, solution.potentials.g, monitor)) }
}

function* defaultEpsilon(scores: Float64Array, monitor: Monitor): Generator<void, number, void> {
  let mean = 0
  let squares = 0
  for (let i = 0; i < scores.length; i++) {
    const change = scores[i] - mean
    mean += change / (i + 1)
    squares += change * (scores[i] - mean)
    if (i % 2 ** 16 === 0 && monitor.due()) yield
  }
  return Math.sqrt(squares / scores.length) || 1
}

function* takeBest(
  { tokens, experts, k, scores, capacity }: RouteProblem,
  bias: Float64Array,
  monitor: Monitor,
): Generator<void, Routing, void> {
  const routing = new Routing({ tokens, experts })
  const row = new Float64Array(experts)
  const best = new Int32Array(k)
  for (let t = 0; t < tokens; t++) {
    for (let e = 0; e < experts; e++) row[e] = scores[t * experts + e] + bias[e]
    largest(row, best)
    for (const e of best) if (routing.load[e] < capacity[e]) routing.add(t, e)
    if (t % 512 === 0 && monitor.due()) yield
  }
  return routing
}
