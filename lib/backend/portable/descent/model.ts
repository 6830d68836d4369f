import type { Flow } from './flow.js'

/** Neighbours of each coordinate in the graph of the Hessian, without the coordinate itself. */
export interface Graph {
  indptr: Int32Array
  indices: Int32Array
}

/** The block of a Hessian whose off-diagonal entries are few, by the places 0 … size - 1 within the block. */
export class SparseBlock {
  readonly indptr: Int32Array
  readonly diagonal: Float64Array
  indices: Int32Array
  values: Float64Array

  constructor(size: number, entries: number) {
    this.indptr = new Int32Array(size + 1)
    this.diagonal = new Float64Array(size)
    this.indices = new Int32Array(entries)
    this.values = new Float64Array(entries)
  }
}

/** The smooth part f of an objective at a point x that only `refresh` and `accept` follow. */
export interface Model {
  readonly n: number
  /** Whether f is quadratic: then `bound` is its Hessian. */
  readonly quadratic: boolean
  /** What the matrix is called in messages. */
  readonly name: string
  /** L_i: bounds of the second derivatives along the coordinates. */
  readonly lipschitz: Float64Array
  /** ∇f, kept up to date by `accept` if `tracks`, otherwise right after `refresh` only. */
  readonly gradient: Float64Array
  readonly tracks: boolean
  /** Whether a Hessian is only known to be positive semidefinite up to rounding, so that null pivots are no error. */
  readonly semidefinite: boolean

  /** Recomputes all that is kept from x; returns f. */
  refresh(): Flow<number>
  /** The largest |∇_i f| at x = 0. */
  gradientScale(): Flow<number>
  /** ∇_b f */
  blockGradient(block: Int32Array, size: number, out: Float64Array): Flow<void>
  /** H_b of the constant bound H ⪰ ∇²f, size × size row-major. */
  bound(block: Int32Array, size: number, out: Float64Array): Flow<void>
  /** The current Hessian's block. */
  hessian(block: Int32Array, size: number, out: Float64Array): Flow<void>
  /** The same with few entries; needs `graph`. `place` is -1 outside of the block and the place within it inside. */
  sparseBlock(block: Int32Array, size: number, place: Int32Array, current: boolean, out: SparseBlock): Flow<void>
  /** H v, of the bound or the current Hessian. */
  product(v: Float64Array, current: boolean, out: Float64Array): Flow<void>
  /** f(x + d) - f(x) for a step d of the block, where its gradient is g; x is left. */
  trial(block: Int32Array, size: number, g: Float64Array, d: Float64Array): Flow<number>
  /** Takes the step of the last `trial`: x is to have moved when this is called. */
  accept(block: Int32Array, size: number, d: Float64Array): Flow<void>
  /** Σ_j |H_ij| of the bound. */
  rowSums(): Flow<Float64Array>
  /** Which entries of the Hessian may differ from 0. */
  graph(): Flow<Graph>
}
