import type { Kernel, SolveSettings, TransportProblemData } from './kernels.js'

/** In the order of the native enumeration. */
export const divergences = ['kl', 'tv', 'l2'] as const
export type MarginalDivergence = (typeof divergences)[number]

/** Marginals relaxed to penalties; Infinity keeps a marginal. */
export interface Relaxation {
  /** What rho multiplies: KL(P1 | a), |P1 - a|_1 or |P1 - a|² / 2. */
  divergence: MarginalDivergence
  /** rho */
  penaltyA: number
  penaltyB: number
  /** The entropic term is epsilon KL(P | a bᵀ), not epsilon sum P (log P - 1). */
  productReference: boolean
}

/** The last row (column) is none of the cost: it takes what stays in partial transport. */
export interface Border {
  row: boolean
  column: boolean
}

export function isRelaxed({ relaxation }: TransportProblemData): boolean {
  return relaxation !== undefined && Math.min(relaxation.penaltyA, relaxation.penaltyB) < Number.POSITIVE_INFINITY
}

export type RelaxedSettings = Pick<SolveSettings, 'epsilon' | 'tolerance' | 'maxIterations' | 'threads' | 'certificate'>

export interface UnbalancedJob {
  problem: TransportProblemData & { relaxation: Relaxation }
  settings: RelaxedSettings
  /** Start and result: P = exp((f + g - C) / epsilon), while the potentials are f + t and g - t. */
  f: Float64Array
  g: Float64Array
  /** P 1 and Pᵀ 1 */
  rowSum: Float64Array
  columnSum: Float64Array
  report: Float64Array
  history: Float64Array | null
}

/** Indices into `UnbalancedJob.report`: those of `reportField`, and the translation t among further ones. */
export const unbalancedField = { dualValue: 11, gap: 12, mass: 13, translation: 14 } as const
export const unbalancedReportLength = 15

export interface PartialJob {
  problem: TransportProblemData
  /** What moves, at most the totals of a and b. */
  mass: number
  settings: RelaxedSettings
  /** Start and result: P = exp((f + g + price - C) / epsilon); exp(f / epsilon) and exp(g / epsilon) stay. */
  f: Float64Array
  g: Float64Array
  /** A single number. */
  price: Float64Array
  /** P 1 and Pᵀ 1 */
  rowSum: Float64Array
  columnSum: Float64Array
  /** As that of an `UnbalancedJob`, the mass being the only further field that is set. */
  report: Float64Array
  history: Float64Array | null
}

export interface RelaxedKernels {
  unbalanced: Kernel<UnbalancedJob>
  partial: Kernel<PartialJob>
}
