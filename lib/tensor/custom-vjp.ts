import { ExtremaError } from '../core/errors.js'
import { shapeText, type Tensor, zerosLike } from './tensor.js'
import { type Rule, refuseClosures, TapeTrace, topTrace } from './trace.js'
import { flatten, matchingLeaves, unflatten } from './tree.js'

export interface CustomRules<X, Y, Residual> {
  /** The value, and what `backward` will need. */
  forward: (x: X) => { value: Y; residual: Residual }
  /** Jᵀ u, a tree like x. */
  backward: (residual: Residual, u: Y) => X
}

/**
 * A function with a derivative of its own in reverse mode: f itself runs where nothing is differentiated. Both rules are
 * written in tensor operations and are differentiated in turn for higher derivatives; so `hvp` works, while forward mode
 * directly on the function has no rule. Traced values must come as arguments, not from outside.
 *
 * @throws ExtremaError `ERR_TAPE` under `jvp`
 */
export function customVjp<X, Y, Residual>(f: (x: X) => Y, rules: CustomRules<X, Y, Residual>): (x: X) => Y {
  return (x) => {
    const inputs = flatten('x', x)
    const trace = topTrace('customVjp', inputs.leaves)
    if (trace === undefined) return f(x)
    if (!(trace instanceof TapeTrace)) refuseForward(inputs.leaves)
    const below = inputs.leaves.map((leaf) => trace.lower(leaf))
    const { value, residual } = rules.forward(unflatten(inputs.structure, below) as X)
    const outputs = flatten('value', value)
    refuseClosures('customVjp', trace, outputs.leaves)
    const rule: Rule = {
      name: 'customVjp',
      pull(cotangents) {
        const u = outputs.leaves.map((output, i) => cotangents[i] ?? zerosLike(output))
        const found = rules.backward(residual, unflatten(outputs.structure, u) as Y)
        const leaves = matchingLeaves('backward', found, { structure: inputs.structure, leaves: below })
        topTrace('backward', leaves)
        return leaves
      },
      push: () => refuseForward(inputs.leaves),
    }
    return unflatten(outputs.structure, trace.record(rule, inputs.leaves, below, outputs.leaves)) as Y
  }
}

function refuseForward([first]: readonly Tensor[]): never {
  const message = `customVjp: expected reverse mode, got forward mode at ${shapeText(first.shape)}, for which no rule was given`
  throw new ExtremaError('ERR_TAPE', message)
}
