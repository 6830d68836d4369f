import type { Control } from '../backend/kernels.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import type { Solution, Status } from '../core/solution.js'
import { emdBatch } from './emd.js'
import { type ExactTransportProblem, isCsr } from './exact-problem.js'
import { inProblem, nameProblem } from './exact-solve.js'
import type { TransportPlan } from './plan-view.js'
import type { TransportProblem } from './problem.js'
import { optionsOf, type Program, runProgram, runProgramSync } from './program.js'
import { sinkhornBatch } from './sinkhorn.js'
import { sinkhornNewtonSparseBatch } from './sinkhorn-newton-sparse.js'
import type { Certificate } from './solution.js'
import { methodsFor, mostSweeps, type Outline, outlineOf } from './transport-choice.js'
import { type AnySolution, entropic, programs } from './transport-methods.js'
import {
  type CheckedTransport,
  checkTransport,
  type TransportMethod,
  type TransportOptions,
} from './transport-options.js'

/** A method that was tried, and how it went. */
export interface TransportAttempt {
  method: TransportMethod
  status: Status
  iterations: number
  residual: number
  /** Milliseconds. */
  elapsed: number
}

/** What every method of {@link transport} returns. */
export interface TransportResult extends Solution, TransportPlan {
  /** The method that found this plan. */
  method: TransportMethod
  /** All that were tried, in order. More than one if the first stalled, and then `note` says so. */
  attempts: TransportAttempt[]
  note?: string
  /** <C, P>: what moving by this plan costs. */
  value: number
  /** Strength of the entropic term in the plan, 0 for an exact one. */
  epsilon: number
  /** <C,P> + epsilon sum P (log P - 1); for an exact plan the same as `value`. */
  regularizedValue: number
  /** Of all n sources and m targets; of an exact plan f_i + g_j <= C_ij, equal where it has mass. */
  potentials: { f: Float64Array; g: Float64Array }
  /** Bounds of unregularised transport; with a `gap` of 0, up to rounding, an exact plan is proved optimal. */
  certificate: Certificate
  /** (|P1 - a|_1 + |Pᵀ1 - b|_1) / sum(a) */
  marginalError: number
  /** Entropic: passes over all n × m exponentials or kernel entries. */
  passes?: number
  /** Of `sinkhornNewtonSparse`: Newton steps among the iterations. */
  newtonIterations?: number
}

/**
 * Optimal transport by the method that suits the problem: min <C,P> over plans P >= 0 with row sums a and column sums b,
 * exact, or with `epsilon` + epsilon sum P (log P - 1).
 *
 * Exact: points of one dimension by sorting, equal weights and n = m up to 700 a side as an assignment, points of few
 * dimensions with unequal weights by `crossover` from 12,000 nodes on, and histograms on one support of 400 nodes or more
 * whose difference is smooth (images, densities), all else by `emd`. With `epsilon`: `sinkhorn` where
 * it is above a thousandth of the range of the costs (half of that if the tolerance is loose), else `sinkhornNewtonSparse`.
 * Should the method stall, or `sinkhorn` not be done in 300 sweeps, another one goes on (`sinkhorn` again if that stalls, too), and `attempts` and `note` tell; `status` is then that of the better.
 * `method` names one instead, and no other is tried.
 *
 * `residual` is the relative gap of the certificate, or with `epsilon` the marginal error.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_MASS`, `ERR_INFEASIBLE`, `ERR_OPTION` (also
 * where a method is named that the problem or another option does not fit), `ERR_BUFFER`, `ERR_MEMORY`; the reason of
 * `signal` when aborted.
 *
 * Source: that of the method.
 */
export async function transport(
  problem: ExactTransportProblem,
  options: TransportOptions = {},
): Promise<TransportResult> {
  const checked = checkTransport(options)
  return runProgram(solve(problem, checked), checked.run.control)
}

/** {@link transport} on the calling thread: for worker threads and very small problems. */
export function transportSync(problem: ExactTransportProblem, options: TransportOptions = {}): TransportResult {
  const checked = checkTransport(options)
  return runProgramSync(solve(problem, checked), checked.run.control)
}

/**
 * {@link transport} on many problems with the same options, by one method that suits them all, side by side, a thread each.
 * The problems are borrowed, not copied: leave them alone until the promise settles. Progress counts finished problems.
 */
export async function transportBatch(
  problems: readonly ExactTransportProblem[],
  options: TransportOptions = {},
): Promise<TransportResult[]> {
  const checked = checkTransport(options)
  const { control } = checked.run
  control.signal?.throwIfAborted()
  if (!Array.isArray(problems)) {
    throw new ExtremaError('ERR_SHAPE', `problems: expected an array of problems, got ${describe(problems)}`)
  }
  if (checked.rest.warmStart !== undefined) {
    throw new ExtremaError(
      'ERR_OPTION',
      `warmStart: expected for single problems only, got a batch of ${problems.length}`,
    )
  }
  if (problems.length === 0) return []
  const begun = performance.now()
  const outlines = problems.map((problem, k) => inProblem(k, () => look(problem, checked)))
  const method = common(
    outlines.map((outline) => methodsFor(outline, checked)[0]),
    checked,
  )
  const batched = await solveBatch(method, outlines, checked)
  const retry = async (outline: Outline, first: AnySolution | null, k: number): Promise<TransportResult> => {
    const methods = methodsFor(outline, checked)
    const order =
      first === null
        ? [method, ...methods.filter((other) => other !== method)]
        : methods.slice(methods.indexOf(method) + 1) // all of them where it is none of these
    const left = { ...control, onProgress: undefined, timeLimit: remaining(control, begun) }
    return runProgram(attempts(outline, order, checked, method, first), left).catch((error) => {
      throw nameProblem(k, error)
    })
  }
  let finished = 0
  const settled = await Promise.allSettled(
    outlines.map(async (outline, k) => {
      const result = await retry(outline, batched?.[k] ?? null, k)
      finished++
      if (batched === null) {
        control.onProgress?.({ iteration: finished, residual: result.residual, elapsed: performance.now() - begun })
      }
      return result
    }),
  )
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}

/** By the batch form of the method; null if it has none. */
async function solveBatch(
  method: TransportMethod,
  outlines: Outline[],
  checked: CheckedTransport,
): Promise<AnySolution[] | null> {
  const problems = outlines.map(({ problem }) => problem as TransportProblem)
  const control = optionsOf(checked.run.control)
  if (method === 'emd') return emdBatch(problems, { ...checked.rest, ...control })
  if (method !== 'sinkhorn' && method !== 'sinkhornNewtonSparse') return null
  const batch = method === 'sinkhorn' ? sinkhornBatch : sinkhornNewtonSparseBatch
  return batch(problems, { ...entropic({ ...checked, rest: firstTry(method, checked) }), ...control })
}

/** The first choice of all problems, or the one that suits any. */
function common(methods: TransportMethod[], { exact }: CheckedTransport): TransportMethod {
  const first = methods[0]
  if (methods.every((method) => method === first)) return first
  return exact ? 'emd' : 'sinkhornNewtonSparse'
}

function look(problem: ExactTransportProblem, { exact }: CheckedTransport): Outline {
  const outline = outlineOf(problem)
  if (!exact && isCsr(outline.problem?.cost)) {
    throw new ExtremaError('ERR_SHAPE', 'cost: expected a matrix or points with epsilon, got a list of arcs')
  }
  return outline
}

function* solve(problem: ExactTransportProblem, checked: CheckedTransport): Program<TransportResult> {
  checked.run.control.signal?.throwIfAborted()
  const outline = look(problem, checked)
  const order = methodsFor(outline, checked)
  return yield* attempts(outline, order, checked, order[0], null)
}

/** Tries one method after the other until one does not stall. `first`: what the method `tried` has found already. */
function* attempts(
  { problem }: Outline,
  order: TransportMethod[],
  checked: CheckedTransport,
  tried: TransportMethod,
  first: AnySolution | null,
): Program<TransportResult> {
  const list: TransportAttempt[] = []
  let best: { method: TransportMethod; solution: AnySolution } | undefined
  const take = (method: TransportMethod, solution: AnySolution) => {
    const { status, iterations, residual, elapsed } = solution
    list.push({ method, status, iterations, residual, elapsed })
    if (best === undefined || residual < best.solution.residual) best = { method, solution }
    return !isStalled(status, checked)
  }
  if (first === null || !take(tried, first)) {
    for (const [k, method] of order.entries()) {
      // Only a method that was cut short has more to say.
      if (list.some((one) => one.method === method && one.status !== 'iteration-limit')) continue
      // What an entropic method has reached is where the other one starts.
      const warmStart = best === undefined || checked.exact ? checked.rest.warmStart : best.solution.potentials
      const rest = {
        ...(k < order.length - 1 ? firstTry(method, checked) : checked.rest),
        ...(warmStart && { warmStart }),
      }
      if (take(method, yield* programs[method](problem, { ...checked, rest }))) break
    }
  }
  return finish(best as NonNullable<typeof best>, list, checked)
}

/** Sinkhorn's iteration has a limit as long as another method can go on from what it has reached. */
function firstTry(method: TransportMethod, { method: wanted, rest }: CheckedTransport): CheckedTransport['rest'] {
  return wanted === 'auto' && method === 'sinkhorn' ? { maxIterations: mostSweeps, ...rest } : rest
}

/** Without an answer for reasons of its own; limits that the caller has set are none. */
function isStalled(status: Status, { rest }: CheckedTransport): boolean {
  return status === 'stalled' || (status === 'iteration-limit' && rest.maxIterations === undefined)
}

function finish(
  { method, solution }: { method: TransportMethod; solution: AnySolution },
  list: TransportAttempt[],
  { exact, epsilon }: CheckedTransport,
): TransportResult {
  const story = list.map((one) => `${one.method}: ${one.status} at a residual of ${one.residual.toPrecision(2)}`)
  return Object.assign(solution, {
    method,
    attempts: list,
    ...(list.length > 1 && { note: story.join('; ') }),
    epsilon: exact ? 0 : (epsilon as number),
    regularizedValue: exact ? solution.value : (solution as { regularizedValue: number }).regularizedValue,
    certificate: solution.certificate as Certificate,
    elapsed: list.reduce((sum, { elapsed }) => sum + elapsed, 0),
  })
}

function remaining({ timeLimit }: Control, begun: number): number {
  return Math.max(timeLimit - (performance.now() - begun), Number.MIN_VALUE)
}
