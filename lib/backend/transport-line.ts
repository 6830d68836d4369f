import type { Kernel } from './kernels.js'

/** Optimal transport between weighted points on the line, for the cost |x - y|^order. */
export interface LineJob {
  x: Float64Array
  y: Float64Array
  a: Float64Array
  b: Float64Array
  order: number
  /** Potentials, tight on every arc. */
  f: Float64Array
  g: Float64Array
  /** The n + m - 1 arcs of the plan from left to right, those of no mass included. */
  rows: Int32Array
  columns: Int32Array
  mass: Float64Array
  /** [cost] */
  report: Float64Array
}

/** The same along many directions. */
export interface SlicedJob {
  /** n × d and m × d. */
  x: Float64Array
  y: Float64Array
  d: number
  a: Float64Array
  b: Float64Array
  order: number
  threads: number
  /** count × d unit vectors. */
  directions: Float64Array
  /** Cost along each direction. */
  values: Float64Array
  /** Of the sum of the costs / count, to zeros; null if not wanted. */
  gradientX: Float64Array | null
  gradientY: Float64Array | null
  /** [directions done before the time limit] */
  report: Float64Array
}

export interface LineKernels {
  wasserstein1d: Kernel<LineJob>
  slicedWasserstein: Kernel<SlicedJob>
}
