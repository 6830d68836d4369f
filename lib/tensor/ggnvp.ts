import { hvp } from './hvp.js'
import { linearize } from './linearize.js'
import type { Tensor } from './tensor.js'

/**
 * The Gauss-Newton product Jᵀ H J v, with J the Jacobian of the model at x and H the second derivatives of the loss at
 * model(x): the part of the Hessian of loss ∘ model that is positive semidefinite for a convex loss (N. N. Schraudolph,
 * "Fast curvature matrix-vector products for second-order gradient descent", Neural Comput. 14 (2002)).
 */
export function ggnvp<X, Y>(model: (x: X) => Y, loss: (y: Y) => Tensor, x: X, v: X): X {
  const { value, jvp, vjp } = linearize(model, x)
  return vjp(hvp(loss, value, jvp(v)))
}
