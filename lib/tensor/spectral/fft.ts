import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { kernelsFor } from '../backend.js'
import { checkFloat } from '../broadcast.js'
import type { MaybeZero, MultiPrimitive, Primitive } from '../primitive.js'
import { blank, type Shape, shapeText, sizeOf, type Tensor, type TensorOptions, tensor, zerosLike } from '../tensor.js'
import { apply, applyMany } from '../trace.js'
import { type ComplexLike, type ComplexTensor, checkComplex, complexMul } from './complex.js'

interface Along {
  axis: number
  scale: number
}

/** scale F x along an axis, on (re, im). */
const fftPrimitive: MultiPrimitive<Along> = {
  name: 'fft',
  evaluate([re, im], { axis, scale }) {
    const { shape, dtype, size } = re
    const out = [blank(dtype, shape), blank(dtype, shape)]
    if (size === 0) return out
    const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))]
    kernelsFor(dtype, size).fft(out[0].data, out[1].data, re.data, im.data, outer, shape[axis], inner, scale)
    return out
  },
  jvp: (inputs, tangents, _out, along) => transformed(tangents, inputs, along),
  vjp(cotangents, inputs, _out, along) {
    // conj(F) g by exchanging the parts before and after.
    const [im, re] = transformed([cotangents[1], cotangents[0]], inputs, along)
    return [re, im]
  },
}

function transformed(z: readonly MaybeZero[], like: readonly Tensor[], along: Along): readonly MaybeZero[] {
  if (z.every((part) => part === undefined)) return z
  return applyMany(
    fftPrimitive,
    z.map((part, i) => part ?? zerosLike(like[i])),
    along,
  )
}

/**
 * Modes of n real numbers, or numbers of their modes. The modes between the first and the one at n / 2 count `interior`
 * times: so the two are transposes of each other, up to a factor of 2 there for the conjugate modes that are left out.
 */
interface RealAlong {
  n: number
  scale: number
  interior: number
}

const rfftPrimitive: MultiPrimitive<RealAlong> = {
  name: 'rfft',
  evaluate([x], { n, scale, interior }) {
    const shape = [...x.shape.slice(0, -1), (n >> 1) + 1]
    const out = [blank(x.dtype, shape), blank(x.dtype, shape)]
    if (x.size === 0) return out
    kernelsFor(x.dtype, x.size).rfft(out[0].data, out[1].data, x.data, x.size / n, n, scale, interior)
    return out
  },
  jvp: (_inputs, [v], _out, along) => (v === undefined ? [undefined, undefined] : applyMany(rfftPrimitive, [v], along)),
  vjp: (g, _inputs, outputs, { n, scale, interior }) => [numbersOf(g, outputs, { n, scale, interior: interior / 2 })],
}

const irfftPrimitive: Primitive<RealAlong> = {
  name: 'irfft',
  evaluate([re, im], { n, scale, interior }) {
    const out = blank(re.dtype, [...re.shape.slice(0, -1), n])
    if (out.size === 0) return out
    kernelsFor(re.dtype, out.size).irfft(out.data, re.data, im.data, out.size / n, n, scale, interior)
    return out
  },
  jvp: (inputs, tangents, _out, along) => numbersOf(tangents, inputs, along),
  vjp: (g, _inputs, _out, { n, scale, interior }) =>
    applyMany(rfftPrimitive, [g], { n, scale, interior: 2 * interior }),
}

function numbersOf(z: readonly MaybeZero[], like: readonly Tensor[], along: RealAlong): MaybeZero {
  if (z.every((part) => part === undefined)) return undefined
  return apply(
    irfftPrimitive,
    z.map((part, i) => part ?? zerosLike(like[i])),
    along,
  )
}

export interface FftOptions {
  /** How many of the last axes to transform: 1, 2 or 3. Default 1. */
  dimensions?: number
}

/** The axes, all of which must have some length. */
function checkAxes(name: string, shape: Shape, { dimensions = 1 }: FftOptions): number[] {
  if (dimensions !== 1 && dimensions !== 2 && dimensions !== 3) {
    throw new ExtremaError('ERR_OPTION', `${name}: expected 1, 2 or 3 as dimensions, got ${describe(dimensions)}`)
  }
  const axes = Array.from({ length: dimensions }, (_, i) => shape.length - dimensions + i)
  if (axes.some((axis) => !(shape[axis] > 0))) {
    const expected = `${dimensions} last axes of one number or more`
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${expected}, got shape ${shapeText(shape)}`)
  }
  return axes
}

function along({ re, im }: ComplexTensor, axes: readonly number[]): ComplexTensor {
  let parts = [re, im]
  for (const axis of axes) parts = applyMany(fftPrimitive, parts, { axis, scale: 1 })
  return { re: parts[0], im: parts[1] }
}

function backAlong({ re, im }: ComplexTensor, axes: readonly number[]): ComplexTensor {
  let parts = [im, re]
  for (const axis of axes) parts = applyMany(fftPrimitive, parts, { axis, scale: 1 / re.shape[axis] })
  return { re: parts[1], im: parts[0] }
}

/**
 * The discrete Fourier transform X_k = Σ_j z_j exp(-2πi jk / n) over the last axes, for any lengths, O(n log n). A real
 * tensor counts as a complex one.
 *
 * @throws ExtremaError `ERR_SHAPE` without so many axes and for empty ones, `ERR_DTYPE` for int32
 */
export function fft(z: ComplexTensor | Tensor, options: FftOptions = {}): ComplexTensor {
  const checked = checkComplex('fft', z)
  return along(checked, checkAxes('fft', checked.re.shape, options))
}

/** The inverse of `fft`: z_j = 1/n Σ_k X_k exp(2πi jk / n) over the last axes. */
export function ifft(z: ComplexTensor | Tensor, options: FftOptions = {}): ComplexTensor {
  const checked = checkComplex('ifft', z)
  return backAlong(checked, checkAxes('ifft', checked.re.shape, options))
}

/**
 * `fft` of real numbers over the last axes, of which the last keeps its modes 0 … ⌊n/2⌋: the others are conjugates of
 * those at the negative places.
 *
 * @throws ExtremaError `ERR_SHAPE` without so many axes and for empty ones, `ERR_DTYPE` for int32
 */
export function rfft(x: Tensor, options: FftOptions = {}): ComplexTensor {
  checkFloat('rfft', x)
  const axes = checkAxes('rfft', x.shape, options)
  const [re, im] = applyMany(rfftPrimitive, [x], { n: x.shape[x.rank - 1], scale: 1, interior: 1 })
  return along({ re, im }, axes.slice(0, -1))
}

export interface InverseFftOptions extends FftOptions {
  /** The length n of the last axis of the result. Default: twice that of the modes less one, which is even. */
  length?: number
}

/**
 * The inverse of `rfft`: the real numbers whose modes those are. Imaginary parts that modes of real numbers do not have
 * count as 0.
 *
 * @throws ExtremaError `ERR_SHAPE` where the last axis does not have the ⌊n/2⌋ + 1 modes of that length
 */
export function irfft(z: ComplexTensor | Tensor, options: InverseFftOptions = {}): Tensor {
  const checked = checkComplex('irfft', z)
  const { shape } = checked.re
  const axes = checkAxes('irfft', shape, options)
  const modes = shape[shape.length - 1]
  const { length: n = 2 * (modes - 1) } = options
  if (!Number.isInteger(n) || n < 1 || (n >> 1) + 1 !== modes) {
    const expected = `⌊n/2⌋ + 1 modes for length n = ${describe(n)}`
    throw new ExtremaError('ERR_SHAPE', `irfft: expected ${expected} on the last axis, got shape ${shapeText(shape)}`)
  }
  const { re, im } = backAlong(checked, axes.slice(0, -1))
  return apply(irfftPrimitive, [re, im], { n, scale: 1 / n, interior: 1 })
}

/**
 * The real field whose modes are those of x times a symbol: derivatives, inverse Laplacians, filters. The symbol is real
 * or complex and broadcasts against `rfft(x)`.
 */
export function applySymbol(x: Tensor, symbol: ComplexLike, options: FftOptions = {}): Tensor {
  const modes = complexMul(rfft(x, options), symbol)
  return irfft(modes, { ...options, length: x.shape[x.rank - 1] })
}

export interface FrequencyOptions extends TensorOptions {
  /** The distance of two numbers. Default 1. */
  spacing?: number
  /** Only the frequencies of `rfft`. Default false. */
  real?: boolean
}

/** The frequencies of the modes of `fft` in cycles per unit: 0, 1, …, -2, -1, over n times the spacing. */
export function fftFrequencies(n: number, options: FrequencyOptions = {}): Tensor {
  const { spacing = 1, real = false, ...rest } = options
  if (!Number.isInteger(n) || n < 1 || !(spacing > 0)) {
    const came = `${describe(n)} and ${describe(spacing)}`
    throw new ExtremaError('ERR_OPTION', `fftFrequencies: expected a length and a spacing > 0, got ${came}`)
  }
  const count = real ? (n >> 1) + 1 : n
  const places = Array.from({ length: count }, (_, k) => (real || 2 * k < n ? k : k - n) / (n * spacing))
  return tensor(places, rest)
}
