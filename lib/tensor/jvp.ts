import { refuseWhole } from './grad.js'
import { zerosLike } from './tensor.js'
import { JvpTrace, topTrace } from './trace.js'
import { flatten, matchingLeaves, unflatten } from './tree.js'

export interface Jvp<Y> {
  value: Y
  /** J v, a tree like the value. */
  tangent: Y
}

/** f(x) and J v, where J is the Jacobian of f at x: forward mode, some two to three times the work of f. */
export function jvp<X, Y>(f: (x: X) => Y, x: X, v: X): Jvp<Y> {
  const flat = flatten('x', x)
  for (const leaf of flat.leaves) refuseWhole('jvp', leaf)
  const tangents = matchingLeaves('v', v, flat)
  topTrace('jvp', [...flat.leaves, ...tangents])
  const trace = new JvpTrace()
  return trace.run(() => {
    const traced = flat.leaves.map((leaf, i) => trace.lift(leaf, tangents[i]))
    const outputs = flatten('value', f(unflatten(flat.structure, traced) as X))
    // Refuses what was kept from a transformation that has ended.
    topTrace('jvp', outputs.leaves)
    const moved = outputs.leaves.map((output) => trace.tangent(output) ?? zerosLike(output))
    return {
      value: unflatten(
        outputs.structure,
        outputs.leaves.map((output) => trace.lower(output)),
      ) as Y,
      tangent: unflatten(outputs.structure, moved) as Y,
    }
  })
}
