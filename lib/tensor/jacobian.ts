import { grad } from './grad.js'
import { stack } from './index-ops.js'
import { linearize } from './linearize.js'
import { reshape } from './shape.js'
import { blank, sizeOf, type Tensor, zerosLike } from './tensor.js'
import { flatten, unflatten } from './tree.js'

/**
 * The trees of a Jacobian: a tensor of shape [...output, ...input] for each pair of leaves, arranged as the tree of the
 * value with a tree of x in the place of each leaf. For a function from a tensor to a tensor it is a tensor.
 */
// biome-ignore lint/suspicious/noExplicitAny: the type of such a tree cannot be written down for any two trees
export type Jacobian<X, Y> = X extends Tensor ? (Y extends Tensor ? Tensor : any) : any

/** x ↦ the Jacobian of f, by one product J v per number in x: for functions of few numbers. */
export function jacfwd<X, Y>(f: (x: X) => Y): (x: X) => Jacobian<X, Y> {
  return (x) => {
    const { value, jvp } = linearize(f, x)
    const inputs = flatten('x', x)
    const outputs = flatten('value', value)
    const blocks = inputs.leaves.map((leaf, i) => {
      const columns = Array.from({ length: leaf.size }, (_, k) => {
        const v = inputs.leaves.map((other, j) => (i === j ? unit(leaf, k) : zerosLike(other)))
        return flatten('J v', jvp(unflatten(inputs.structure, v) as X)).leaves
      })
      return outputs.leaves.map((output, o) => {
        const shape = [...output.shape, ...leaf.shape]
        if (sizeOf(shape) === 0) return blank(output.dtype, shape)
        const side = columns.map((column) => column[o])
        return reshape(stack(side, output.rank), shape)
      })
    })
    return arranged(outputs.structure, inputs.structure, outputs.leaves.length, (o) => blocks.map((block) => block[o]))
  }
}

/** x ↦ the Jacobian of f, by one product Jᵀ u per number in f(x): for functions with few values. */
export function jacrev<X, Y>(f: (x: X) => Y): (x: X) => Jacobian<X, Y> {
  return (x) => {
    const { value, vjp } = linearize(f, x)
    const inputs = flatten('x', x)
    const outputs = flatten('value', value)
    const blocks = outputs.leaves.map((leaf, o) => {
      const rows = Array.from({ length: leaf.size }, (_, k) => {
        const u = outputs.leaves.map((other, j) => (o === j ? unit(leaf, k) : zerosLike(other)))
        return flatten('Jᵀ u', vjp(unflatten(outputs.structure, u) as Y)).leaves
      })
      return inputs.leaves.map((input, i) => {
        const shape = [...leaf.shape, ...input.shape]
        if (sizeOf(shape) === 0) return blank(leaf.dtype, shape)
        return reshape(stack(rows.map((row) => row[i])), shape)
      })
    })
    return arranged(outputs.structure, inputs.structure, outputs.leaves.length, (o) => blocks[o])
  }
}

/** x ↦ the matrix of second derivatives of f, of shape [...x, ...x]: one tangent of the gradient per number in x. */
export function hessian<X>(f: (x: X) => Tensor): (x: X) => Jacobian<X, X> {
  return jacfwd(grad(f))
}

function arranged<X, Y>(
  outer: ReturnType<typeof flatten>['structure'],
  inner: ReturnType<typeof flatten>['structure'],
  count: number,
  row: (output: number) => Tensor[],
): Jacobian<X, Y> {
  const rows = Array.from({ length: count }, (_, o) => unflatten(inner, row(o)))
  return unflatten(outer, rows) as Jacobian<X, Y>
}

function unit(like: Tensor, k: number): Tensor {
  const out = zerosLike(like)
  out.data[k] = 1
  return out
}
