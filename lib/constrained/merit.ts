import { addTransposed, product, type SystemMatrix } from './matrix.js'
import type { Point } from './problem.js'

/** ‖x‖² */
export function squares(x: Float64Array): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i] * x[i]
  return sum
}

/** (∇_x L, c) at a point and multipliers. */
export function kktResidual({ g, c, jacobian }: Point, multipliers: Float64Array): Float64Array {
  const out = new Float64Array(g.length + c.length)
  out.set(g)
  addTransposed(jacobian, multipliers, 1, out.subarray(0, g.length))
  out.set(c, g.length)
  return out
}

/** L_η = f + λᵀc + (η₁/2) ‖c‖² + (η₂/2) ‖∇_x L‖² */
export function merit(point: Point, multipliers: Float64Array, kkt: Float64Array, eta1: number, eta2: number): number {
  let value = point.f + (eta1 / 2) * squares(point.c) + (eta2 / 2) * squares(kkt.subarray(0, point.g.length))
  for (let j = 0; j < point.c.length; j++) value += multipliers[j] * point.c[j]
  return value
}

/**
 * ∇L_η = (∇_x L + η₁ Gᵀc + η₂ ∇²_x L ∇_x L, c + η₂ G ∇_x L). The Hessian is the Lagrangian's: with that of f alone, as in the
 * published code, this is no gradient where constraints are curved.
 */
export function meritGradient(
  point: Point,
  hessian: SystemMatrix,
  kkt: Float64Array,
  eta1: number,
  eta2: number,
): Float64Array {
  const n = point.g.length
  const gradient = kkt.subarray(0, n)
  const out = kkt.slice()
  addTransposed(point.jacobian, point.c, eta1, out.subarray(0, n))
  const curved = product(hessian, gradient)
  const along = product(point.jacobian, gradient)
  for (let i = 0; i < n; i++) out[i] += eta2 * curved[i]
  for (let j = 0; j < along.length; j++) out[n + j] += eta2 * along[j]
  return out
}
