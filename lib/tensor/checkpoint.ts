import { ExtremaError } from '../core/errors.js'
import { vjp } from './grad.js'
import { jvp } from './jvp.js'
import { shapeText, type Tensor, zerosLike } from './tensor.js'
import { type Rule, TapeTrace, topTrace } from './trace.js'
import { flatten, unflatten } from './tree.js'

/**
 * The same function, which in reverse mode keeps only its arguments and runs again when its derivatives are wanted: less
 * memory for one more evaluation (A. Griewank and A. Walther, Algorithm 799, ACM TOMS 26 (2000)). Traced values must
 * come as arguments, not from outside.
 */
export function checkpoint<X, Y>(f: (x: X) => Y): (x: X) => Y {
  return (x) => {
    const inputs = flatten('x', x)
    const trace = topTrace('checkpoint', inputs.leaves)
    if (!(trace instanceof TapeTrace)) return f(x)
    const below = inputs.leaves.map((leaf) => trace.lower(leaf))
    const outputs = flatten('value', f(unflatten(inputs.structure, below) as X))
    for (const output of outputs.leaves) if (output.level >= trace.level) refuseClosure(output)
    const restarted = (leaves: Tensor[]): Tensor[] =>
      flatten('value', f(unflatten(inputs.structure, leaves) as X)).leaves
    const rule: Rule = {
      name: 'checkpoint',
      pull(cotangents) {
        const u = outputs.leaves.map((output, i) => cotangents[i] ?? zerosLike(output))
        return vjp(restarted, below).pullback(u)
      },
      push(tangents) {
        const v = below.map((leaf, i) => tangents[i] ?? zerosLike(leaf))
        return jvp(restarted, below, v).tangent
      },
    }
    return unflatten(outputs.structure, trace.record(rule, inputs.leaves, below, outputs.leaves)) as Y
  }
}

function refuseClosure(output: Tensor): never {
  const came = `a value of shape ${shapeText(output.shape)} that depends on others`
  throw new ExtremaError('ERR_TAPE', `checkpoint: expected a function of its arguments alone, got ${came}`)
}
