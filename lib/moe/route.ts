import { kernels } from '../backend/index.js'
import type { Kernels } from '../backend/kernels.js'
import { type RouteJob, routeField, routeReportLength } from '../backend/moe.js'
import { checkBuffer, type MatrixLike } from '../core/arrays.js'
import { type Solution, type Status, statuses } from '../core/solution.js'
import { totalOf } from './capacity.js'
import { baselines } from './routing/baselines.js'
import { type CheckedRoute, checkFinite, checkRoute, type RouteOptions, type RouteProblem } from './routing/problem.js'
import { repair } from './routing/repair.js'
import { Routing } from './routing/routing.js'
import { balanced } from './routing/sinkhorn.js'
import { transported } from './routing/sparse-transport.js'
import { type RouteSummary, summarize } from './routing/summary.js'
import { inKernel, inSteps, runStages, runStagesSync, type Stages } from './stages.js'

export type { RouteMethod, RouteOptions } from './routing/problem.js'

export interface RouteSolution extends Solution, RouteSummary {
  /** What each expert could take. */
  capacity: Int32Array
  /**
   * No routing within the capacities is worth more, given that every token takes k experts, or at most k if `partial` or
   * where this routing left some out. `'topk'` has its own value here, as it keeps to no capacities, and `'expert-choice'`
   * may exceed the bound, as it gives tokens more than k.
   */
  bound?: number
  /** bound - value. */
  gap?: number
  /**
   * Prices >= 0 of the experts that prove the bound; routing by score minus price balances the load. `'sinkhorn'`: what is
   * taken off the scores, its potentials with the least at 0.
   */
  prices?: Float64Array
}

/**
 * Routes T tokens to k of E experts each so that the sum of the router's scores is greatest and no expert gets more than
 * its capacity, with the proof that no routing does better, or by the methods that are usual instead.
 *
 * The problem is a transport with unit arcs: its linear program has whole solutions, and by duality its maximum is the
 * least value of phi(p) = Σ_t (sum of the k greatest s_te - p_e) + Σ_e capacity_e p_e over prices p >= 0. `'exact'` starts from
 * prices found by coordinate descent and moves what is left along shortest paths between experts: T = 8192, E = 64 takes
 * well under 200 ms. `iterations` counts sweeps over the scores, and paths; `residual` is the relative gap (0 with
 * `bound: false`).
 *
 * @param scores T × E, finite: probabilities or logits, whichever are to be summed up
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE` (naming the score), `ERR_OPTION` (k > E), `ERR_INFEASIBLE`
 * (capacities too small for k experts per token, without `partial`), `ERR_BUFFER`; the reason of `signal` when aborted.
 */
export async function route(scores: MatrixLike, options: RouteOptions = {}): Promise<RouteSolution> {
  const start = performance.now()
  const checked = checkRoute(scores, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link route} on the calling thread. */
export function routeSync(scores: MatrixLike, options: RouteOptions = {}): RouteSolution {
  const start = performance.now()
  const checked = checkRoute(scores, options)
  return runStagesSync(solve(checked, start), checked.control)
}

interface Found {
  routing: Routing
  status: Status
  iterations: number
  prices?: Float64Array
  /** The optimum of the relaxed problem, where the method found it. */
  bound?: number
}

function* solve(checked: CheckedRoute, start: number): Stages<RouteSolution> {
  const { problem, method } = checked
  const backend = kernels(checked.backend)
  yield* inSteps((monitor) => checkFinite(problem, monitor))
  const found = yield* routeBy(checked, backend)
  checkBuffer('scores', problem.scores)
  const summary = yield* inSteps((monitor) => summarize(problem, found.routing, monitor))
  if (method === 'topk') found.bound = summary.value
  if (checked.bound && !isBound(found, checked, summary)) {
    const partial = problem.partial || summary.short > 0
    const job = jobOf({ ...problem, partial })
    yield* inKernel(backend.moe.route, job)
    found.bound = job.report[routeField.bound]
    found.prices ??= job.prices
  }
  const solution: RouteSolution = {
    status: found.status,
    iterations: found.iterations,
    residual: 0,
    elapsed: performance.now() - start,
    backend: backend.name,
    ...summary,
    capacity: problem.capacity,
  }
  if (found.prices !== undefined) solution.prices = found.prices
  if (found.bound !== undefined) {
    solution.bound = found.bound
    solution.gap = found.bound - summary.value
    solution.residual = Math.abs(solution.gap) / (Math.abs(found.bound) || 1)
  }
  return solution
}

/** Whether the bound that a method found is the least for what it did. */
function isBound(found: Found, { method, problem }: CheckedRoute, { short }: RouteSummary): boolean {
  if (found.bound === undefined) return false
  return method !== 'dual' || problem.partial || short === 0
}

function jobOf(problem: RouteProblem): RouteJob {
  const { tokens, experts, k } = problem
  return {
    ...problem,
    choices: new Int32Array(tokens * k),
    prices: new Float64Array(experts),
    report: new Float64Array(routeReportLength),
  }
}

function* routeBy(checked: CheckedRoute, backend: Kernels): Stages<Found> {
  const { problem } = checked
  const balances = checked.method === 'sinkhorn' || checked.method === 'sparse-ot'
  // Without any room there is nothing to balance.
  const method = balances && totalOf(problem.capacity) === 0 ? 'topk-drop' : checked.method
  switch (method) {
    case 'exact': {
      const job = jobOf(problem)
      yield* inKernel(backend.moe.route, job)
      return yield* fromKernel(problem, job)
    }
    case 'dual': {
      const job = { ...jobOf(problem), steps: checked.steps, maxIterations: checked.maxIterations }
      yield* inKernel(backend.moe.prices, job)
      return yield* fromKernel(problem, job)
    }
    case 'sinkhorn': {
      const { routing, solution } = yield* balanced(checked)
      const most = solution.potentials.g.reduce((x, y) => Math.max(x, y))
      const prices = solution.potentials.g.map((g) => most - g)
      return { routing, status: solution.status, iterations: solution.iterations, prices }
    }
    case 'sparse-ot': {
      const { routing, solution } = yield* transported(checked)
      return { routing, status: solution.status, iterations: solution.iterations }
    }
    default: {
      const routing = yield* inSteps((monitor) => baselines[method](problem, monitor))
      return { routing, status: 'converged', iterations: 1 }
    }
  }
}

function* fromKernel(problem: RouteProblem, { choices, prices, report }: RouteJob): Stages<Found> {
  const routing = Routing.of(problem, choices)
  yield* inSteps((monitor) => repair(problem, routing, monitor))
  return {
    routing,
    status: statuses[report[routeField.ended]],
    iterations: report[routeField.sweeps] + report[routeField.augmentations],
    prices,
    bound: report[routeField.bound],
  }
}
