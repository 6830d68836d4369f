import type { FloatArray } from '../core/arrays.js'

/** Functions that Lion-K applies entry by entry: dK of its separable K. In the order of the native enumeration. */
export const lionSlopes = ['sign', 'identity', 'clip', 'soft-sign', 'threshold', 'tanh', 'power'] as const
export type LionSlope = (typeof lionSlopes)[number]

/**
 * The kernels of optimizers: plain synchronous functions over typed arrays like those of tensors, in one pass over memory
 * and in place. `x` are the parameters, `g` the gradient, which is read only and counts `scale` times; all arrays of a call have one
 * type. No fused multiplication and addition: in float64 both backends give the same bits, except for `tanh` and `power`.
 */
export interface UpdateKernels {
  /** Σ x_i² in float64. */
  sumOfSquares(x: FloatArray): number
  /** out = a x + b y; `out` may be `x` or `y`. */
  combine(out: FloatArray, x: FloatArray, y: FloatArray, a: number, b: number): void
  /** x_i = min(max(x_i, -limit), limit) */
  clip(x: FloatArray, limit: number): void
  /** g += weightDecay x; m = momentum m + g; x -= rate (m, or with `nesterov` g + momentum m). Without m: x -= rate g. */
  sgd(
    x: FloatArray,
    g: FloatArray,
    m: FloatArray | null,
    rate: number,
    momentum: number,
    nesterov: boolean,
    weightDecay: number,
    scale: number,
  ): void
  /**
   * g += weightDecay x; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g²;
   * x = shrink x - rate m / (correction √v + epsilon)
   */
  adam(
    x: FloatArray,
    g: FloatArray,
    m: FloatArray,
    v: FloatArray,
    beta1: number,
    beta2: number,
    rate: number,
    correction: number,
    epsilon: number,
    weightDecay: number,
    shrink: number,
    scale: number,
  ): void
  /**
   * g += weightDecay x; v = alpha v + (1 - alpha) g²; with `mean`: mean = alpha mean + (1 - alpha) g, and v - mean² takes the place of
   * v; d = g / (√v + epsilon); with `m`: m = momentum m + d, and m takes the place of d; x -= rate d
   */
  rmsprop(
    x: FloatArray,
    g: FloatArray,
    v: FloatArray,
    mean: FloatArray | null,
    m: FloatArray | null,
    alpha: number,
    rate: number,
    epsilon: number,
    momentum: number,
    weightDecay: number,
    scale: number,
  ): void
  /**
   * m and v as in `adam`, r = correction1 m / (correction2 √v + epsilon) + weightDecay x, x -= rate (‖x‖ / ‖r‖) r. Returns the ratio,
   * 1 where one of the norms is 0.
   */
  lamb(
    x: FloatArray,
    g: FloatArray,
    m: FloatArray,
    v: FloatArray,
    beta1: number,
    beta2: number,
    rate: number,
    correction1: number,
    correction2: number,
    epsilon: number,
    weightDecay: number,
    scale: number,
  ): number
  /**
   * c = mixM m + mixG g; m = keep m + add g; x = shrink x + step slope(c), with the slope's `parameter`: its e or its exponent.
   */
  lion(
    slope: number,
    x: FloatArray,
    g: FloatArray,
    m: FloatArray,
    mixM: number,
    mixG: number,
    keep: number,
    add: number,
    step: number,
    shrink: number,
    parameter: number,
  ): void
  /** A = decay A + factor u vᵀ for A of u.length × v.length. */
  rankOne(a: FloatArray, u: FloatArray, v: FloatArray, decay: number, factor: number): void
}
