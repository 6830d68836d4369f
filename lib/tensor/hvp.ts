import { grad } from './grad.js'
import { jvp } from './jvp.js'
import type { Tensor } from './tensor.js'

/**
 * H v, where H is the matrix of second derivatives of f at x, a tree like x. Forward over reverse: the tangent of the
 * gradient, without forming H.
 */
export function hvp<X>(f: (x: X) => Tensor, x: X, v: X): X {
  return jvp(grad(f), x, v).tangent
}
