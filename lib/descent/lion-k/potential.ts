import type { LionSlope } from '../../backend/tensor-update.js'
import type { FloatArray } from '../../core/arrays.js'

/** A convex function K of the entries of one leaf, with what its conjugate K*(y) = sup_z ⟨y, z⟩ − K(z) says about y = λ x. */
export interface Potential {
  /** Where dK goes entry by entry: the kernel that does it. */
  readonly fused?: { slope: LionSlope; parameter: number }
  value(z: FloatArray): number
  /** out = an element of ∂K(z); `out` may be `z`. */
  subgradient(z: FloatArray, out: FloatArray): void
  /** K*(y); Infinity where y is outside its domain by more than `tolerance`. */
  conjugate(y: Float64Array, tolerance: number): number
  /** How far y is from the domain of K*: 0 inside. */
  excess(y: Float64Array): number
  /** max_i dist(−g_i, ∂K*(y_i)), of separable K. */
  residual?(g: FloatArray, y: Float64Array, tolerance: number): number
  /** The x of min ½ ‖x − v‖² + K*(λ x) / λ, of some separable K. */
  prox?(v: number, lambda: number): number
}

/** A K of your own. */
export interface CustomFunction {
  kind: 'custom'
  /** K(z) */
  value(z: Float64Array): number
  /** An element of ∂K(z), of the length of z. */
  subgradient(z: Float64Array): ArrayLike<number>
  /** K*(y), Infinity outside its domain. Without it there is no Lyapunov value. */
  conjugate?(y: Float64Array): number
  /** The distance of y from the domain of K*. */
  distance?(y: Float64Array): number
}

/**
 * The convex function K of Lion-K. Its conjugate says what the optimizer minimizes: f(x) + K*(λ x) / λ with λ the weight decay. Each
 * leaf x has its K to itself.
 */
export type LionFunction =
  /** Lion itself: max |x_i| <= 1/λ. */
  | 'l1'
  /** Σ |x_i| <= 1/λ; steps change one coordinate. */
  | 'linf'
  /** Momentum with weight decay: (λ/2) ‖x‖². */
  | 'half-square'
  /** Matrices: spectral norm <= 1/λ. A leaf of more than two axes counts as its first one times the others. */
  | 'nuclear'
  /** λ x in the simplex, with its negative entropy. */
  | 'log-sum-exp'
  /** ‖x‖_q <= 1/λ, 1/p + 1/q = 1. */
  | { kind: 'lp'; p: number }
  /** λ^(q − 1) ‖x‖_q^q / q, 1/p + 1/q = 1. */
  | { kind: 'power'; p: number }
  /** ‖x_g‖_q <= 1/λ for each group g: a partition of the leaf's entries, or the size of consecutive groups. p = 2 by default. */
  | { kind: 'group'; groups: number | readonly ArrayLike<number>[]; p?: number }
  /** max |x_i| <= 1/λ and the ridge (e λ/2) ‖x‖². */
  | { kind: 'huber'; e: number }
  /** The box with the smooth penalty (e/λ) Σ 1 − √(1 − (λ x_i)²). */
  | { kind: 'soft-abs'; e: number }
  /** max |x_i| <= 1/λ and the penalty e ‖x‖₁. */
  | { kind: 'threshold'; e: number }
  /** max |x_i| <= 1/λ and Σ |x_i| <= k/λ. */
  | { kind: 'top-k'; k: number }
  /** The box with a binary entropy: (e/2λ) Σ (1 + y) log(1 + y) + (1 − y) log(1 − y), y = λ x. */
  | { kind: 'log-cosh'; e: number }
  | CustomFunction
