import type { CsrParts, Kernel } from './kernels.js'

/** A pass over a matrix that tells what is to be known of it before it is used. */
export interface GromovScanJob {
  rows: number
  columns: number
  data: Float64Array
  /** Whether to compare with the transpose. */
  symmetric: boolean
  threads: number
  /** squares_i = sum_j data_ij² weights_j */
  weights: Float64Array | null
  squares: Float64Array | null
  rowSums: Float64Array | null
  columnSums: Float64Array | null
  report: Float64Array
}

/** Indices into `GromovScanJob.report`: sizes, and the first entry of each kind, -1 for none. */
export const scanField = { largest: 0, asymmetry: 1, notFinite: 2, negative: 3, asymmetric: 4 } as const
export const scanReportLength = 5

/** out = C1 T C2 of a plan T that is dense or sparse, and inner products with T. */
export interface GromovProductJob {
  n: number
  m: number
  source: Float64Array
  target: Float64Array
  plan: Float64Array | CsrParts
  product: Float64Array | null
  features: Float64Array | null
  threads: number
  out: Float64Array
  /** [<out, T>, <product, T>, <features, T>] */
  report: Float64Array
}

/**
 * plan <- (1 - step) plan + step direction and the same for their products C1 T C2; then
 * gradient = (1 - alpha) features + alpha (2 (u ⊕ v) - 4 product).
 */
export interface GromovBlendJob {
  n: number
  m: number
  step: number
  alpha: number
  plan: Float64Array
  product: Float64Array
  /** Not read for step 0. */
  direction: Float64Array | CsrParts | null
  directionProduct: Float64Array | null
  u: Float64Array
  v: Float64Array
  features: Float64Array | null
  threads: number
  gradient: Float64Array
}

export interface GromovCompareJob {
  plan: Float64Array
  next: Float64Array
  entropies: boolean
  threads: number
  /** [sum |next - plan|, and with `entropies` sum plan log plan, sum next log next] */
  report: Float64Array
}

export interface GromovKernels {
  gromovScan: Kernel<GromovScanJob>
  gromovProduct: Kernel<GromovProductJob>
  gromovBlend: Kernel<GromovBlendJob>
  gromovCompare: Kernel<GromovCompareJob>
}
