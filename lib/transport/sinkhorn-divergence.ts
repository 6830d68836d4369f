import { kernels } from '../backend/index.js'
import { type Control, type Kernels, reportLength } from '../backend/kernels.js'
import type { MatrixLike, NdArray, VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, flag, type SolverOptions } from '../core/options.js'
import type { Solution, Status } from '../core/solution.js'
import { type CheckedOptions, checkOptions, startPotential } from './options.js'
import { checkKept, PlanView, type TransportPlan } from './plan-view.js'
import { type CheckedProblem, checkProblem, type PointMetric, pointCloud, type TransportProblem } from './problem.js'
import { call, type Program, runProgram, runProgramSync } from './program.js'
import { solverFields } from './report.js'
import { expand, fillMissing, missingPotentials, withoutMass } from './solve.js'
import { centered, pointGradients } from './value-gradient.js'

/** Two weighted point clouds, or the three cost matrices of two weighted sets. */
export type DivergenceProblem = PointDivergenceProblem | MatrixDivergenceProblem

export interface PointDivergenceProblem {
  /** n × d and m × d points. */
  x: MatrixLike
  y: MatrixLike
  /** As that of {@link pointCloud}. Default `'sqeuclidean'`. */
  cost?: PointMetric
  /** Weights of x, >= 0. Default: 1/n each. */
  a?: VectorLike
  /** Weights of y, >= 0, with the same total (to 1e-6 relative). Default: 1/m each. */
  b?: VectorLike
}

export interface MatrixDivergenceProblem {
  /** n × m costs between both sets. */
  xy: MatrixLike
  /** n × n and m × m costs within each, symmetric. */
  xx: MatrixLike
  yy: MatrixLike
  a?: VectorLike
  b?: VectorLike
}

export interface DivergencePotentials {
  xy: { f: VectorLike; g: VectorLike }
  xx: VectorLike
  yy: VectorLike
}

export interface SinkhornDivergenceOptions extends SolverOptions {
  /** Strength of the entropic term, in units of the cost. */
  epsilon: number
  /** On the L1 marginal error of each of the three plans relative to the total mass. Default 1e-9. */
  tolerance?: number
  /** Also the derivatives of the value. Default false. */
  gradient?: boolean
  /** Where to start from, as in `solution.potentials`. */
  warmStart?: DivergencePotentials
}

export interface DivergenceGradient {
  /** n and m: with respect to the weights, as far as they keep their total: the mean is zero. */
  a: Float64Array
  b: Float64Array
  /** n × d and m × d, for points. With respect to cost matrices: `plans.xy`, and -1/2 of `plans.xx` and `plans.yy`. */
  x?: NdArray
  y?: NdArray
}

export interface SinkhornDivergence extends Solution {
  /** OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2. Never negative between points. */
  value: number
  /** OT(a, b), OT(a, a), OT(b, b): min <C,P> + epsilon KL(P | a bᵀ / sum a). */
  parts: { xy: number; xx: number; yy: number }
  /** P_ij = exp((f_i + g_j - C_ij) / epsilon) of each, f = g in the symmetric ones. */
  potentials: { xy: { f: Float64Array; g: Float64Array }; xx: Float64Array; yy: Float64Array }
  /** The three plans, behind functions. */
  plans: { xy: TransportPlan; xx: TransportPlan; yy: TransportPlan }
  /** With `gradient: true`. */
  gradient?: DivergenceGradient
}

const defaultIterations = 500
const divergenceNames: ReadonlySet<string> = new Set([
  'epsilon',
  'tolerance',
  'gradient',
  'maxIterations',
  'timeLimit',
  'threads',
  'signal',
  'onProgress',
  'backend',
  'warmStart',
])
const startNames: ReadonlySet<string> = new Set(['xy', 'xx', 'yy'])
const pointNames: ReadonlySet<string> = new Set(['x', 'y', 'cost', 'a', 'b'])
const matrixNames: ReadonlySet<string> = new Set(['xy', 'xx', 'yy', 'a', 'b'])

/**
 * The Sinkhorn divergence of two weighted sets: entropic transport cost without its bias, OT(a, b) - OT(a, a) / 2 -
 * OT(b, b) / 2, which is zero for equal sets and positive otherwise, is differentiable everywhere, and lies between the
 * energy distance (large epsilon) and unregularised transport (small epsilon). For points nothing of size n × m is stored.
 *
 * OT(a, b) is solved as by {@link sinkhornNewtonSparse}; the symmetric ones by averaged updates f <- f + omega (T f - f), at
 * most a few dozen passes at any epsilon. `residual` is the largest of the three marginal errors, `iterations` their sum,
 * and `status` the worst. `maxIterations` (default 500) holds for each.
 *
 * @throws {ExtremaError} as {@link sinkhorn}; `ERR_SHAPE` for `xx` and `yy` that are not symmetric.
 *
 * Source: Feydy, Séjourné, Vialard, Amari, Trouvé, Peyré 2019, "Interpolating between Optimal Transport and MMD using
 * Sinkhorn Divergences" (arXiv 1810.08278).
 */
export async function sinkhornDivergence(
  problem: DivergenceProblem,
  options: SinkhornDivergenceOptions,
): Promise<SinkhornDivergence> {
  const checked = check(options)
  return runProgram(program(problem, checked), checked.control)
}

/** {@link sinkhornDivergence} on the calling thread. */
export function sinkhornDivergenceSync(
  problem: DivergenceProblem,
  options: SinkhornDivergenceOptions,
): SinkhornDivergence {
  const checked = check(options)
  return runProgramSync(program(problem, checked), checked.control)
}

interface Checked {
  common: CheckedOptions
  gradient: boolean
  start: DivergencePotentials | undefined
  control: Control
}

function check(options: SinkhornDivergenceOptions): Checked {
  const start = options?.warmStart
  let given = options
  if (start !== undefined) {
    if (typeof start !== 'object' || start === null) {
      throw new ExtremaError('ERR_OPTION', `warmStart: expected { xy, xx, yy }, got ${describe(start)}`)
    }
    checkNames('warmStart', start, startNames)
    given = { ...options, warmStart: start.xy } as unknown as SinkhornDivergenceOptions
  }
  const common = checkOptions(
    given as unknown as Parameters<typeof checkOptions>[0],
    divergenceNames,
    defaultIterations,
  )
  return { common, gradient: flag('gradient', options.gradient, false), start, control: common.control }
}

/** The three problems. */
interface Three {
  xy: CheckedProblem
  xx: CheckedProblem
  yy: CheckedProblem
}

function checkThree(problem: DivergenceProblem): Three {
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { x, y } or { xy, xx, yy }, got ${describe(problem)}`)
  }
  const costs = 'x' in problem || 'y' in problem ? pointCosts(problem as PointDivergenceProblem) : matrixCosts(problem)
  const { a, b } = problem
  const xy = checkNamed('xy', { cost: costs.xy, a, b })
  // The same weights again, b with the total of a.
  const xx = checkNamed('xx', { cost: costs.xx, a: xy.full.a, b: xy.full.a })
  const yy = checkNamed('yy', { cost: costs.yy, a: xy.full.b, b: xy.full.b })
  return { xy, xx, yy }
}

function pointCosts({ x, y, cost, ...rest }: PointDivergenceProblem) {
  checkNames('problem', { x, y, cost, ...rest }, pointNames)
  const options = cost === undefined ? {} : { cost }
  return { xy: pointCloud(x, y, options), xx: pointCloud(x, x, options), yy: pointCloud(y, y, options) }
}

function matrixCosts(problem: DivergenceProblem) {
  checkNames('problem', problem, matrixNames)
  const { xy, xx, yy } = problem as MatrixDivergenceProblem
  return { xy, xx, yy }
}

/** Errors about a cost name the one that is meant. */
function checkNamed(name: 'xy' | 'xx' | 'yy', problem: TransportProblem): CheckedProblem {
  try {
    const checked = checkProblem(problem, true)
    if (name !== 'xy' && checked.n !== checked.m) {
      throw new ExtremaError('ERR_SHAPE', `cost: expected a square matrix, got ${checked.n}×${checked.m}`)
    }
    return checked
  } catch (error) {
    if (!(error instanceof ExtremaError) || !error.message.startsWith('cost')) throw error
    throw new ExtremaError(error.code, error.message.replace(/^cost/, name), { cause: error })
  }
}

interface Part {
  f: Float64Array
  g: Float64Array
  report: Float64Array
  view: PlanView
}

function* program(problem: DivergenceProblem, { common, gradient, start }: Checked): Program<SinkhornDivergence> {
  const begin = performance.now()
  common.control.signal?.throwIfAborted()
  const three = checkThree(problem)
  const chosen = kernels(common.backend)
  const xy = yield* solveCross(three.xy, common, chosen)
  const xx = yield* solveSymmetric('xx', three.xx, common, start?.xx, chosen)
  const yy = yield* solveSymmetric('yy', three.yy, common, start?.yy, chosen)
  const reports = [xy, xx, yy].map(({ report }) => solverFields(report, false, null))
  const [cross, first, second] = reports.map(({ regularizedValue }) => regularizedValue)
  const raw = cross - (first + second) / 2
  const { epsilon } = common.settings
  const part = (value: number, { full }: CheckedProblem) => value - epsilon * referencePart(full.a, full.b)
  return {
    status: worst(reports.map(({ status }) => status)),
    iterations: reports.reduce((sum, { iterations }) => sum + iterations, 0),
    residual: Math.max(...reports.map(({ residual }) => residual)),
    // The theorem says so of these kernels: less than nothing is rounding, or an error within the tolerance.
    value: 'x' in problem ? Math.max(0, raw) : raw,
    parts: { xy: part(cross, three.xy), xx: part(first, three.xx), yy: part(second, three.yy) },
    potentials: { xy: { f: xy.f, g: xy.g }, xx: xx.f, yy: yy.f },
    plans: { xy: xy.view, xx: xx.view, yy: yy.view },
    ...(gradient ? { gradient: yield* gradients(three, { xy, xx, yy }, common, chosen) } : {}),
    elapsed: performance.now() - begin,
    backend: chosen.name,
  }
}

/** sum P (log P - 1) less KL(P | a bᵀ / M) for any P with these marginals of total M. */
function referencePart(a: Float64Array, b: Float64Array): number {
  const mass = a.reduce((sum, w) => sum + w, 0)
  const log = (weights: Float64Array) => weights.reduce((sum, w) => sum + (w === 0 ? 0 : w * Math.log(w / mass)), 0)
  return log(a) + log(b) + mass * Math.log(mass) - mass
}

function worst(all: Status[]): Status {
  return all.find((status) => status !== 'converged') ?? 'converged'
}

function planOf({ full, rows, columns }: CheckedProblem, f: Float64Array, g: Float64Array, common: CheckedOptions) {
  const { epsilon, threads } = common.settings
  return {
    cost: full,
    epsilon,
    threads,
    f: withoutMass(f, full.a, rows),
    g: withoutMass(g, full.b, columns),
  }
}

function* solveCross(problem: CheckedProblem, common: CheckedOptions, chosen: Kernels): Program<Part> {
  const { settings, warmStart } = common
  const job = {
    problem: problem.reduced,
    settings: { ...settings, certificate: false },
    f: startPotential('f', warmStart, problem.n, problem.rows),
    g: startPotential('g', warmStart, problem.m, problem.columns),
    report: new Float64Array(reportLength),
    history: null,
  }
  yield call(chosen.transport.sinkhornNewtonSparse, job)
  return yield* finishPart('xy', problem, job.f, job.g, job.report, common, chosen)
}

function* solveSymmetric(
  name: 'xx' | 'yy',
  problem: CheckedProblem,
  common: CheckedOptions,
  given: VectorLike | undefined,
  chosen: Kernels,
): Program<Part> {
  const { epsilon, tolerance, maxIterations, threads } = common.settings
  const start = given === undefined ? undefined : { f: given, g: given }
  const { reduced } = problem
  const job = {
    cost: reduced,
    a: reduced.a,
    epsilon,
    tolerance,
    maxIterations,
    threads,
    name,
    f: startPotential('f', start, problem.n, problem.rows),
    report: new Float64Array(reportLength),
  }
  yield call(chosen.transport.symmetric, job)
  return yield* finishPart(name, problem, job.f, job.f.slice(), job.report, common, chosen)
}

function* finishPart(
  name: string,
  problem: CheckedProblem,
  reducedF: Float64Array,
  reducedG: Float64Array,
  report: Float64Array,
  common: CheckedOptions,
  chosen: Kernels,
): Program<Part> {
  checkKept(problem.full, `${name}.`)
  const { f, g } = expand(problem, reducedF, reducedG)
  for (const transform of missingPotentials(problem, f, g, common.settings.threads)) {
    yield call(chosen.transport.transform, transform)
    fillMissing(transform, f, g)
  }
  return { f, g, report, view: new PlanView(planOf(problem, f, g, common), chosen.name) }
}

function* gradients(
  three: Three,
  { xy, xx, yy }: Record<keyof Three, Part>,
  common: CheckedOptions,
  chosen: Kernels,
): Program<DivergenceGradient> {
  const a = yield* debiased(three.xy, xy, three.xx, xx, false, common, chosen)
  const b = yield* debiased(three.xy, xy, three.yy, yy, true, common, chosen)
  const sources = [
    [three.xy, xy],
    [three.xx, xx],
    [three.yy, yy],
  ] as const
  const { threads } = common.settings
  const [cross, first, second] = sources.map(([problem, { f, g }]) =>
    pointGradients({ plan: planOf(problem, f, g, common), backend: chosen.name }, threads),
  )
  if (cross === null || first === null || second === null) return { a, b }
  for (const { call } of [cross.x, cross.y, first.x, second.x]) yield call
  // Half the derivative of OT(a, a), by either of its two arguments alike.
  return { a, b, x: less(cross.x.out, first.x.out), y: less(cross.y.out, second.x.out) }
}

function less(minuend: NdArray, subtrahend: NdArray): NdArray {
  return { data: minuend.data.map((value, k) => value - subtrahend.data[k]), shape: minuend.shape }
}

/**
 * The derivative with respect to the weights of one side: the potential of OT(a, b) less that of OT(a, a). A node without
 * weight has no potential of the plan; the differences there are those of its update.
 */
function* debiased(
  cross: CheckedProblem,
  crossPart: Part,
  own: CheckedProblem,
  ownPart: Part,
  columns: boolean,
  common: CheckedOptions,
  chosen: Kernels,
): Program<Float64Array> {
  const { epsilon, threads } = common.settings
  const potential = columns ? crossPart.g : crossPart.f
  const weights = columns ? cross.full.b : cross.full.a
  const out = potential.map((value, i) => value - ownPart.f[i])
  if (weights.every((weight) => weight > 0)) return centered(out)
  const plan = planOf(cross, crossPart.f, crossPart.g, common)
  const ownPlan = planOf(own, ownPart.f, ownPart.g, common)
  const update = (cost: CheckedProblem['full'], transpose: boolean, from: Float64Array) => ({
    cost,
    epsilon,
    threads,
    transpose,
    potential: from,
    out: new Float64Array(out.length),
  })
  const first = update(cross.full, columns, columns ? plan.f : plan.g)
  const second = update(own.full, false, ownPlan.f)
  yield call(chosen.transport.softTransform, first)
  yield call(chosen.transport.softTransform, second)
  for (let i = 0; i < out.length; i++) if (weights[i] === 0) out[i] = first.out[i] - second.out[i]
  return centered(out)
}
