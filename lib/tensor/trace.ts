import { ExtremaError } from '../core/errors.js'
import type { MaybeZero, MultiPrimitive, Primitive } from './primitive.js'
import { sameShape, shapeText, Tensor } from './tensor.js'

/**
 * Transformations nest: each runs its function at a level of its own, above those around it. A value traced at level L
 * wraps one of a lower level, and an operation is handled at the highest level among its operands, whose rules are
 * operations on the values below. So derivatives of any order work, and perturbations of different levels never mix.
 */
export abstract class Trace {
  level = 0

  abstract process<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor
  abstract processMany<P>(primitive: MultiPrimitive<P>, inputs: readonly Tensor[], params: P): Tensor[]

  /** The value below this level. */
  lower(x: Tensor): Tensor {
    return x.level === this.level ? (x as Tracer).primal : x
  }

  /** Runs a function one level above all that are at work. */
  run<T>(body: () => T): T {
    active.push(this)
    this.level = active.length
    try {
      return body()
    } finally {
      active.pop()
    }
  }
}

const active: Trace[] = []

export abstract class Tracer extends Tensor {
  constructor(
    readonly trace: Trace,
    readonly primal: Tensor,
  ) {
    super(primal.data, primal.shape, primal.dtype, primal.scope, trace.level)
  }
}

/** The trace of the highest level among the operands, if any is traced. */
export function topTrace(name: string, inputs: readonly Tensor[]): Trace | undefined {
  let top: Tensor | undefined
  for (let i = 0; i < inputs.length; i++) if (inputs[i].level > (top === undefined ? 0 : top.level)) top = inputs[i]
  if (top === undefined) return undefined
  const { trace } = top as Tracer
  if (active[top.level - 1] === trace) return trace
  throw new ExtremaError(
    'ERR_TAPE',
    `${name}: its operand ${shapeText(top.shape)} was traced in a transformation that has ended; return values from the function instead of storing them`,
  )
}

/** Applies an operation: at once to plain data, by the rules of the highest level to traced values. */
export function apply<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor {
  const trace = topTrace(primitive.name, inputs)
  return trace === undefined ? primitive.evaluate(inputs, params) : trace.process(primitive, inputs, params)
}

/** The same for several outputs. */
export function applyMany<P>(primitive: MultiPrimitive<P>, inputs: readonly Tensor[], params: P): Tensor[] {
  const trace = topTrace(primitive.name, inputs)
  return trace === undefined ? primitive.evaluate(inputs, params) : trace.processMany(primitive, inputs, params)
}

/** The plain data under a value, through all levels. */
export function concrete(x: Tensor): Tensor {
  let value = x
  while (value.level > 0) value = (value as Tracer).primal
  return value
}

export class JvpTracer extends Tracer {
  constructor(
    trace: Trace,
    primal: Tensor,
    readonly tangent: Tensor,
  ) {
    super(trace, primal)
  }
}

/** Forward mode: every value carries its tangent. */
export class JvpTrace extends Trace {
  lift(primal: Tensor, tangent: MaybeZero): Tensor {
    return tangent === undefined ? primal : new JvpTracer(this, primal, tangent)
  }

  tangent(x: Tensor): MaybeZero {
    return x.level === this.level ? (x as JvpTracer).tangent : undefined
  }

  process<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor {
    const primals = inputs.map((x) => this.lower(x))
    const tangents = inputs.map((x) => this.tangent(x))
    const output = apply(primitive, primals, params)
    return this.lift(output, primitive.jvp(primals, tangents, output, params))
  }

  processMany<P>(primitive: MultiPrimitive<P>, inputs: readonly Tensor[], params: P): Tensor[] {
    const primals = inputs.map((x) => this.lower(x))
    const tangents = inputs.map((x) => this.tangent(x))
    const outputs = applyMany(primitive, primals, params)
    const moved = primitive.jvp(primals, tangents, outputs, params)
    return outputs.map((output, i) => this.lift(output, moved[i]))
  }
}

/** One operation on the tape, or with `rule` undefined an argument of the function. */
export class Node {
  cotangents: MaybeZero[] = []
  tangents: readonly MaybeZero[] = []

  constructor(
    readonly rule: Rule | undefined,
    readonly inputs: readonly Tensor[],
    readonly parents: readonly (Parent | undefined)[],
    readonly needs: readonly boolean[],
  ) {}
}

/** Which output of which node a value is. */
interface Parent {
  node: Node
  index: number
}

/** The rules of an operation at its operands and outputs. */
export interface Rule {
  name: string
  pull(cotangents: readonly MaybeZero[], node: Node): readonly MaybeZero[]
  push(tangents: readonly MaybeZero[], node: Node): readonly MaybeZero[]
}

class PrimitiveRule<P> implements Rule {
  constructor(
    readonly primitive: Primitive<P>,
    readonly output: Tensor,
    readonly params: P,
  ) {}

  get name(): string {
    return this.primitive.name
  }

  pull([cotangent]: readonly MaybeZero[], { inputs, needs }: Node): readonly MaybeZero[] {
    const { primitive, output, params } = this
    const g = cotangent as Tensor
    if (primitive.fusedVjp !== undefined && g.level === 0 && output.level === 0 && inputs.every(isPlain)) {
      return primitive.fusedVjp(g, inputs, output, params, needs)
    }
    return primitive.vjp(g, inputs, output, params, needs)
  }

  push(tangents: readonly MaybeZero[], { inputs }: Node): readonly MaybeZero[] {
    return [this.primitive.jvp(inputs, tangents, this.output, this.params)]
  }
}

class MultiRule<P> implements Rule {
  constructor(
    readonly primitive: MultiPrimitive<P>,
    readonly outputs: readonly Tensor[],
    readonly params: P,
  ) {}

  get name(): string {
    return this.primitive.name
  }

  pull(cotangents: readonly MaybeZero[], { inputs, needs }: Node): readonly MaybeZero[] {
    const all = this.outputs.map((_, i) => cotangents[i])
    return this.primitive.vjp(all, inputs, this.outputs, this.params, needs)
  }

  push(tangents: readonly MaybeZero[], { inputs }: Node): readonly MaybeZero[] {
    return this.primitive.jvp(inputs, tangents, this.outputs, this.params)
  }
}

function isPlain(x: Tensor): boolean {
  return x.level === 0
}

export class TapeTracer extends Tracer {
  constructor(
    trace: Trace,
    primal: Tensor,
    readonly node: Node,
    readonly index: number,
  ) {
    super(trace, primal)
  }
}

/** Reverse mode: operations are recorded in order, with the values below this level that they saw. */
export class TapeTrace extends Trace {
  readonly nodes: Node[] = []

  argument(primal: Tensor): TapeTracer {
    const node = new Node(undefined, [], [], [])
    this.nodes.push(node)
    return new TapeTracer(this, primal, node, 0)
  }

  process<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor {
    const primals = inputs.map((x) => this.lower(x))
    const output = apply(primitive, primals, params)
    if (output.dtype === 'int32') return output
    return this.record(new PrimitiveRule(primitive, output, params), inputs, primals, [output])[0]
  }

  processMany<P>(primitive: MultiPrimitive<P>, inputs: readonly Tensor[], params: P): Tensor[] {
    const primals = inputs.map((x) => this.lower(x))
    const outputs = applyMany(primitive, primals, params)
    return this.record(new MultiRule(primitive, outputs, params), inputs, primals, outputs)
  }

  /** Puts an operation on the tape and traces its outputs. */
  record(rule: Rule, inputs: readonly Tensor[], primals: readonly Tensor[], outputs: readonly Tensor[]): Tensor[] {
    const parents = inputs.map((x) => (x.level === this.level ? (x as TapeTracer) : undefined))
    const node = new Node(
      rule,
      primals,
      parents.map((x) => (x === undefined ? undefined : { node: x.node, index: x.index })),
      parents.map((x) => x !== undefined),
    )
    this.nodes.push(node)
    return outputs.map((output, i) => (output.dtype === 'int32' ? output : new TapeTracer(this, output, node, i)))
  }
}

/** a + b, where either may be zero. Set by the elementwise operations, which need `apply` themselves. */
export type Sum = (a: Tensor, b: Tensor) => Tensor

/**
 * Carries cotangents from outputs back along a tape, newest operation first. With `keep` the tape can be used again;
 * otherwise every node is let go as soon as it has been passed.
 */
export function pullBack(
  nodes: Node[],
  outputs: readonly Tensor[],
  cotangents: readonly Tensor[],
  leaves: readonly Node[],
  sum: Sum,
  keep: boolean,
): MaybeZero[] {
  outputs.forEach((output, i) => {
    if (output instanceof TapeTracer) receive(output.node, output.index, cotangents[i], sum)
  })
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]
    if (!keep) nodes.pop()
    const { rule, parents } = node
    if (rule === undefined || node.cotangents.length === 0) continue
    const { cotangents: arrived } = node
    node.cotangents = []
    const sent = rule.pull(arrived, node)
    for (let p = 0; p < parents.length; p++) {
      const parent = parents[p]
      const cotangent = sent[p]
      if (parent === undefined || cotangent === undefined) continue
      if (!sameShape(cotangent.shape, node.inputs[p].shape)) refuseCotangent(rule.name, cotangent, node.inputs[p])
      receive(parent.node, parent.index, cotangent, sum)
    }
  }
  return leaves.map((leaf) => {
    const [cotangent] = leaf.cotangents
    leaf.cotangents = []
    return cotangent
  })
}

function receive(node: Node, index: number, cotangent: Tensor, sum: Sum): void {
  const before = node.cotangents[index]
  node.cotangents[index] = before === undefined ? cotangent : sum(before, cotangent)
}

function refuseCotangent(name: string, cotangent: Tensor, input: Tensor): never {
  const [expected, came] = [shapeText(input.shape), shapeText(cotangent.shape)]
  throw new ExtremaError('ERR_SHAPE', `${name}: expected a cotangent of shape ${expected}, got ${came}`)
}

/** Carries tangents of the arguments forward along a tape. */
export function pushForward(
  nodes: readonly Node[],
  outputs: readonly Tensor[],
  tangents: readonly MaybeZero[],
  leaves: readonly Node[],
): MaybeZero[] {
  leaves.forEach((leaf, i) => {
    leaf.tangents = [tangents[i]]
  })
  for (const node of nodes) {
    if (node.rule === undefined) continue
    const incoming = node.parents.map((parent) => parent?.node.tangents[parent.index])
    node.tangents = incoming.every((tangent) => tangent === undefined) ? [] : node.rule.push(incoming, node)
  }
  const out = outputs.map((output) => (output instanceof TapeTracer ? output.node.tangents[output.index] : undefined))
  for (const node of nodes) node.tangents = []
  return out
}
