import { binaryOps, reduceOps, unaryOps } from '../../backend/tensor.js'
import type { Primitive } from '../primitive.js'
import type { Shape, Tensor } from '../tensor.js'

/**
 * How a value on a tape depends on samples: `rows` has one stretch of its leading axis for each sample, in order, from which
 * alone that sample's loss follows; `shared` is made of parameters alone and serves all samples; anything else is a constant,
 * which is free to do either.
 */
export type Role = 'rows' | 'shared' | 'constant'

/**
 * The role of an operation's result, or undefined where the samples may mix in it or lie otherwise than in rows: then the
 * gradients are made one after the other.
 */
export function roleOf(
  primitive: Primitive<never>,
  inputs: readonly Tensor[],
  roles: readonly Role[],
  output: Tensor,
  params: unknown,
  samples: number,
): Role | undefined {
  const keeps = rowwise[primitive.name]
  const rows = roles.includes('rows')
  const fits = output.rank > 0 && output.shape[0] > 0 && output.shape[0] % samples === 0
  if (keeps !== undefined && fits && keeps(inputs, roles, output, params)) return 'rows'
  return rows ? undefined : 'shared'
}

/**
 * Whether row i of the output takes row i of operands with rows only. An operand that is shared must serve all rows: with
 * one that has them itself, the output is no more than shared.
 */
type Rule = (inputs: readonly Tensor[], roles: readonly Role[], output: Tensor, params: unknown) => boolean

/** Entry by entry with broadcasting: operands with rows have the leading axis, shared ones do not. */
const aligned: Rule = (inputs, roles, output) =>
  inputs.every((input, i) => {
    const leads = input.rank === output.rank && input.shape[0] === output.shape[0]
    if (roles[i] === 'rows') return leads
    return roles[i] === 'constant' || !hasLead(input, output)
  })

/** Whether it has the leading axis of the output, and not with length 1. */
export function hasLead(input: Tensor, output: Tensor): boolean {
  return input.rank === output.rank && input.shape[0] !== 1
}

/** One operand that keeps its leading axis. */
const single =
  (keeps: (input: Shape, output: Shape, params: unknown) => boolean): Rule =>
  ([input], [role], output, params) =>
    role === 'rows' && keeps(input.shape, output.shape, params)

const always = single(() => true)
const notFirstAxis = single((_input, _output, params) => (params as { axis: number }).axis !== 0)

/** A selection or placement that takes the leading axis as it is. */
const wholeLead = single((input, output, params) => {
  const { starts, steps } = params as { starts: readonly number[]; steps: readonly number[] }
  return starts[0] === 0 && steps[0] === 1 && input[0] === output[0]
})

const product: Rule = (inputs, roles, output, params) => {
  const { transposeA } = params as { transposeA: boolean }
  const [a, b] = inputs
  if (output.rank > 2) return aligned([a, b], roles, output, params)
  // Rows of the left factor by one matrix.
  return roles[1] !== 'rows' && roles[0] !== 'shared' && !transposeA && (roles[0] === 'rows' || roles[1] === 'shared')
}

const rowwise: Record<string, Rule | undefined> = {
  ...Object.fromEntries(unaryOps.map((name) => [name, always])),
  ...Object.fromEntries(binaryOps.map((name) => [name, aligned])),
  // Over the leading axis they leave length 1, which is no row for each sample.
  ...Object.fromEntries(reduceOps.map((name) => [name, always])),
  cast: always,
  // Rows are stretches of memory: of another length, but in the same order.
  reshape: always,
  where: aligned,
  broadcastTo: aligned,
  matmul: product,
  transpose: single((_input, _output, order) => (order as number[])[0] === 0),
  slice: wholeLead,
  pad: wholeLead,
  cumsum: notFirstAxis,
  gather: notFirstAxis,
  scatterAdd: notFirstAxis,
  softmax: single((input) => input.length > 1),
  crossEntropy: single((input) => input.length > 1),
  concat: (inputs, roles, output, axis) =>
    axis !== 0 && inputs.every((input, i) => roles[i] !== 'shared' && input.shape[0] === output.shape[0]),
}
