import {
  type BinaryOp,
  binaryOps,
  type CompareOp,
  compareOps,
  type DerivativeOp,
  derivativeOps,
  type UnaryOp,
  unaryOps,
} from '../backend/tensor.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { kernelsFor } from './backend.js'
import { broadcastShapes, checkFloat, checkSameDType, pairPlan } from './broadcast.js'
import type { MaybeZero, Primitive } from './primitive.js'
import { broadcastTo, sumTo } from './reduce.js'
import { blank, checkTensor, type DType, sameShape, scalar, shapeText, type Tensor, type TensorLike } from './tensor.js'
import { apply, concrete } from './trace.js'

/** How an operation is differentiated: f'(x) as a tensor, or undefined where it is zero. */
type Derivative = (x: Tensor, y: Tensor, parameter: number) => MaybeZero

function unaryPrimitive(name: UnaryOp, derivative: Derivative): Primitive<number> {
  const op = unaryOps.indexOf(name)
  const fused = derivativeOps.indexOf(name as DerivativeOp)
  const scaled = (g: Tensor, x: Tensor, y: Tensor, parameter: number): MaybeZero => {
    const slope = derivative(x, y, parameter)
    return slope === undefined ? undefined : mul(g, slope)
  }
  const primitive: Primitive<number> = {
    name,
    evaluate([x], parameter) {
      if (!wholeOps.has(name)) checkFloat(name, x)
      const out = blank(x.dtype, x.shape)
      kernelsFor(x.dtype, x.size).unary(op, out.data, x.data, parameter)
      return out
    },
    jvp: ([x], [v], y, parameter) => (v === undefined ? undefined : scaled(v, x, y, parameter)),
    vjp: (g, [x], y, parameter) => [scaled(g, x, y, parameter)],
  }
  if (fused >= 0) {
    primitive.fusedVjp = (g, [x], y, parameter) => {
      const out = blank(x.dtype, x.shape)
      kernelsFor(x.dtype, x.size).derivative(fused, out.data, g.data, x.data, y.data, parameter)
      return [out]
    }
  }
  return primitive
}

const wholeOps: ReadonlySet<UnaryOp> = new Set(['neg', 'square', 'abs', 'sign', 'floor', 'relu'] as const)

function define(name: UnaryOp, derivative: Derivative): (x: Tensor) => Tensor {
  const primitive = unaryPrimitive(name, derivative)
  return (x) => apply(primitive, [tensorOf(name, x)], 0)
}

function tensorOf(name: string, x: unknown): Tensor {
  return typeof x === 'number' ? scalar(x) : checkTensor(name, x)
}

export const neg = define('neg', (x) => constant(-1, x.dtype))
export const exp = define('exp', (_, y) => y)
export const log = define('log', (x) => reciprocal(x))
/** log(1 + x), exact for small x. */
export const log1p = define('log1p', (x) => reciprocal(add(x, 1)))
/** exp(x) - 1, exact for small x. */
export const expm1 = define('expm1', (_, y) => add(y, 1))
export const sqrt = define('sqrt', (_, y) => div(0.5, y))
/** 1 / √x */
export const rsqrt = define('rsqrt', (x, y) => mul(-0.5, div(y, x)))
/** 1 / x */
export const reciprocal = define('reciprocal', (_, y) => neg(square(y)))
export const square = define('square', (x) => mul(2, x))
/** |x|; the derivative at 0 is taken as 0. */
export const abs = define('abs', (x) => sign(x))
/** -1, 0 or 1, as a constant: its derivative is 0. */
export const sign = define('sign', () => undefined)
/** The whole number below, as a constant: its derivative is 0. */
export const floor = define('floor', () => undefined)
export const sin = define('sin', (x) => cos(x))
export const cos = define('cos', (x) => neg(sin(x)))
export const tanh = define('tanh', (_, y) => sub(1, square(y)))
/** 1 / (1 + exp(-x)) */
export const sigmoid = define('sigmoid', (_, y) => mul(y, sub(1, y)))
/** log(1 + exp(x)) */
export const softplus = define('softplus', (x) => sigmoid(x))
/** The error function (W. J. Cody 1969). */
export const erf = define('erf', (x) => mul(2 / Math.sqrt(Math.PI), exp(neg(square(x)))))
/** 1 - erf(x), exact for large x. */
export const erfc = define('erfc', (x) => mul(-2 / Math.sqrt(Math.PI), exp(neg(square(x)))))
/** The logarithm of the standard normal distribution function. */
export const logNdtr = define('logNdtr', (x) => inverseMills(x))
/** φ(x) / Φ(x) of the standard normal distribution, the derivative of `logNdtr`; near -x far to the left. */
export const inverseMills = define('inverseMills', (x, y) => neg(mul(y, add(x, y))))
/** log |Γ(x)| */
export const lgamma = define('lgamma', (x) => digamma(x))
/** max(x, 0); the derivative at 0 is taken as 0. */
export const relu = define('relu', (x) => cast(greater(x, 0), x.dtype))
/** x Φ(x), exactly (no approximation by tanh). */
export const gelu = define('gelu', (x) => {
  const density = mul(1 / Math.sqrt(2 * Math.PI), exp(mul(-0.5, square(x))))
  return add(mul(0.5, erfc(mul(-Math.SQRT1_2, x))), mul(x, density))
})
/** x sigmoid(x) */
export const silu = define('silu', (x) => {
  const s = sigmoid(x)
  return mul(s, add(1, mul(x, sub(1, s))))
})

const polygammaPrimitive = unaryPrimitive('polygamma', (x, _, order) => polygamma(order + 1, x))

/** The derivative of order n >= 0 of the digamma function. */
export function polygamma(order: number, x: Tensor): Tensor {
  if (!Number.isInteger(order) || order < 0) {
    throw new ExtremaError('ERR_OPTION', `polygamma: expected a whole order >= 0, got ${describe(order)}`)
  }
  return apply(polygammaPrimitive, [tensorOf('polygamma', x)], order)
}

/** The derivative of `lgamma`. */
export function digamma(x: Tensor): Tensor {
  return polygamma(0, x)
}

const leakyReluPrimitive = unaryPrimitive('leakyRelu', (x, _, slope) =>
  where(greater(x, 0), constant(1, x.dtype), constant(slope, x.dtype)),
)

/** x for x > 0, otherwise `slope` x. */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  return apply(leakyReluPrimitive, [tensorOf('leakyRelu', x)], slope)
}

const powerPrimitive = unaryPrimitive('power', (x, _, exponent) =>
  exponent === 0 ? undefined : mul(exponent, power(x, exponent - 1)),
)

function power(x: Tensor, exponent: number): Tensor {
  if (exponent === 1) return x
  return exponent === 2 ? square(x) : apply(powerPrimitive, [x], exponent)
}

type Pair = readonly [MaybeZero, MaybeZero]
/** The factors of g in the cotangents of x and y. */
type Partials = (x: Tensor, y: Tensor, out: Tensor, needs: readonly boolean[]) => Pair

function binaryPrimitive(name: BinaryOp, rules: Pick<Primitive<null>, 'jvp' | 'vjp'>): Primitive<null> {
  const op = binaryOps.indexOf(name)
  return {
    name,
    evaluate([x, y]) {
      checkSameDType(name, x, y)
      if (name === 'div' || name === 'pow') checkFloat(name, x)
      const shape = broadcastShapes(name, x.shape, y.shape)
      const out = blank(x.dtype, shape)
      const same = x.size === y.size && x.size === out.size
      const plan = same ? null : pairPlan(shape, x.shape, y.shape)
      kernelsFor(x.dtype, out.size).binary(op, out.data, x.data, y.data, plan)
      return out
    },
    ...rules,
  }
}

/** Rules of an operation by its partial derivatives. */
function byPartials(partials: Partials): Pick<Primitive<null>, 'jvp' | 'vjp'> {
  return {
    jvp([x, y], [u, v], out) {
      const [dx, dy] = partials(x, y, out, [u !== undefined, v !== undefined])
      const first = u === undefined || dx === undefined ? undefined : mul(u, dx)
      const second = v === undefined || dy === undefined ? undefined : mul(v, dy)
      return fitting(sumOf(first, second), out)
    },
    vjp(g, [x, y], out, _params, needs) {
      const [dx, dy] = partials(x, y, out, needs)
      return [
        needs[0] && dx !== undefined ? sumTo(mul(g, dx), x.shape) : undefined,
        needs[1] && dy !== undefined ? sumTo(mul(g, dy), y.shape) : undefined,
      ]
    },
  }
}

/** a + b, where either may be zero. */
/** @internal */
export function sumOf(a: MaybeZero, b: MaybeZero): MaybeZero {
  if (a === undefined) return b
  return b === undefined ? a : add(a, b)
}

/** The tangent in the shape of the output: one operand alone may have a smaller one. */
function fitting(tangent: MaybeZero, out: Tensor): MaybeZero {
  return tangent === undefined || sameShape(tangent.shape, out.shape) ? tangent : broadcastTo(tangent, out.shape)
}

const addPrimitive = binaryPrimitive('add', {
  jvp: (_inputs, [u, v], out) => fitting(sumOf(u, v), out),
  vjp: (g, [x, y], _out, _params, needs) => [
    needs[0] ? sumTo(g, x.shape) : undefined,
    needs[1] ? sumTo(g, y.shape) : undefined,
  ],
})
const subPrimitive = binaryPrimitive('sub', {
  jvp(_inputs, [u, v], out) {
    if (v === undefined) return fitting(u, out)
    return fitting(u === undefined ? neg(v) : sub(u, v), out)
  },
  vjp: (g, [x, y], _out, _params, needs) => [
    needs[0] ? sumTo(g, x.shape) : undefined,
    needs[1] ? neg(sumTo(g, y.shape)) : undefined,
  ],
})
const mulPrimitive = binaryPrimitive(
  'mul',
  byPartials((x, y) => [y, x]),
)
const divPrimitive = binaryPrimitive(
  'div',
  byPartials((_x, y, out, needs) => [needs[0] ? reciprocal(y) : undefined, needs[1] ? neg(div(out, y)) : undefined]),
)
const powPrimitive = binaryPrimitive(
  'pow',
  byPartials((x, y, out, needs) => [
    needs[0] ? mul(y, pow(x, lowered(x, y))) : undefined,
    // 0^y is 0 near a positive y, whatever log 0 is.
    needs[1] ? mul(out, log(where(equal(x, 0), constant(1, x.dtype), x))) : undefined,
  ]),
)
/** y - 1, and 1 for 0^0: x^0 is 1 also near 0, so that 0 0^1 is its derivative. */
function lowered(x: Tensor, y: Tensor): Tensor {
  return where(mul(equal(x, 0), equal(y, 0)), constant(1, y.dtype), sub(y, 1))
}

const minimumPrimitive = binaryPrimitive(
  'minimum',
  byPartials((x, y) => chosen(less(x, y), x, y)),
)
const maximumPrimitive = binaryPrimitive(
  'maximum',
  byPartials((x, y) => chosen(greater(x, y), x, y)),
)

/** 1 for the operand that was taken, 0 for the other, and a half for both where they are equal. */
function chosen(first: Tensor, x: Tensor, y: Tensor): Pair {
  const half = mul(0.5, cast(equal(x, y), x.dtype))
  const dx = add(cast(first, x.dtype), half)
  return [dx, sub(1, dx)]
}

function pairOf(name: string, x: TensorLike, y: TensorLike): [Tensor, Tensor] {
  if (typeof x === 'number') return typeof y === 'number' ? [scalar(x), scalar(y)] : [adopted(name, x, y), y]
  return [tensorOf(name, x), typeof y === 'number' ? adopted(name, y, x) : tensorOf(name, y)]
}

/** A number beside a tensor takes its dtype. */
function adopted(name: string, value: number, { dtype, shape }: Tensor): Tensor {
  if (dtype === 'int32' && !Number.isInteger(value)) {
    const came = `int32 ${shapeText(shape)} and ${value}`
    throw new ExtremaError('ERR_DTYPE', `${name}: expected a whole number beside int32, got ${came}`)
  }
  return scalar(value, dtype)
}

/** x + y, with broadcasting: axes are matched from the last, those of length 1 repeat. */
export function add(x: TensorLike, y: TensorLike): Tensor {
  return apply(addPrimitive, pairOf('add', x, y), null)
}

/** x - y, with broadcasting. */
export function sub(x: TensorLike, y: TensorLike): Tensor {
  return apply(subPrimitive, pairOf('sub', x, y), null)
}

/** x y entry by entry, with broadcasting. */
export function mul(x: TensorLike, y: TensorLike): Tensor {
  return apply(mulPrimitive, pairOf('mul', x, y), null)
}

/** x / y entry by entry, with broadcasting. */
export function div(x: TensorLike, y: TensorLike): Tensor {
  return apply(divPrimitive, pairOf('div', x, y), null)
}

/** x to the power of y, with broadcasting. */
export function pow(x: TensorLike, y: TensorLike): Tensor {
  if (typeof y === 'number' && typeof x !== 'number') {
    checkFloat('pow', x)
    return power(x, y)
  }
  return apply(powPrimitive, pairOf('pow', x, y), null)
}

/** The smaller of x and y; where they are equal each gets half of the derivative. */
export function minimum(x: TensorLike, y: TensorLike): Tensor {
  return apply(minimumPrimitive, pairOf('minimum', x, y), null)
}

/** The larger of x and y; where they are equal each gets half of the derivative. */
export function maximum(x: TensorLike, y: TensorLike): Tensor {
  return apply(maximumPrimitive, pairOf('maximum', x, y), null)
}

/** x within [lo, hi]: the derivative is 1 there and 0 outside. */
export function clamp(x: Tensor, lo: number, hi: number): Tensor {
  const { dtype } = checkTensor('clamp', x)
  return where(less(x, lo), constant(lo, dtype), where(greater(x, hi), constant(hi, dtype), x))
}

function comparison(name: CompareOp): (x: TensorLike, y: TensorLike) => Tensor {
  const op = compareOps.indexOf(name)
  return (first, second) => {
    const [x, y] = pairOf(name, first, second).map(concrete)
    checkSameDType(name, x, y)
    const shape = broadcastShapes(name, x.shape, y.shape)
    const out = blank('int32', shape)
    const same = x.size === y.size && x.size === out.size
    const plan = same ? null : pairPlan(shape, x.shape, y.shape)
    kernelsFor(x.dtype, out.size).compare(op, out.data as Int32Array, x.data, y.data, plan)
    return out
  }
}

// Comparisons give 1 or 0 as int32, constants for differentiation.
export const equal = comparison('equal')
export const notEqual = comparison('notEqual')
export const less = comparison('less')
export const lessEqual = comparison('lessEqual')
export const greater = comparison('greater')
export const greaterEqual = comparison('greaterEqual')

const wherePrimitive: Primitive<Tensor> = {
  name: 'where',
  evaluate([x, y], condition) {
    checkSameDType('where', x, y)
    const out = blank(x.dtype, x.shape)
    kernelsFor(x.dtype, x.size).where(out.data, condition.data as Int32Array, x.data, y.data)
    return out
  },
  jvp: ([x, y], [u, v], _out, condition) => select(condition, u ?? zeroLike(x), v ?? zeroLike(y)),
  vjp: (g, [x, y], _out, condition, needs) => [
    needs[0] ? select(condition, g, zeroLike(x)) : undefined,
    needs[1] ? select(condition, zeroLike(y), g) : undefined,
  ],
}

function zeroLike(x: Tensor): Tensor {
  return broadcastTo(constant(0, x.dtype), x.shape)
}

/** `where` of three tensors of one shape. */
function select(condition: Tensor, x: Tensor, y: Tensor): Tensor {
  return apply(wherePrimitive, [x, y], condition)
}

/** x where the condition is not 0, otherwise y, with broadcasting. The condition is a constant for differentiation. */
export function where(condition: Tensor, x: TensorLike, y: TensorLike): Tensor {
  const [first, second] = pairOf('where', x, y)
  const test = tensorOf('where', condition)
  const shape = broadcastShapes('where', broadcastShapes('where', first.shape, second.shape), test.shape)
  const mask = concrete(broadcastTo(test.dtype === 'int32' ? test : notEqual(test, 0), shape))
  return select(mask, broadcastTo(first, shape), broadcastTo(second, shape))
}

const castPrimitive: Primitive<DType> = {
  name: 'cast',
  evaluate([x], dtype) {
    const out = blank(dtype, x.shape)
    out.data.set(x.data)
    return out
  },
  jvp: (_inputs, [v], out) => (v === undefined || out.dtype === 'int32' ? undefined : cast(v, out.dtype)),
  vjp: (g, [x]) => [x.dtype === 'int32' ? undefined : cast(g, x.dtype)],
}

/** The same numbers as another type; fractions are cut off on the way to int32. */
export function cast(x: Tensor, dtype: DType): Tensor {
  return checkTensor('cast', x).dtype === dtype ? x : apply(castPrimitive, [x], dtype)
}

/** A scalar for the rules of differentiation. */
function constant(value: number, dtype: DType): Tensor {
  return scalar(value, dtype)
}

/** The value as a constant: no derivative goes through it. */
export function stopGradient(x: Tensor): Tensor {
  return concrete(checkTensor('stopGradient', x))
}
