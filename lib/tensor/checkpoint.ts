import { vjp } from './grad.js'
import { jvp } from './jvp.js'
import { type Tensor, zerosLike } from './tensor.js'
import { type Rule, refuseClosures, TapeTrace, topTrace } from './trace.js'
import { flatten, unflatten } from './tree.js'

/**
 * The same function, which in reverse mode keeps only its arguments and runs again when its derivatives are wanted: less
 * memory for one more evaluation (A. Griewank and A. Walther, Algorithm 799, ACM TOMS 26 (2000)). Traced values must
 * come as arguments, not from outside, and each run must do the same: `dropout` inside takes a generator that is made
 * there, from a seed that stays.
 */
export function checkpoint<X, Y>(f: (x: X) => Y): (x: X) => Y {
  return (x) => {
    const inputs = flatten('x', x)
    const trace = topTrace('checkpoint', inputs.leaves)
    if (!(trace instanceof TapeTrace)) return f(x)
    const below = inputs.leaves.map((leaf) => trace.lower(leaf))
    const outputs = flatten('value', f(unflatten(inputs.structure, below) as X))
    refuseClosures('checkpoint', trace, outputs.leaves)
    /** f as a function of some of its leaves, with those leaves. */
    const restricted = (chosen: readonly boolean[]): [f: (leaves: Tensor[]) => Tensor[], at: Tensor[]] => [
      (leaves) => {
        let next = 0
        const all = below.map((leaf, i) => (chosen[i] ? leaves[next++] : leaf))
        return flatten('value', f(unflatten(inputs.structure, all) as X)).leaves
      },
      below.filter((_, i) => chosen[i]),
    ]
    const rule: Rule = {
      name: 'checkpoint',
      pull(cotangents, { needs }) {
        const u = outputs.leaves.map((output, i) => cotangents[i] ?? zerosLike(output))
        const found = vjp(...restricted(needs)).pullback(u)
        let next = 0
        return needs.map((needed) => (needed ? found[next++] : undefined))
      },
      push(tangents) {
        const moved = tangents.filter((tangent) => tangent !== undefined)
        return jvp(...restricted(tangents.map((tangent) => tangent !== undefined)), moved).tangent
      },
    }
    return unflatten(outputs.structure, trace.record(rule, inputs.leaves, below, outputs.leaves)) as Y
  }
}
