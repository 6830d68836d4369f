import { kernels } from '../backend/index.js'
import type { TransportProblemData } from '../backend/kernels.js'
import { checkRunOptions, type RunOptions, runNames } from '../backend/options.js'
import type { PlanWeight } from '../backend/transport-derivatives.js'
import { type MatrixLike, type NdArray, shapeText, toDenseMatrix } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, nonNegative, type SolverOptions, whole } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import type { PartialSolution } from './partial-entropic.js'
import { type PlanSource, PlanView } from './plan-view.js'
import { call, type Program, runProgram, runProgramSync } from './program.js'
import type { TransportSolution } from './solution.js'
import type { TransportResult } from './transport.js'
import type { UnbalancedSolution } from './unbalanced.js'
import { centered, pointGradients } from './value-gradient.js'

/** dl/dP: an n × m matrix, or left · rightᵀ with n × k and m × k factors, so that nothing has n × m numbers. */
export type PlanCotangent = MatrixLike | { left: MatrixLike; right: MatrixLike }

export interface PlanVjpOptions extends Omit<SolverOptions, 'backend'> {
  /** Stop when the residual of the linear system is at most that part of its right hand side (L1 norms). Default 1e-10. */
  tolerance?: number
}

/** Derivatives of l(P) with respect to what the plan was solved from. */
export interface PlanVjp extends Solution {
  /** n: with respect to the weights of the sources; less its mean where both marginals are kept. */
  a: Float64Array
  /** m: the same of the targets. */
  b: Float64Array
  /** With respect to `mass`, of a partial solution. */
  mass?: number
  /** n × m, unless the cost is between points: with respect to the costs. */
  cost?: NdArray
  /** n × d, for points: with respect to the source points. */
  x?: NdArray
  /** m × d, for points: with respect to the target points. */
  y?: NdArray
}

type AnySolution = TransportSolution | TransportResult | UnbalancedSolution | PartialSolution

const defaultIterations = 10_000
const vjpNames: ReadonlySet<string> = new Set([
  'tolerance',
  'maxIterations',
  ...runNames.filter((name) => name !== 'backend'),
])
const factorNames: ReadonlySet<string> = new Set(['left', 'right'])

/**
 * The derivative of a function l of an entropic plan P, given G = dl/dP, with respect to costs, points and weights: the
 * vector-Jacobian product of the plan, by the implicit function theorem. One linear system of size n + m,
 * [diag(P1), P; Pᵀ, diag(Pᵀ1)] (u, v) = ((G∘P)1, (G∘P)ᵀ1), is solved by preconditioned conjugate gradients on its Schur
 * complement, with P by its entries where few count and formed on the fly otherwise; then dl/dC = P∘(u⊕v - G) / epsilon,
 * dl/da = u, dl/db = v. Nothing is unrolled, and the solver that found P does not matter; but P has to be converged.
 *
 * A function of the plan applied to vectors, such as the barycentric projection, has a G of low rank: pass its factors, and
 * points stay without n × m numbers. `maxIterations` (default 10,000) counts conjugate gradients; at small epsilon, where
 * the plan falls into parts that hardly touch, the system is nearly singular and so is the derivative.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_OPTION` (also for unbalanced plans under a penalty other than `'kl'`); the reason of `signal` when aborted.
 *
 * Source: Luise, Rudi, Pontil, Ciliberto 2018 (arXiv 1805.11897); Cuturi, Teboul, Niles-Weed, Vert 2020 (arXiv 2002.03229).
 */
export async function planVjp(
  solution: AnySolution,
  cotangent: PlanCotangent,
  options: PlanVjpOptions = {},
): Promise<PlanVjp> {
  const checked = check(options)
  return runProgram(program(solution, cotangent, checked), checked.control)
}

/** {@link planVjp} on the calling thread. */
export function planVjpSync(solution: AnySolution, cotangent: PlanCotangent, options: PlanVjpOptions = {}): PlanVjp {
  const checked = check(options)
  return runProgramSync(program(solution, cotangent, checked), checked.control)
}

interface Checked extends RunOptions {
  tolerance: number
  maxIterations: number
}

function check(options: PlanVjpOptions): Checked {
  return {
    ...checkRunOptions(options, vjpNames),
    tolerance: nonNegative('tolerance', options.tolerance, 1e-10),
    maxIterations: whole('maxIterations', options.maxIterations, defaultIterations, 1),
  }
}

function* program(
  solution: AnySolution,
  cotangent: PlanCotangent,
  { control, threads, tolerance, maxIterations }: Checked,
): Program<PlanVjp> {
  const start = performance.now()
  const source = PlanView.sourceOf('solution', solution)
  control.signal?.throwIfAborted()
  checkSmooth(source)
  const { plan, backend } = source
  const { cost, epsilon } = plan
  const { n, m } = cost
  const weight = readCotangent(cotangent, n, m)
  const { problem, f, g } = bordered(source)
  const [bendA, bendB] = bends(source, problem)
  const costGradient = cost.metric === 'dense' ? new Float64Array(n * m) : null
  const job = {
    problem,
    epsilon,
    threads,
    f,
    g,
    tolerance,
    maxIterations,
    bendA,
    bendB,
    weight: padded(weight, problem),
    u: new Float64Array(problem.n),
    v: new Float64Array(problem.m),
    costGradient,
    report: new Float64Array(3),
  }
  yield call(kernels(backend).transport.planVjp, job)
  const alpha = job.u.subarray(0, n)
  const beta = job.v.subarray(0, m)
  const transposed = turned(weight, n, m)
  const points = pointGradients(source, threads, { alpha: alpha.slice(), beta: beta.slice(), weight, transposed })
  if (points !== null) {
    yield points.x.call
    yield points.y.call
  }
  const [status, iterations, residual] = job.report
  return {
    ...weightDerivatives(source, job.u, job.v),
    ...(costGradient === null ? {} : { cost: { data: costGradient, shape: [n, m] } }),
    ...(points === null ? {} : { x: points.x.out, y: points.y.out }),
    status: statuses[status],
    iterations,
    residual,
    elapsed: performance.now() - start,
    backend,
  }
}

function readCotangent(cotangent: PlanCotangent, n: number, m: number): PlanWeight {
  if (isFactored(cotangent)) {
    checkNames('cotangent', cotangent, factorNames)
    const left = toDenseMatrix('cotangent.left', cotangent.left)
    const right = toDenseMatrix('cotangent.right', cotangent.right)
    if (left.rows !== n || right.rows !== m || left.columns !== right.columns || left.columns === 0) {
      throw new ExtremaError(
        'ERR_SHAPE',
        `cotangent: expected factors of shapes ${n}×k and ${m}×k, got ${shapeText(left.rows, left.columns)} and ${shapeText(right.rows, right.columns)}`,
      )
    }
    return {
      dense: null,
      left: finite('cotangent.left', left.data, left.columns),
      right: finite('cotangent.right', right.data, right.columns),
      rank: left.columns,
    }
  }
  const { data, rows, columns } = toDenseMatrix('cotangent', cotangent)
  if (rows !== n || columns !== m) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `cotangent: expected a ${shapeText(n, m)} matrix to match the plan, got ${shapeText(rows, columns)}`,
    )
  }
  return { dense: finite('cotangent', data, columns), left: null, right: null, rank: 0 }
}

function isFactored(cotangent: PlanCotangent): cotangent is { left: MatrixLike; right: MatrixLike } {
  return typeof cotangent === 'object' && cotangent !== null && ('left' in cotangent || 'right' in cotangent)
}

/** The numbers in float64, all of them finite. */
function finite(name: string, data: Float64Array | Float32Array, columns: number): Float64Array {
  for (let k = 0; k < data.length; k++) {
    if (Number.isFinite(data[k])) continue
    const where = `${name}[${Math.floor(k / columns)}][${k % columns}]`
    throw new ExtremaError('ERR_NOT_FINITE', `${where}: expected a finite number, got ${describe(data[k])}`)
  }
  return data instanceof Float64Array ? data : Float64Array.from(data)
}

function turned({ dense, left, right, rank }: PlanWeight, n: number, m: number): PlanWeight {
  if (dense === null) return { dense, left: right, right: left, rank }
  const out = new Float64Array(n * m)
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j * n + i] = dense[i * m + j]
  return { dense: out, left, right, rank }
}

/** The problem whose plan is P, with the border that partial transport has. */
function bordered({ plan, rule }: PlanSource): { problem: TransportProblemData; f: Float64Array; g: Float64Array } {
  const { cost, f, g } = plan
  if (rule.kind !== 'partial') return { problem: cost, f, g }
  const { border, price } = rule
  const a = border.row ? extended(cost.a, 0) : cost.a
  const b = border.column ? extended(cost.b, 0) : cost.b
  return {
    problem: { ...cost, n: a.length, m: b.length, a, b, border },
    f: border.row ? extended(f, -price) : f,
    g: border.column ? extended(g, 0) : g,
  }
}

function extended(values: Float64Array, last: number): Float64Array {
  const out = new Float64Array(values.length + 1)
  out.set(values)
  out[values.length] = last
  return out
}

/** Factors with rows of zeros for a border. */
function padded({ dense, left, right, rank }: PlanWeight, { n, m }: TransportProblemData): PlanWeight {
  const pad = (factor: Float64Array | null, rows: number) => {
    if (factor === null || factor.length === rows * rank) return factor
    const out = new Float64Array(rows * rank)
    out.set(factor)
    return out
  }
  return { dense, left: pad(left, n), right: pad(right, m), rank }
}

/** Plans under total variation or least squares have no derivative where a penalty has a kink. */
function checkSmooth({ rule }: PlanSource): void {
  if (rule.kind !== 'relaxed' || rule.relaxation.divergence === 'kl') return
  throw new ExtremaError(
    'ERR_OPTION',
    `solution: expected kept marginals or the penalty 'kl', got one of the penalty '${rule.relaxation.divergence}'`,
  )
}

/** What relaxed marginals add to the diagonals: epsilon / rho times what the potentials ask for. */
function bends({ plan, rule }: PlanSource, { n, m }: TransportProblemData): [Float64Array, Float64Array] {
  if (rule.kind !== 'relaxed') return [new Float64Array(n), new Float64Array(m)]
  const { relaxation, potentials } = rule
  const { a, b } = plan.cost
  const bend = (weights: Float64Array, potential: Float64Array, penalty: number) =>
    weights.map((w, i) => (w === 0 ? 0 : (plan.epsilon / penalty) * w * Math.exp(-potential[i] / penalty)))
  return [bend(a, potentials.f, relaxation.penaltyA), bend(b, potentials.g, relaxation.penaltyB)]
}

function weightDerivatives({ plan, rule }: PlanSource, u: Float64Array, v: Float64Array) {
  const { cost, epsilon } = plan
  const { n, m } = cost
  if (rule.kind === 'kept') return { a: centered(u), b: centered(v) }
  if (rule.kind === 'partial') {
    // What stays is among the weights of the border: sum b - mass and sum a - mass.
    const row = rule.border.row ? u[n] : 0
    const column = rule.border.column ? v[m] : 0
    const a = u.slice(0, n).map((value) => value + column)
    const b = v.slice(0, m).map((value) => value + row)
    return { a, b, mass: -row - column }
  }
  const { penaltyA, penaltyB, productReference } = rule.relaxation
  const own = (values: Float64Array, weights: Float64Array, potential: Float64Array, penalty: number) => {
    if (penalty === Number.POSITIVE_INFINITY) return values.slice()
    const power = productReference ? 1 + epsilon / penalty : 1
    return values.map((value, i) => (weights[i] === 0 ? 0 : value * power * Math.exp(-potential[i] / penalty)))
  }
  const { f, g } = rule.potentials
  return { a: own(u, cost.a, f, penaltyA), b: own(v, cost.b, g, penaltyB) }
}
