import { ExtremaError } from '../core/errors.js'
import { add } from './elementwise.js'
import { onesLike, shapeText, Tensor, zerosLike } from './tensor.js'
import { type Node, pullBack, TapeTrace, topTrace } from './trace.js'
import { type Flat, flatten, matchingLeaves, unflatten } from './tree.js'

/** A function that was run once with its operations recorded. */
export interface Tape {
  trace: TapeTrace
  leaves: Node[]
  arguments: Flat
  /** The outputs as they came from the function, traced. */
  outputs: Flat
  /** The same below this level. */
  values: Tensor[]
}

/** Runs a function of a tree on traced values. */
export function record<X, Y>(name: string, f: (x: X) => Y, x: X): Tape {
  const flat = flatten('x', x)
  for (const leaf of flat.leaves) refuseWhole(name, leaf)
  topTrace(name, flat.leaves)
  const trace = new TapeTrace()
  return trace.run(() => {
    const traced = flat.leaves.map((leaf) => trace.argument(leaf))
    const outputs = flatten('value', f(unflatten(flat.structure, traced) as X))
    // Refuses what was kept from a transformation that has ended.
    topTrace(name, outputs.leaves)
    return {
      trace,
      leaves: traced.map(({ node }) => node),
      arguments: flat,
      outputs,
      values: outputs.leaves.map((output) => trace.lower(output)),
    }
  })
}

export function refuseWhole(name: string, leaf: Tensor): void {
  if (leaf.dtype !== 'int32') return
  const came = `int32 ${shapeText(leaf.shape)}`
  throw new ExtremaError('ERR_DTYPE', `${name}: expected float64 or float32 to differentiate by, got ${came}`)
}

/** The gradient of the recorded outputs, weighed by cotangents, by the arguments. */
export function pull(tape: Tape, cotangents: readonly Tensor[], keep: boolean): Tensor[] {
  const { trace, outputs, leaves } = tape
  const found = pullBack(trace, outputs.leaves, cotangents, leaves, add, keep)
  return found.map((cotangent, i) => cotangent ?? zerosLike(tape.arguments.leaves[i]))
}

export interface VjpOptions {
  /** Keep the tape, so that `pullback` can be called again. Default false: it is let go while it is used. */
  retain?: boolean
}

export interface Vjp<X, Y> {
  value: Y
  /** Jᵀ u: from a tree like the value to one like x. */
  pullback: (u: Y) => X
}

/**
 * f(x) and the map u ↦ Jᵀ u, where J is the Jacobian of f at x: reverse mode.
 *
 * @param f a synchronous function from a tree of tensors to a tree of tensors
 * @throws ExtremaError `ERR_TAPE` from `pullback` when it is called again without `retain`
 */
export function vjp<X, Y>(f: (x: X) => Y, x: X, { retain = false }: VjpOptions = {}): Vjp<X, Y> {
  const tape = record('vjp', f, x)
  const values: Flat = { structure: tape.outputs.structure, leaves: tape.values }
  let spent = false
  return {
    value: unflatten(values.structure, values.leaves) as Y,
    pullback(u) {
      if (spent) {
        throw new ExtremaError('ERR_TAPE', 'pullback: its tape was let go by the first call; give vjp { retain: true }')
      }
      const cotangents = matchingLeaves('u', u, values)
      spent = !retain
      return unflatten(tape.arguments.structure, pull(tape, cotangents, retain)) as X
    },
  }
}

/** A function of a tree, which may take further arguments that are not differentiated. */
export type ScalarFunction<X, Rest extends unknown[]> = (x: X, ...rest: Rest) => Tensor

/**
 * x ↦ f(x) and its gradient, a tree like x. Reverse mode: some two to three times the work of f, however many numbers x
 * has.
 *
 * @param f a synchronous function whose value is a tensor of one number; the gradient is by its first argument
 */
export function valueAndGrad<X, Rest extends unknown[]>(
  f: ScalarFunction<X, Rest>,
): (x: X, ...rest: Rest) => { value: Tensor; gradient: X } {
  return (x, ...rest) => {
    const tape = record('grad', (traced: X) => f(traced, ...rest), x)
    const [value] = tape.values
    if (tape.outputs.structure !== 'leaf' || value.size !== 1 || value.dtype === 'int32') {
      const came = value instanceof Tensor ? value.toString() : 'none'
      throw new ExtremaError(
        'ERR_SHAPE',
        `grad: expected a function whose value is one floating-point number, got ${came}`,
      )
    }
    return { value, gradient: unflatten(tape.arguments.structure, pull(tape, [onesLike(value)], false)) as X }
  }
}

/** x ↦ the gradient of f at x. See `valueAndGrad`. */
export function grad<X, Rest extends unknown[]>(f: ScalarFunction<X, Rest>): (x: X, ...rest: Rest) => X {
  const both = valueAndGrad(f)
  return (x, ...rest) => both(x, ...rest).gradient
}
