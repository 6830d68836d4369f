import { ExtremaError } from '../core/errors.js'
import type { CheckedProblem } from './problem.js'
import { total } from './sparse-plan.js'

/** Less than that is lost in the rounding of what stays. */
const leastShare = 1e-12

/** The mass to move, exactly the smaller total where it is that but for rounding. */
export function movable(mass: number, { full }: CheckedProblem): number {
  const [all, others] = [total(full.a), total(full.b)]
  const most = Math.min(all, others)
  const least = leastShare * Math.max(all, others)
  if (mass < least) {
    throw new ExtremaError(
      'ERR_MASS',
      `mass: expected at least ${leastShare} of the totals of a and b, ${least}, got ${mass}`,
    )
  }
  if (mass <= most) return mass
  if (mass <= most * (1 + 1e-9)) return most
  throw new ExtremaError('ERR_MASS', `mass: expected at most the smaller total of a and b, ${most}, got ${mass}`)
}

/** Whether a side keeps something; the kernels' rule. */
export function remains(weights: Float64Array, mass: number): boolean {
  return total(weights) - mass > 1e-12 * total(weights)
}

/** Nodes without weight may also keep what they do not have: their potentials are at most zero. */
export function capMissing(potential: Float64Array, weights: Float64Array, kept: Int32Array | null): void {
  if (kept === null) return
  for (let i = 0; i < potential.length; i++) if (weights[i] === 0 && potential[i] > 0) potential[i] = 0
}
