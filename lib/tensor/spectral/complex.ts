import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { checkFloat, checkSameDType } from '../broadcast.js'
import { add, div, mul, neg, square, sub } from '../elementwise.js'
import { sameShape, shapeText, Tensor, zerosLike } from '../tensor.js'

/** Complex numbers: their real and imaginary parts, of one shape and dtype. A tree, so that `grad` goes through it. */
export type ComplexTensor = { readonly re: Tensor; readonly im: Tensor }

/** Real tensors and numbers count as complex ones whose imaginary part is 0. */
export type ComplexLike = ComplexTensor | Tensor | number

export function checkComplex(name: string, z: unknown): ComplexTensor {
  if (z instanceof Tensor) {
    checkFloat(name, z)
    return { re: z, im: zerosLike(z) }
  }
  const { re, im } = (z ?? {}) as Partial<ComplexTensor>
  if (!(re instanceof Tensor) || !(im instanceof Tensor)) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected { re, im }, two tensors, got ${describe(z)}`)
  }
  checkFloat(name, re)
  checkSameDType(name, re, im)
  if (!sameShape(re.shape, im.shape)) {
    const came = `${shapeText(re.shape)} and ${shapeText(im.shape)}`
    throw new ExtremaError('ERR_SHAPE', `${name}: expected real and imaginary parts of one shape, got ${came}`)
  }
  return { re, im }
}

/** The parts; of real operands the imaginary one is left out. */
function partsOf(name: string, z: ComplexLike): [re: Tensor | number, im?: Tensor] {
  if (typeof z === 'number') return [z]
  if (z instanceof Tensor) {
    checkFloat(name, z)
    return [z]
  }
  const { re, im } = checkComplex(name, z)
  return [re, im]
}

function isReal(z: ComplexLike): z is Tensor | number {
  return typeof z === 'number' || z instanceof Tensor
}

/** a + b, with broadcasting. */
export function complexAdd(a: ComplexTensor, b: ComplexTensor): ComplexTensor {
  const [x, y] = [checkComplex('complexAdd', a), checkComplex('complexAdd', b)]
  return { re: add(x.re, y.re), im: add(x.im, y.im) }
}

/** a - b, with broadcasting. */
export function complexSub(a: ComplexTensor, b: ComplexTensor): ComplexTensor {
  const [x, y] = [checkComplex('complexSub', a), checkComplex('complexSub', b)]
  return { re: sub(x.re, y.re), im: sub(x.im, y.im) }
}

/** a b entry by entry, with broadcasting; one of them may be real: a diagonal symbol on the modes of a field. */
export function complexMul(a: ComplexTensor, b: ComplexLike): ComplexTensor
export function complexMul(a: ComplexLike, b: ComplexTensor): ComplexTensor
export function complexMul(a: ComplexLike, b: ComplexLike): ComplexTensor {
  const [ar, ai] = partsOf('complexMul', a)
  const [br, bi] = partsOf('complexMul', b)
  if (bi === undefined) return { re: mul(ar, br), im: mul(ai as Tensor, br) }
  if (ai === undefined) return { re: mul(ar, br), im: mul(ar, bi) }
  return { re: sub(mul(ar, br), mul(ai, bi)), im: add(mul(ar, bi), mul(ai, br)) }
}

/** a / b entry by entry, with broadcasting; b may be real. By a conj(b) / |b|², so that |b|² must be within the range. */
export function complexDiv(a: ComplexTensor, b: ComplexLike): ComplexTensor {
  const { re, im } = checkComplex('complexDiv', a)
  if (isReal(b)) return { re: div(re, b), im: div(im, b) }
  const size = squaredModulus(b)
  const top = complexMul(a, conjugate(b))
  return { re: div(top.re, size), im: div(top.im, size) }
}

export function conjugate(z: ComplexTensor): ComplexTensor {
  const { re, im } = checkComplex('conjugate', z)
  return { re, im: neg(im) }
}

/** |z|² entry by entry. */
export function squaredModulus(z: ComplexTensor): Tensor {
  const { re, im } = checkComplex('squaredModulus', z)
  return add(square(re), square(im))
}
