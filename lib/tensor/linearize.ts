import { pull, record } from './grad.js'
import { zerosLike } from './tensor.js'
import { pushForward } from './trace.js'
import { matchingLeaves, unflatten } from './tree.js'

export interface Linearized<X, Y> {
  value: Y
  /** v ↦ J v, a tree like the value. */
  jvp: (v: X) => Y
  /** u ↦ Jᵀ u, a tree like x. */
  vjp: (u: Y) => X
}

/**
 * f(x) and its Jacobian J there as a linear map in both directions. f runs once; each product replays the recorded
 * operations at the values they saw. For many directions at one point; for one direction `jvp` needs less memory.
 */
export function linearize<X, Y>(f: (x: X) => Y, x: X): Linearized<X, Y> {
  const tape = record('linearize', f, x)
  const { structure } = tape.outputs
  const values = { structure, leaves: tape.values }
  return {
    value: unflatten(structure, tape.values) as Y,
    jvp(v) {
      const tangents = matchingLeaves('v', v, tape.arguments)
      const moved = pushForward(tape.trace, tape.outputs.leaves, tangents, tape.leaves)
      return unflatten(
        structure,
        moved.map((tangent, i) => tangent ?? zerosLike(tape.values[i])),
      ) as Y
    },
    vjp(u) {
      return unflatten(tape.arguments.structure, pull(tape, matchingLeaves('u', u, values), true)) as X
    },
  }
}
