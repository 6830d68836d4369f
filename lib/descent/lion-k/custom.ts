import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { generator } from '../../random/index.js'
import type { CustomFunction, Potential } from './potential.js'

/** Of the checks on random points. */
const tolerance = 1e-6

/** A user's K, whose answers are checked. */
export function custom(given: CustomFunction, n: number): Potential {
  const number = (name: string, value: unknown): number => {
    if (typeof value === 'number' && !Number.isNaN(value)) return value
    throw new ExtremaError('ERR_ORACLE', `k.${name}: expected a number, got ${describe(value)}`)
  }
  const potential: Potential = {
    value: (z) => number('value', given.value(Float64Array.from(z))),
    subgradient(z, out) {
      const u = given.subgradient(Float64Array.from(z))
      if (u?.length !== out.length) {
        throw new ExtremaError('ERR_ORACLE', `k.subgradient: expected ${out.length} numbers, got ${u?.length}`)
      }
      for (let i = 0; i < out.length; i++) {
        if (!Number.isFinite(u[i])) {
          throw new ExtremaError('ERR_ORACLE', `k.subgradient[${i}]: expected a finite number, got ${describe(u[i])}`)
        }
        out[i] = u[i]
      }
    },
    conjugate: (y) => (given.conjugate === undefined ? Number.NaN : number('conjugate', given.conjugate(y))),
    excess: (y) => (given.distance === undefined ? Number.NaN : number('distance', given.distance(y))),
  }
  checkConvexity(given, potential, n)
  return potential
}

/** K(w) >= K(z) + ⟨s, w − z⟩ and K(z) + K*(s) = ⟨z, s⟩ for s = dK(z), at two random points. */
function checkConvexity(given: CustomFunction, potential: Potential, n: number): void {
  const random = generator(20231005)
  const [z, w] = [random.normal(n), random.normal(n)]
  const s = new Float64Array(n)
  potential.subgradient(z, s)
  const [kz, kw] = [potential.value(z), potential.value(w)]
  const [product, slope] = [inner(z, s), inner(w, s)]
  const scale = 1 + Math.abs(kz) + Math.abs(kw) + Math.abs(product) + Math.abs(slope)
  if (!(kw >= kz + slope - product - tolerance * scale)) {
    const came = `K(w) = ${kw} and K(z) + <s, w - z> = ${kz + slope - product}`
    throw new ExtremaError('ERR_ORACLE', `k.subgradient: expected a subgradient s of a convex value K, got ${came}`)
  }
  if (given.conjugate === undefined) return
  // Rounding may put s just outside the domain of K*.
  const inward = s.map((value) => value * (1 - 1e-9))
  const both = kz + Math.min(potential.conjugate(s, 0), potential.conjugate(inward, 0))
  if (!(Math.abs(both - product) <= tolerance * scale)) {
    const came = `K(z) + K*(s) = ${both} and <z, s> = ${product}`
    throw new ExtremaError('ERR_ORACLE', `k.conjugate: expected equality in Fenchel's inequality, got ${came}`)
  }
}

function inner(x: Float64Array, y: Float64Array): number {
  return x.reduce((sum, value, i) => sum + value * y[i], 0)
}
