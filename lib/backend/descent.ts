import type { Kernel } from './kernels.js'

// The lists are in the order of the native enumerations.

export const losses = ['least-squares', 'logistic', 'softmax', 'quadratic'] as const
export type Loss = (typeof losses)[number]

export const partitions = [
  ...['variable', 'order', 'sort', 'average', 'sort-row-sums', 'average-row-sums'],
  ...['red-black', 'colouring', 'combs', 'forests', 'given'],
] as readonly PartitionCode[]
export type PartitionCode =
  | 'variable'
  | 'order'
  | 'sort'
  | 'average'
  | 'sort-row-sums'
  | 'average-row-sums'
  | 'red-black'
  | 'colouring'
  | 'combs'
  | 'forests'
  | 'given'

export const selections = [
  ...['random', 'cyclic', 'permutation', 'lipschitz', 'gs', 'gsl', 'gsd', 'gsq', 'iht', 'gsn', 'mi'],
  ...['gs-tree', 'gsl-tree', 'random-tree'],
] as readonly Selection[]
export type Selection =
  | 'random'
  | 'cyclic'
  | 'permutation'
  | 'lipschitz'
  | 'gs'
  | 'gsl'
  | 'gsd'
  | 'gsq'
  | 'iht'
  | 'gsn'
  | 'mi'
  | 'gs-tree'
  | 'gsl-tree'
  | 'random-tree'

export const updates = [
  ...['gradient', 'lipschitz-approximation', 'matrix', 'newton', 'exact', 'two-metric', 'message-passing'],
] as readonly Update[]
export type Update =
  | 'gradient'
  | 'lipschitz-approximation'
  | 'matrix'
  | 'newton'
  | 'exact'
  | 'two-metric'
  | 'message-passing'

/** A matrix as dense row-major data, or by compressed rows. */
export interface MatrixData {
  rows: number
  columns: number
  dense: Float64Array | null
  indptr: Int32Array | null
  indices: Int32Array | null
  data: Float64Array | null
}

/** f, and the separable rest l1_i |x_i| within lower_i <= x_i <= upper_i. */
export interface DescentData {
  loss: Loss
  /** Samples × features; symmetric if `quadratic`. */
  matrix: MatrixData
  /** Softmax: variable (feature j, class c) is number j · classes + c. Otherwise 1. */
  classes: number
  /** Values, labels ±1, numbers of classes, or the linear term. */
  target: Float64Array
  /** Ridge: f has ½ l2 |x|² in it. */
  l2: number
  l1: Float64Array
  lower: Float64Array
  upper: Float64Array
}

export interface DescentRules {
  partition: PartitionCode
  selection: Selection
  update: Update
  blockSize: number
  /** D_i of 'gsd': blockSize · L_i, or the row sums of |H|. */
  rowSums: boolean
  /** The cubic term of 'gsn'. */
  cubic: number
  /** Rows and columns of the lattice of 'combs'. */
  lattice: [number, number]
  /** Blocks of 'given': offsets into `givenIndices`. */
  givenStart: Int32Array
  givenIndices: Int32Array
  tolerance: number
  maxIterations: number
  seed: number
  /** Sweeps go over a working set. */
  workingSet: boolean
  threads: number
}

export interface DescentOutputs {
  /** Start and result. */
  x: Float64Array
  /** How often each coordinate was in a block. */
  visits: Int32Array
  /** Block of each coordinate, -1 where there is none. */
  blockOf: Int32Array
  /** Objective after each iteration, as many as fit; null for no history. */
  values: Float64Array | null
  /** Size of the block of each iteration. */
  sizes: Int32Array | null
  /** The number of the fixed block of each iteration, or the coordinates of all, one iteration behind the other. */
  selected: Int32Array | null
  report: Float64Array
}

export interface DescentJob extends DescentOutputs {
  problem: DescentData
  rules: DescentRules
}

/** Indices into `DescentJob.report`, in the order of the native struct; `ended` is an index into `statuses`. */
export const descentField = {
  ended: 0,
  iterations: 1,
  residual: 2,
  value: 3,
  identified: 4,
  complementarity: 5,
  epochs: 6,
  blocks: 7,
  scale: 8,
} as const
export const descentReportLength = 9

/** Solves matrix x = b where the off-diagonal entries are the edges of a forest. */
export interface ForestJob {
  matrix: MatrixData
  b: Float64Array
  x: Float64Array
  /** Number of trees, largest |b - A x|. */
  report: Float64Array
  threads: number
}

export interface DescentKernels {
  solve: Kernel<DescentJob>
  forest: Kernel<ForestJob>
}
