import type { Kernel } from './kernels.js'

/** A cell of points: every run of this many in the order, from its beginning on. So is any power of two times it. */
export const cellSize = 8

export interface CloudOrderJob {
  /** n × d */
  points: Float64Array
  n: number
  d: number
  /** n: receives the numbers of the points in the order of a tree whose cells are aligned runs. */
  order: Int32Array
}

export interface OrderKernels {
  cloudOrder: Kernel<CloudOrderJob>
}
