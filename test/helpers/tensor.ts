import { expect } from 'chai'
import { add, grad, jvp, mul, sum, type Tensor, tensor, vjp } from '../../lib/tensor/index.js'
import { inner } from './matrices.js'

export type Operation = (...inputs: Tensor[]) => Tensor

/** x + t v */
function moved(x: readonly Tensor[], v: readonly Tensor[], t: number): Tensor[] {
  return x.map((leaf, k) => {
    const out = tensor(leaf.data, { dtype: leaf.dtype })
    for (let i = 0; i < out.size; i++) out.data[i] += t * v[k].data[i]
    return out.view(leaf.shape)
  })
}

/** The slope of value(t) at 0 by the five-point rule. */
function slope(value: (t: number) => number, step: number): number {
  return (8 * (value(step) - value(-step)) - (value(2 * step) - value(-2 * step))) / (12 * step)
}

/** Numbers of a shape from a source. */
export function draw(shape: readonly number[], next: () => number, dtype: 'float64' | 'float32' = 'float64'): Tensor {
  const size = shape.reduce((product, length) => product * length, 1)
  return tensor(
    Array.from({ length: size }, () => next()),
    { dtype },
  ).view(shape)
}

/** Entry by entry, relative to the larger ones; NaN only where NaN is expected. */
export function expectNear(came: Tensor, expected: ArrayLike<number>, tolerance: number): void {
  expect(came.size).to.equal(expected.length)
  for (let i = 0; i < came.size; i++) {
    const bound = tolerance * Math.max(1, Math.abs(expected[i]))
    const same = Object.is(came.data[i], expected[i]) || Math.abs(came.data[i] - expected[i]) <= bound
    if (!same) expect.fail(`entry ${i}: expected ${expected[i]}, got ${came.data[i]}`)
  }
}

function innerOf(a: readonly Tensor[], b: readonly Tensor[]): number {
  return a.reduce((total, x, k) => total + inner(x.data as Float64Array, b[k].data as Float64Array), 0)
}

/**
 * Holds the derivatives of an operation against differences of its values, along random directions: J v in both modes,
 * which must agree in ⟨u, J v⟩ = ⟨Jᵀ u, v⟩, and the second derivatives forward over reverse, reverse over reverse and
 * reverse over forward.
 */
export function checkDerivatives(
  f: Operation,
  x: readonly Tensor[],
  next: () => number,
  { step = 5e-5, tolerance = 1e-7, second = true }: { step?: number; tolerance?: number; second?: boolean } = {},
): void {
  const all = (leaves: Tensor[]): Tensor => f(...leaves)
  const start = [...x]
  const y = all(start)
  const u = draw(y.shape, next)
  const v = x.map(({ shape }) => draw(shape, next))
  const weighed = (leaves: Tensor[]): Tensor => sum(mul(u, all(leaves)))

  const expected = slope((t) => inner(u.data as Float64Array, all(moved(x, v, t)).data as Float64Array), step)
  const { value, tangent } = jvp(all, start, v)
  expect([...value.data]).to.deep.equal([...y.data])
  expect(tangent.shape).to.deep.equal(y.shape)
  const forward = innerOf([u], [tangent])
  const cotangents = vjp(all, start).pullback(u)
  expect(cotangents.map(({ shape }) => shape)).to.deep.equal(x.map(({ shape }) => shape))
  const reverse = innerOf(cotangents, v)
  const size = Math.max(1, Math.abs(expected), scale([u], [tangent]))
  expect(forward, 'J v').to.be.closeTo(expected, tolerance * size)
  expect(reverse, '⟨Jᵀ u, v⟩').to.be.closeTo(forward, 1e-12 * size)
  if (!second) return

  const gradient = grad(weighed)
  const w = x.map(({ shape }) => draw(shape, next))
  const curved = slope((t) => innerOf(w, gradient(moved(x, v, t))), step)
  const hv = jvp(gradient, start, v).tangent
  const bound = Math.max(1, Math.abs(curved), scale(w, hv))
  expect(innerOf(w, hv), 'forward over reverse').to.be.closeTo(curved, tolerance * bound)
  const along = (leaves: Tensor[]): Tensor =>
    gradient(leaves)
      .map((leaf, k) => sum(mul(leaf, v[k])))
      .reduce((total, part) => add(total, part))
  expect(innerOf(w, grad(along)(start)), 'reverse over reverse').to.be.closeTo(curved, tolerance * bound)
  const slopeOf = (leaves: Tensor[]): Tensor => jvp(weighed, leaves, v).tangent
  expect(innerOf(w, grad(slopeOf)(start)), 'reverse over forward').to.be.closeTo(curved, tolerance * bound)
}

/** Σ |a_i b_i|: how large an inner product could be. */
function scale(a: readonly Tensor[], b: readonly Tensor[]): number {
  let total = 0
  a.forEach((x, k) => {
    for (let i = 0; i < x.size; i++) total += Math.abs(x.data[i] * b[k].data[i])
  })
  return total
}
