import { kernels } from '../backend/index.js'
import type { TransportProblemData } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { PlanWeight } from '../backend/transport-derivatives.js'
import type { MarginalDivergence } from '../backend/transport-relaxed.js'
import type { NdArray } from '../core/arrays.js'
import type { SolverOptions } from '../core/options.js'
import type { PartialSolution } from './partial-entropic.js'
import { type PlanSource, PlanView } from './plan-view.js'
import { call, type KernelCall, type Program, runProgram, runProgramSync } from './program.js'
import type { TransportSolution } from './solution.js'
import { total } from './sparse-plan.js'
import type { TransportResult } from './transport.js'
import type { UnbalancedSolution } from './unbalanced.js'

export type GradientOptions = Pick<SolverOptions, 'threads' | 'signal'>

/** Derivatives of `regularizedValue`. That with respect to the cost C is the plan: `solution.plan()`. */
export interface ValueGradient {
  /** n: with respect to the weights of the sources; less its mean where both marginals are kept. */
  a: Float64Array
  /** m: the same of the targets. */
  b: Float64Array
  /** With respect to `mass`, of a partial solution. */
  mass?: number
  /** n × d, for points: with respect to the source points. */
  x?: NdArray
  /** m × d, for points: with respect to the target points. */
  y?: NdArray
}

const gradientNames: ReadonlySet<string> = new Set(['threads', 'signal'])

/**
 * The gradient of a solution's `regularizedValue`, by the envelope theorem: f and g for the weights, P for the costs, and for
 * points the chain rule through the cost, sum_j P_ij dC_ij/dx_i, in one pass each that never forms P: 2 (diag(P1) X - P Y)
 * for squared Euclidean distances. As exact as the solution is converged.
 *
 * With kept marginals weights can only move together: a and b are centred. At nodes without weight they are those of
 * `solution.potentials`; where marginals are relaxed such nodes stay out, and count as 0. Where a distance is zero, Euclidean and city-block costs have no derivative, and count as 0.
 */
export async function valueGradient(
  solution: TransportSolution | TransportResult | UnbalancedSolution | PartialSolution,
  options: GradientOptions = {},
): Promise<ValueGradient> {
  const { threads, control } = checkRunOptions(options, gradientNames)
  return runProgram(program(solution, threads, control.signal), control)
}

/** {@link valueGradient} on the calling thread. */
export function valueGradientSync(
  solution: TransportSolution | TransportResult | UnbalancedSolution | PartialSolution,
  options: GradientOptions = {},
): ValueGradient {
  const { threads, control } = checkRunOptions(options, gradientNames)
  return runProgramSync(program(solution, threads, control.signal), control)
}

function* program(
  solution: TransportSolution | TransportResult | UnbalancedSolution | PartialSolution,
  threads: number,
  signal: AbortSignal | undefined,
): Program<ValueGradient> {
  const source = PlanView.sourceOf('solution', solution)
  signal?.throwIfAborted()
  const gradient = weightGradient(solution, source)
  const points = pointGradients(source, threads)
  if (points === null) return gradient
  yield points.x.call
  yield points.y.call
  return { ...gradient, x: points.x.out, y: points.y.out }
}

function weightGradient(
  solution: TransportSolution | TransportResult | UnbalancedSolution | PartialSolution,
  { plan, rule }: PlanSource,
): ValueGradient {
  const { f, g } = solution.potentials
  if (rule.kind === 'partial') return { a: f.slice(), b: g.slice(), mass: rule.price }
  if (rule.kind === 'kept') return { a: centered(f), b: centered(g) }
  const { divergence, penaltyA, penaltyB, productReference } = rule.relaxation
  const { a, b } = plan.cost
  const { marginals } = solution as UnbalancedSolution
  const own = (weights: Float64Array, potential: Float64Array, penalty: number, sums: Float64Array, other: number) =>
    potential.map((value, i) => {
      if (weights[i] === 0) return 0
      // That of the dual's own term; and the part of epsilon KL(P | a bᵀ).
      const slope = penalty < Number.POSITIVE_INFINITY ? weightSlope(divergence, penalty, weights[i], value) : value
      if (!productReference) return slope
      return slope + plan.epsilon * (other - sums[i] / weights[i])
    })
  return {
    a: own(a, f, penaltyA, marginals.a, total(b)),
    b: own(b, g, penaltyB, marginals.b, total(a)),
  }
}

/** The derivative in w of min over p >= 0 of the penalty of p against w, and f p. */
function weightSlope(divergence: MarginalDivergence, rho: number, w: number, f: number): number {
  if (divergence === 'tv') return Math.min(f, rho)
  if (divergence === 'l2') return Math.min(f, rho * w)
  return -rho * Math.expm1(-f / rho)
}

export function centered(values: Float64Array): Float64Array {
  const mean = total(values) / values.length
  return values.map((value) => value - mean)
}

const noWeight: PlanWeight = { dense: null, left: null, right: null, rank: 0 }

/** What makes W = P ∘ (alpha + beta - G) / epsilon of the plan P. */
export interface Weighting {
  alpha: Float64Array
  beta: Float64Array
  /** G, and its transpose. */
  weight: PlanWeight
  transposed: PlanWeight
}

export interface PointGradient {
  call: KernelCall
  out: NdArray
}

/** sum_j W_ij dC_ij/dx_i and the same for y_j, with W = P unless weighted; null unless the cost is between points. */
export function pointGradients(
  { plan, backend }: Pick<PlanSource, 'plan' | 'backend'>,
  threads: number,
  weighting?: Weighting,
): { x: PointGradient; y: PointGradient } | null {
  const { cost, epsilon, f, g } = plan
  if (cost.y === null) return null
  const kernel = kernels(backend).transport.pointGradient
  const { n, m, d } = cost
  const x = new Float64Array(n * d)
  const y = new Float64Array(m * d)
  const { alpha = null, beta = null, weight = noWeight, transposed = noWeight } = weighting ?? {}
  const turned: TransportProblemData = { ...cost, n: m, m: n, x: cost.y, y: cost.x, a: cost.b, b: cost.a }
  return {
    x: {
      call: call(kernel, { cost, epsilon, threads, f, g, alpha, beta, weight, out: x }),
      out: { data: x, shape: [n, d] },
    },
    y: {
      call: call(kernel, {
        cost: turned,
        epsilon,
        threads,
        f: g,
        g: f,
        alpha: beta,
        beta: alpha,
        weight: transposed,
        out: y,
      }),
      out: { data: y, shape: [m, d] },
    },
  }
}
