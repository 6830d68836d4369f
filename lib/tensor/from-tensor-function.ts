import type { NdArray, VectorLike } from '../core/arrays.js'
import { toFloat64 } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { mul } from './elementwise.js'
import { grad, valueAndGrad, vjp } from './grad.js'
import { hvp } from './hvp.js'
import { jvp } from './jvp.js'
import { linearize } from './linearize.js'
import { sum } from './reduce.js'
import { checkTensor, fromData, type Tensor, zerosLike } from './tensor.js'
import { type Flat, flatten, unflatten } from './tree.js'
import { withArena } from './with-arena.js'

/**
 * A tensor function as functions of vectors of float64: the oracles that solvers take. They do not use `this`, so they can be taken
 * apart: `const { value, gradient } = fromTensorFunction(f)`. All are synchronous; their results are fresh arrays.
 */
export interface TensorOracles<X> {
  /** f(x) of a function whose value is one number. */
  value(x: VectorLike): number
  /** f(x), all its numbers in order. */
  values(x: VectorLike): Float64Array
  /** ∇f(x) */
  gradient(x: VectorLike): Float64Array
  /** Both for the price of the gradient. */
  valueAndGradient(x: VectorLike): { value: number; gradient: Float64Array }
  /** ∇²f(x) v; of a function with several values, of their sum with the `weights`. */
  hvp(x: VectorLike, v: VectorLike, weights?: VectorLike): Float64Array
  /** ∇²f(x), n × n and symmetric, with `weights` as in `hvp`: n products. */
  hessian(x: VectorLike, weights?: VectorLike): NdArray
  /** J v */
  jvp(x: VectorLike, v: VectorLike): Float64Array
  /** Jᵀ u */
  vjp(x: VectorLike, u: VectorLike): Float64Array
  /** J, m × n: by rows or columns, whichever are fewer. */
  jacobian(x: VectorLike): NdArray
  /** The vector as f's argument. */
  unravel(x: VectorLike): X
  /** An argument of f as a vector. */
  ravel(x: X): Float64Array
}

/**
 * Makes oracles of a synchronous function from a tree of tensors to a tensor. Without `like` its argument is a float64 tensor of one
 * axis; with it, a tree of that structure and those shapes and dtypes, whose leaves stand one behind the other in the vectors.
 *
 * @throws {ExtremaError} `ERR_SHAPE` for vectors of another length, and from `value`, `gradient` and their kind where f has not one number
 * as value
 */
export function fromTensorFunction<X = Tensor>(f: (x: X) => Tensor, like?: X): TensorOracles<X> {
  if (typeof f !== 'function') {
    throw new ExtremaError('ERR_OPTION', `f: expected a function, got ${describe(f)}`)
  }
  const form = like === undefined ? null : formOf(like)
  const unravel = (name: string, x: VectorLike): X => {
    const vector = toFloat64(name, x)
    if (form === null) return fromData(vector, [vector.length]) as X
    if (vector.length !== form.n) {
      throw new ExtremaError('ERR_SHAPE', `${name}: expected ${form.n} numbers, got ${vector.length}`)
    }
    return unflatten(form.flat.structure, cut(vector, form.flat)) as X
  }
  /** Σ weights_j f_j */
  const weighed = (weights: VectorLike | undefined) => (x: X) => {
    const value = checkTensor('f', f(x))
    return weights === undefined ? value : sum(mul(shaped('weights', weights, value), value))
  }
  return {
    value: (x) => withArena(() => oneNumber(f(unravel('x', x)))),
    values: (x) => withArena(() => numbers(checkTensor('f', f(unravel('x', x))))),
    gradient: (x) => withArena(() => joined(grad(f)(unravel('x', x)))),
    valueAndGradient: (x) =>
      withArena(() => {
        const { value, gradient } = valueAndGrad(f)(unravel('x', x))
        return { value: value.item(), gradient: joined(gradient) }
      }),
    hvp: (x, v, weights) => withArena(() => joined(hvp(weighed(weights), unravel('x', x), unravel('v', v)))),
    hessian: (x, weights) => withArena(() => hessianOf(grad(weighed(weights)), unravel('x', x))),
    jvp: (x, v) => withArena(() => numbers(jvp(f, unravel('x', x), unravel('v', v)).tangent)),
    vjp: (x, u) =>
      withArena(() => {
        const { value, pullback } = vjp(f, unravel('x', x))
        return joined(pullback(shaped('u', u, value)))
      }),
    jacobian: (x) => withArena(() => jacobianOf(f, unravel('x', x))),
    unravel: (x) => unravel('x', toFloat64('x', x).slice()),
    ravel: (x) => joined(x),
  }
}

interface Form {
  flat: Flat
  n: number
}

function formOf(like: unknown): Form {
  const flat = flatten('like', like)
  for (const { dtype } of flat.leaves) {
    if (dtype === 'int32') throw new ExtremaError('ERR_DTYPE', 'like: expected float64 or float32, got int32')
  }
  return { flat, n: flat.leaves.reduce((n, { size }) => n + size, 0) }
}

/** The parts of a vector as tensors of those shapes; in float64 without a copy. */
function cut(vector: Float64Array, { leaves }: Flat): Tensor[] {
  let from = 0
  return leaves.map(({ size, shape, dtype }) => {
    const part = vector.subarray(from, from + size)
    from += size
    return fromData(dtype === 'float32' ? Float32Array.from(part) : part, shape as number[])
  })
}

function joined(tree: unknown): Float64Array {
  const { leaves } = flatten('x', tree)
  const out = new Float64Array(leaves.reduce((n, { size }) => n + size, 0))
  let from = 0
  for (const leaf of leaves) {
    out.set(leaf.data, from)
    from += leaf.size
  }
  return out
}

function numbers(x: Tensor): Float64Array {
  return Float64Array.from(x.data)
}

function oneNumber(value: unknown): number {
  return checkTensor('f', value).item()
}

/** A vector as a tensor like another. */
function shaped(name: string, vector: VectorLike, like: Tensor): Tensor {
  const values = toFloat64(name, vector)
  if (values.length !== like.size) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${like.size} numbers, got ${values.length}`)
  }
  return fromData(like.dtype === 'float32' ? Float32Array.from(values) : values, like.shape as number[])
}

/** Each unit vector as a tree like x, in turn. */
function* units<X>(x: X): Generator<X> {
  const { leaves, structure } = flatten('x', x)
  for (const [k, leaf] of leaves.entries()) {
    for (let i = 0; i < leaf.size; i++) {
      const unit = leaves.map(zerosLike)
      unit[k].data[i] = 1
      yield unflatten(structure, unit) as X
    }
  }
}

function hessianOf<X>(gradient: (x: X) => X, x: X): NdArray {
  const { jvp } = linearize(gradient, x)
  const columns = Array.from(units(x), (unit) => joined(jvp(unit)))
  const n = columns.length
  const data = new Float64Array(n * n)
  // The mean with the transpose: symmetric to the last bit.
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) data[i * n + j] = (columns[i][j] + columns[j][i]) / 2
  return { data, shape: [n, n] }
}

function jacobianOf<X>(f: (x: X) => Tensor, x: X): NdArray {
  const map = linearize(f, x)
  const m = map.value.size
  const n = joined(x).length
  const data = new Float64Array(m * n)
  if (m <= n) {
    let i = 0
    for (const unit of units(map.value)) data.set(joined(map.vjp(unit)), i++ * n)
  } else {
    let j = 0
    for (const unit of units(x)) {
      const column = numbers(map.jvp(unit))
      for (let i = 0; i < m; i++) data[i * n + j] = column[i]
      j++
    }
  }
  return { data, shape: [m, n] }
}
