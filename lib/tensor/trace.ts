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
    return (x as Tracer).trace === this ? (x as Tracer).primal : x
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

/** The trace of the highest level among the operands, if any is traced. Refuses operands whose transformation has ended. */
export function topTrace(name: string, inputs: readonly Tensor[]): Trace | undefined {
  let top: Trace | undefined
  for (let i = 0; i < inputs.length; i++) {
    if (inputs[i].level === 0) continue
    const { trace } = inputs[i] as Tracer
    if (active[trace.level - 1] !== trace) refuseEnded(name, inputs[i])
    if (top === undefined || trace.level > top.level) top = trace
  }
  return top
}

function refuseEnded(name: string, { shape }: Tensor): never {
  throw new ExtremaError(
    'ERR_TAPE',
    `${name}: its operand ${shapeText(shape)} was traced in a transformation that has ended; return values from the function instead of storing them`,
  )
}

/** For functions that are differentiated as a whole: their values must not come from others that are traced at the level. */
export function refuseClosures(name: string, trace: Trace, outputs: readonly Tensor[]): void {
  for (const { level, shape } of outputs) {
    if (level < trace.level) continue
    const came = `a value of shape ${shapeText(shape)} that depends on others`
    throw new ExtremaError('ERR_TAPE', `${name}: expected a function of its arguments alone, got ${came}`)
  }
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
    return (x as Tracer).trace === this ? (x as JvpTracer).tangent : undefined
  }

  process<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor {
    const primals = inputs.map((x) => this.lower(x))
    const tangents = inputs.map((x) => this.tangent(x))
    const output = apply(primitive, primals, params)
    return this.lift(
      output,
      fitting('tangent', primitive.name, primitive.jvp(primals, tangents, output, params), output),
    )
  }

  processMany<P>(primitive: MultiPrimitive<P>, inputs: readonly Tensor[], params: P): Tensor[] {
    const primals = inputs.map((x) => this.lower(x))
    const tangents = inputs.map((x) => this.tangent(x))
    const outputs = applyMany(primitive, primals, params)
    const moved = primitive.jvp(primals, tangents, outputs, params)
    return outputs.map((output, i) => this.lift(output, fitting('tangent', primitive.name, moved[i], output)))
  }
}

/** Shared by all nodes that hold nothing: a node costs few allocations. */
const none: readonly never[] = []

/** One operation on the tape, or with `rule` undefined an argument of the function. */
export class Node {
  cotangents: readonly MaybeZero[] = none
  tangents: readonly MaybeZero[] = none

  constructor(
    public rule: Rule | undefined,
    public inputs: readonly Tensor[],
    /** Which outputs of which nodes the operands are, where they are on the tape. */
    public parents: readonly (TapeTracer | undefined)[],
  ) {}

  /** The operands on the tape. */
  get needs(): readonly boolean[] {
    const [first, second] = this.parents
    if (this.parents.length === 1) return first === undefined ? noneOfOne : oneOfOne
    if (this.parents.length === 2 && first !== undefined && second !== undefined) return bothOfTwo
    return this.parents.map((parent) => parent !== undefined)
  }

  /** Lets go what it remembers, since the tracers of its outputs may live on. */
  release(): void {
    this.rule = undefined
    this.inputs = none
    this.parents = none
  }
}

const noneOfOne = [false]
const oneOfOne = [true]
const bothOfTwo = [true, true]

/** The rules of an operation at its operands and outputs. */
export interface Rule {
  name: string
  pull(cotangents: readonly MaybeZero[], node: Node): readonly MaybeZero[]
  push(tangents: readonly MaybeZero[], node: Node): readonly MaybeZero[]
}

export class PrimitiveRule<P> implements Rule {
  constructor(
    readonly primitive: Primitive<P>,
    readonly output: Tensor,
    readonly params: P,
  ) {}

  get name(): string {
    return this.primitive.name
  }

  pull(cotangents: readonly MaybeZero[], { inputs, needs }: Node): readonly MaybeZero[] {
    return this.pullTo(cotangents, inputs, needs)
  }

  /** The same at other operands, or for other needs. */
  pullTo(
    [cotangent]: readonly MaybeZero[],
    inputs: readonly Tensor[],
    needs: readonly boolean[],
  ): readonly MaybeZero[] {
    const { primitive, output, params } = this
    const g = cotangent as Tensor
    if (primitive.fusedVjp !== undefined && g.level === 0 && output.level === 0 && inputs.every(isPlain)) {
      return primitive.fusedVjp(g, inputs, output, params, needs)
    }
    return primitive.vjp(g, inputs, output, params, needs)
  }

  push(tangents: readonly MaybeZero[], { inputs }: Node): readonly MaybeZero[] {
    const { primitive, output, params } = this
    return [fitting('tangent', primitive.name, primitive.jvp(inputs, tangents, output, params), output)]
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
    const { primitive, outputs, params } = this
    const moved = primitive.jvp(inputs, tangents, outputs, params)
    return outputs.map((output, i) => fitting('tangent', primitive.name, moved[i], output))
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
    const node = new Node(undefined, none, none)
    this.nodes.push(node)
    return new TapeTracer(this, primal, node, 0)
  }

  process<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor {
    const primals = this.below(inputs)
    const output = apply(primitive, primals, params)
    if (output.dtype === 'int32') return output
    const node = new Node(new PrimitiveRule(primitive, output, params), primals, this.parentsOf(inputs))
    this.nodes.push(node)
    return new TapeTracer(this, output, node, 0)
  }

  processMany<P>(primitive: MultiPrimitive<P>, inputs: readonly Tensor[], params: P): Tensor[] {
    const primals = this.below(inputs)
    const outputs = applyMany(primitive, primals, params)
    return this.record(new MultiRule(primitive, outputs, params), inputs, primals, outputs)
  }

  /** Puts an operation on the tape and traces its outputs. */
  record(rule: Rule, inputs: readonly Tensor[], primals: readonly Tensor[], outputs: readonly Tensor[]): Tensor[] {
    const node = new Node(rule, primals, this.parentsOf(inputs))
    this.nodes.push(node)
    return outputs.map((output, i) => (output.dtype === 'int32' ? output : new TapeTracer(this, output, node, i)))
  }

  private below(inputs: readonly Tensor[]): Tensor[] {
    const primals = new Array<Tensor>(inputs.length)
    for (let i = 0; i < inputs.length; i++) primals[i] = this.lower(inputs[i])
    return primals
  }

  private parentsOf(inputs: readonly Tensor[]): (TapeTracer | undefined)[] {
    const parents = new Array<TapeTracer | undefined>(inputs.length)
    for (let i = 0; i < inputs.length; i++) {
      const x = inputs[i] as TapeTracer
      parents[i] = x.trace === this ? x : undefined
    }
    return parents
  }
}

/** a + b, where either may be zero. Set by the elementwise operations, which need `apply` themselves. */
export type Sum = (a: Tensor, b: Tensor) => Tensor

/**
 * Carries cotangents from outputs back along a tape, newest operation first. With `keep` the tape can be used again;
 * otherwise every node is let go as soon as it has been passed.
 */
export function pullBack(
  trace: TapeTrace,
  outputs: readonly Tensor[],
  cotangents: readonly Tensor[],
  leaves: readonly Node[],
  sum: Sum,
  keep: boolean,
): MaybeZero[] {
  const { nodes } = trace
  try {
    outputs.forEach((output, i) => {
      // A value may also be traced further out, on another tape: then it is a constant here.
      if (isOn(trace, output)) receive(output.node, output.index, cotangents[i], sum)
    })
    for (let i = nodes.length - 1; i >= 0; i--) {
      const node = nodes[i]
      pass(node, sum)
      if (keep) continue
      node.release()
      nodes.pop()
    }
    return leaves.map((leaf) => leaf.cotangents[0])
  } finally {
    // Also after an exception in a rule: what has arrived must not count in the next pull.
    for (const node of nodes) {
      node.cotangents = none
      if (!keep) node.release()
    }
    for (const leaf of leaves) leaf.cotangents = none
    if (!keep) nodes.length = 0
  }
}

function isOn(trace: TapeTrace, x: Tensor): x is TapeTracer {
  return (x as Tracer).trace === trace
}

/** Sends the cotangents of a node on to its parents. */
function pass(node: Node, sum: Sum): void {
  const { rule, parents, inputs, cotangents: arrived } = node
  if (rule === undefined || arrived.length === 0) return
  node.cotangents = none
  const sent = rule.pull(arrived, node)
  for (let p = 0; p < parents.length; p++) {
    const parent = parents[p]
    if (parent === undefined) continue
    const cotangent = fitting('cotangent', rule.name, sent[p], inputs[p])
    if (cotangent !== undefined) receive(parent.node, parent.index, cotangent, sum)
  }
}

function receive(node: Node, index: number, cotangent: Tensor, sum: Sum): void {
  const { cotangents } = node
  const before = cotangents[index]
  const after = before === undefined ? cotangent : sum(before, cotangent)
  if (cotangents === none) {
    node.cotangents = index === 0 ? [after] : [...new Array<MaybeZero>(index), after]
  } else {
    ;(cotangents as MaybeZero[])[index] = after
  }
}

/** A derivative has the shape and the dtype of its value. */
function fitting(kind: string, name: string, derivative: MaybeZero, { shape, dtype }: Tensor): MaybeZero {
  if (derivative === undefined) return undefined
  if (!sameShape(derivative.shape, shape)) {
    const [expected, came] = [shapeText(shape), shapeText(derivative.shape)]
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a ${kind} of shape ${expected}, got ${came}`)
  }
  if (derivative.dtype !== dtype) {
    const came = `${derivative.dtype} ${shapeText(shape)}`
    throw new ExtremaError('ERR_DTYPE', `${name}: expected a ${kind} of dtype ${dtype}, got ${came}`)
  }
  return derivative
}

/** Carries tangents of the arguments forward along a tape. */
export function pushForward(
  trace: TapeTrace,
  outputs: readonly Tensor[],
  tangents: readonly MaybeZero[],
  leaves: readonly Node[],
): MaybeZero[] {
  const { nodes } = trace
  try {
    leaves.forEach((leaf, i) => {
      leaf.tangents = [tangents[i]]
    })
    for (const node of nodes) {
      if (node.rule === undefined) continue
      const incoming = node.parents.map((parent) => parent?.node.tangents[parent.index])
      node.tangents = incoming.every((tangent) => tangent === undefined) ? none : node.rule.push(incoming, node)
    }
    return outputs.map((output) => (isOn(trace, output) ? output.node.tangents[output.index] : undefined))
  } finally {
    for (const node of nodes) node.tangents = none
  }
}
