import type { Kernel } from '../../backend/kernels.js'
import type { Monitor } from '../../backend/portable/driver.js'
import type { Csr } from '../../core/arrays.js'
import { type SparsitySolution, sparsityConstrained, sparsityConstrainedSync } from '../../transport/index.js'
import { totalOf } from '../capacity.js'
import { inKernel, inSteps, type Stages } from '../stages.js'
import { limited } from './limited.js'
import type { CheckedRoute, RouteProblem } from './problem.js'
import { repair } from './repair.js'
import { Routing } from './routing.js'

const tolerance = 1e-6

export interface Transported {
  routing: Routing
  solution: SparsitySolution
}

/**
 * Transport of the tokens to the experts, in proportion to their capacities, by a plan in which no expert has more tokens
 * than its capacity (Liu, Puigcerver, Blondel 2023, arXiv 2209.15466). Each token takes the k experts that have most of it;
 * what is left open is filled.
 */
export function* transported(checked: CheckedRoute): Stages<Transported> {
  const { problem, backend, maxIterations, gamma } = checked
  const { tokens, experts, scores, capacity } = problem
  const room = totalOf(capacity)
  const job = {
    problem: {
      cost: { data: scores.map((score) => -score), shape: [tokens, experts] },
      b: Float64Array.from(capacity, (limit) => limit / room),
    },
    solution: undefined as SparsitySolution | undefined,
  }
  const maxNonzeros = capacity.reduce((most, limit) => Math.max(most, limit), 1)
  const options = { maxNonzeros, maxIterations, tolerance, backend, ...(gamma !== undefined && { gamma }) }
  const kernel: Kernel<typeof job> = {
    async run(job, control) {
      job.solution = await sparsityConstrained(job.problem, { ...options, ...limited(control) })
    },
    runSync(job, control) {
      job.solution = sparsityConstrainedSync(job.problem, { ...options, ...limited(control) })
    },
  }
  yield* inKernel(kernel, job)
  const solution = job.solution as SparsitySolution
  const routing = yield* inSteps((monitor) => largestEntries(problem, solution.sparsePlan(), monitor))
  yield* inSteps((monitor) => repair(problem, routing, monitor))
  return { routing, solution }
}

function* largestEntries(problem: RouteProblem, plan: Csr, monitor: Monitor): Generator<void, Routing, void> {
  const routing = new Routing(problem)
  for (let t = 0; t < problem.tokens; t++) {
    const entries = Array.from({ length: plan.indptr[t + 1] - plan.indptr[t] }, (_, i) => plan.indptr[t] + i)
    entries.sort((a, b) => plan.data[b] - plan.data[a] || plan.indices[a] - plan.indices[b])
    for (const i of entries.slice(0, problem.k)) routing.add(t, plan.indices[i])
    if (t % 512 === 0 && monitor.due()) yield
  }
  return routing
}
