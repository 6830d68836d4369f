import { add, mul } from '../elementwise.js'
import type { Tape } from '../grad.js'
import { stack } from '../index-ops.js'
import { matmul } from '../matmul.js'
import { broadcastTo, sum } from '../reduce.js'
import { matrixTranspose, reshape, slice } from '../shape.js'
import { onesLike, type Tensor, zeros } from '../tensor.js'
import { type Node, PrimitiveRule, type TapeTracer } from '../trace.js'
import { type Role, roleOf } from './rows.js'

/**
 * The gradients of all losses at once, by one pass back along the tape: cotangents of values with rows belong to the samples
 * by their rows, and only where an operation takes something shared do they become one for each sample. Undefined where
 * the samples do not lie in rows.
 */
export function pullRows(tape: Tape, output: TapeTracer, samples: number): Tensor[] | undefined {
  const { nodes } = tape.trace
  const roles = new Map<Node, Role | undefined>()
  for (const node of nodes) roles.set(node, roleOnTape(node, roles, samples))
  if (roles.get(output.node) !== 'rows') return undefined
  // Of a value with rows the cotangent itself, of a shared one the stack of those of the samples.
  const arrived = new Map<Node, Tensor>([[output.node, onesLike(output.primal)]])
  const send = (to: Node, cotangent: Tensor | undefined): void => {
    const before = arrived.get(to)
    if (cotangent !== undefined) arrived.set(to, before === undefined ? cotangent : add(before, cotangent))
  }
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]
    const { rule, inputs, parents } = node
    const g = arrived.get(node)
    if (g === undefined || rule === undefined) continue
    arrived.delete(node)
    const role = roles.get(node)
    if (role === undefined || !(rule instanceof PrimitiveRule)) return undefined
    if (role === 'shared') {
      stacked(g, node, samples).forEach((part, p) => {
        if (parents[p] !== undefined) send(parents[p].node, part)
      })
      continue
    }
    const shared = parents.map((parent) => parent !== undefined && roles.get(parent.node) === 'shared')
    const needs = parents.map((parent, p) => parent !== undefined && !shared[p])
    const sent = needs.includes(true) ? rule.pullTo([g], inputs, needs) : []
    parents.forEach((parent, p) => {
      if (parent === undefined) return
      send(parent.node, shared[p] ? shareOf(rule, inputs, p, g, samples) : sent[p])
    })
  }
  return tape.leaves.map((leaf, k) => {
    const { shape, dtype } = tape.arguments.leaves[k]
    return arrived.get(leaf) ?? zeros([samples, ...shape], { dtype })
  })
}

function roleOnTape(node: Node, roles: ReadonlyMap<Node, Role | undefined>, samples: number): Role | undefined {
  const { rule, inputs, parents } = node
  if (rule === undefined) return 'shared'
  if (!(rule instanceof PrimitiveRule)) return undefined
  const own: Role[] = []
  for (const parent of parents) {
    const role = parent === undefined ? 'constant' : roles.get(parent.node)
    if (role === undefined) return undefined
    own.push(role)
  }
  return roleOf(rule.primitive, inputs, own, rule.output, rule.params, samples)
}

/** Back through an operation on what is shared, one sample after the other. */
function stacked(g: Tensor, node: Node, samples: number): (Tensor | undefined)[] {
  const { inputs, needs } = node
  const rule = node.rule as PrimitiveRule<unknown>
  const each = Array.from({ length: samples }, (_, b) => rule.pullTo([slice(g, [b])], inputs, needs))
  return inputs.map((_, p) => {
    const parts = each.map((sent) => sent[p]).filter((part) => part !== undefined)
    return needs[p] && parts.length === samples ? stack(parts) : undefined
  })
}

/** The cotangents of a shared operand, one for each sample, from that of a value with rows. */
function shareOf(
  rule: PrimitiveRule<unknown>,
  inputs: readonly Tensor[],
  p: number,
  g: Tensor,
  samples: number,
): Tensor | undefined {
  const { primitive, params, output } = rule
  const { shape } = inputs[p]
  const length = output.shape[0]
  const each = length / samples
  if (primitive.name === 'matmul' && output.rank === 2) {
    return products(inputs[0], g, samples, each, (params as { transposeB: boolean }).transposeB)
  }
  const padded = [...new Array<number>(output.rank - shape.length).fill(1), ...shape]
  const wide = [length, ...padded.slice(1)]
  // With a copy of the operand for each row, the rule sums over what is left of the row only.
  const lifted = primitive.name === 'broadcastTo' ? g : undefined
  const copies = inputs.map((input, k) => (k === p ? broadcastTo(reshape(input, padded), wide) : input))
  const needs = inputs.map((_, k) => k === p)
  const perRow = lifted === undefined ? rule.pullTo([g], copies, needs)[p] : sumOver(lifted, wide)
  if (perRow === undefined) return undefined
  const perSample = reshape(perRow, [samples, each, ...wide.slice(1)])
  return reshape(each === 1 ? perSample : sum(perSample, 1), [samples, ...shape])
}

/** Summed to a shape of the same rank. */
function sumOver(x: Tensor, shape: readonly number[]): Tensor {
  const axes = shape.flatMap((length, axis) => (length === 1 && x.shape[axis] !== 1 ? [axis] : []))
  return sum(x, axes, { keepDims: true })
}

/** Σ over the rows of a sample of x_i g_iᵀ, or of its transpose. */
function products(x: Tensor, g: Tensor, samples: number, each: number, transpose: boolean): Tensor {
  const left = reshape(x, [samples, each, x.shape[1]])
  const right = reshape(g, [samples, each, g.shape[1]])
  // A product of a column and a row by numbers: no BLAS is faster where the depth is 1.
  if (each === 1) return transpose ? mul(matrixTranspose(right), left) : mul(matrixTranspose(left), right)
  return transpose ? matmul(right, left, { transposeA: true }) : matmul(left, right, { transposeA: true })
}
