import { ExtremaError } from '../core/errors.js'
import { checkNames, positive, whole } from '../core/options.js'
import { kernelsFor } from './backend.js'
import { checkFloat, checkSameDType } from './broadcast.js'
import { add, mul, rsqrt, sub, sumOf } from './elementwise.js'
import type { MaybeZero, Primitive } from './primitive.js'
import { broadcastTo, mean, sumTo, variance } from './reduce.js'
import { reshape } from './shape.js'
import { blank, fromData, ones, type Shape, sameShape, shapeText, sizeOf, type Tensor, zeros } from './tensor.js'
import { apply, concrete } from './trace.js'

/** How the axes [outer, channels, inner] of x are normalized: each channel by its own mean and variance. */
interface Normalization {
  means: Float64Array
  variances: Float64Array
  /** Scale and shift go by the inner axis, otherwise by the channels. */
  byInner: boolean
  epsilon: number
}

/** The operands are x [outer, channels, inner], scale and shift. */
const normalizePrimitive: Primitive<Normalization> = {
  name: 'normalize',
  evaluate([x, scale, shift], { means, variances, byInner, epsilon }) {
    const out = blank(x.dtype, x.shape)
    if (x.size === 0) return out
    const [outer, channels, inner] = x.shape
    const kernels = kernelsFor(x.dtype, x.size)
    const [a, b] = [scale.data, shift.data]
    kernels.normalize(out.data, x.data, a, b, means, variances, outer, channels, inner, byInner, epsilon)
    return out
  },
  jvp([x, scale], [u, da, db], _out, params): MaybeZero {
    const { unit, whitened } = standardized(x, params)
    const moved = u === undefined ? undefined : mul(unit(u), along(scale, params))
    const scaled = da === undefined ? undefined : mul(whitened, along(da, params))
    const shifted = db === undefined ? undefined : broadcastTo(along(db, params), x.shape)
    return sumOf(sumOf(moved, scaled), shifted)
  },
  vjp(g, [x, scale, shift], _out, params, needs) {
    const { unit, whitened } = standardized(x, params)
    const summed = (y: Tensor): Tensor => reshape(sumTo(y, along(shift, params).shape), shift.shape)
    return [
      needs[0] ? unit(mul(g, along(scale, params))) : undefined,
      needs[1] ? summed(mul(g, whitened)) : undefined,
      needs[2] ? summed(g) : undefined,
    ]
  },
  fusedVjp(g, [x, scale, shift], _out, { means, variances, byInner, epsilon }) {
    const out = blank(x.dtype, x.shape)
    const [outer, channels, inner] = x.shape
    const sums = new Float64Array(2 * shift.size)
    if (x.size > 0) {
      const kernels = kernelsFor(x.dtype, x.size)
      const [from, a] = [g.data, scale.data]
      kernels.normalizeVjp(out.data, sums, from, x.data, a, means, variances, outer, channels, inner, byInner, epsilon)
    }
    const [slopes, ends] = [blank(x.dtype, shift.shape), blank(x.dtype, shift.shape)]
    slopes.data.set(sums.subarray(0, shift.size))
    ends.data.set(sums.subarray(shift.size))
    return [out, slopes, ends]
  },
}

/** Scale or shift in a shape that broadcasts to x. */
function along(affine: Tensor, { byInner }: Normalization): Tensor {
  return byInner ? affine : reshape(affine, [affine.size, 1])
}

/** (x - mean) / √(variance + epsilon), and its derivative as a map, which is symmetric: r (u - mean u - y mean(y u)). */
function standardized(x: Tensor, { epsilon }: Normalization): { whitened: Tensor; unit: (u: Tensor) => Tensor } {
  const over = (u: Tensor): Tensor => mean(u, [0, 2], { keepDims: true })
  const r = rsqrt(add(variance(x, [0, 2], { keepDims: true }), epsilon))
  const whitened = mul(sub(x, over(x)), r)
  return { whitened, unit: (u) => mul(r, sub(sub(u, over(u)), mul(whitened, over(mul(whitened, u))))) }
}

function momentsOf(x: Tensor): { means: Float64Array; variances: Float64Array } {
  const { data, shape, dtype, size } = concrete(x)
  const [outer, channels, inner] = shape
  const [means, variances] = [new Float64Array(channels), new Float64Array(channels)]
  if (size > 0) kernelsFor(dtype, size).moments(means, variances, data, outer, channels, inner)
  return { means, variances }
}

export interface NormOptions {
  /** Added to the variance under the root. Default 1e-5. */
  epsilon?: number
}

export interface BatchNormOptions extends NormOptions {
  /** Means and variances of the channels to normalize by, instead of those of the batch. */
  statistics?: { mean: Tensor; variance: Tensor }
}

export interface BatchNorm {
  value: Tensor
  /** Of each channel: of the batch, as constants, or those that were given. */
  mean: Tensor
  /** Its divisor is the number of entries n; n / (n - 1) times it is the unbiased estimate. */
  variance: Tensor
}

const normNames: ReadonlySet<string> = new Set(['epsilon'])
const batchNames: ReadonlySet<string> = new Set(['epsilon', 'statistics'])
const groupNames: ReadonlySet<string> = new Set(['epsilon', 'groups'])

function checkAffine(name: string, x: Tensor, shape: Shape, vectors: readonly Tensor[]): void {
  for (const vector of vectors) {
    checkSameDType(name, x, vector)
    if (sameShape(vector.shape, shape)) continue
    const expected = `scale, shift and statistics of shape ${shapeText(shape)} for ${shapeText(x.shape)}`
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${expected}, got ${shapeText(vector.shape)}`)
  }
}

function checkChannels(name: string, x: Tensor): void {
  checkFloat(name, x)
  if (x.rank >= 2) return
  const expected = 'an input of shape [batch, channels, …]'
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${expected}, got ${shapeText(x.shape)}`)
}

/**
 * (x - mean) / √(variance + epsilon) scale + shift for each channel of x [batch, channels, …], by the mean and variance of
 * the batch or by given ones (S. Ioffe and C. Szegedy, "Batch normalization", 2015). Returns them too, so that a
 * layer can keep running ones. Statistics of float32 entries are kept in float64.
 *
 * @throws ExtremaError `ERR_SHAPE` for vectors that are not one number per channel, or a batch without entries;
 *   `ERR_DTYPE`; `ERR_NOT_POSITIVE` for epsilon
 */
export function batchNorm(x: Tensor, scale: Tensor, shift: Tensor, options: BatchNormOptions = {}): BatchNorm {
  checkNames('batchNorm', options, batchNames)
  checkChannels('batchNorm', x)
  const epsilon = positive('batchNorm.epsilon', options.epsilon, 1e-5)
  const [batch, channels] = x.shape
  const given = options.statistics
  checkAffine('batchNorm', x, [channels], [scale, shift, ...(given === undefined ? [] : [given.mean, given.variance])])
  if (given !== undefined) {
    checkVariances(given.variance)
    const slope = mul(scale, rsqrt(add(given.variance, epsilon)))
    const wide = [channels, ...x.shape.slice(2).map(() => 1)]
    const end = sub(shift, mul(given.mean, slope))
    return { value: add(mul(x, reshape(slope, wide)), reshape(end, wide)), ...given }
  }
  const inner = sizeOf(x.shape.slice(2))
  if (batch * inner === 0) {
    const expected = 'at least one entry per channel, or statistics'
    throw new ExtremaError('ERR_SHAPE', `batchNorm: expected ${expected}, got shape ${shapeText(x.shape)}`)
  }
  const cube = reshape(x, [batch, channels, inner])
  const { means, variances } = momentsOf(cube)
  const value = apply(normalizePrimitive, [cube, scale, shift], { means, variances, byInner: false, epsilon })
  return {
    value: reshape(value, x.shape),
    mean: typed(means, x),
    variance: typed(variances, x),
  }
}

function checkVariances({ data }: Tensor): void {
  for (const value of data) {
    if (value >= 0) continue
    throw new ExtremaError('ERR_OPTION', `batchNorm.statistics.variance: expected numbers >= 0, got ${value}`)
  }
}

function typed(values: Float64Array, { dtype }: Tensor): Tensor {
  return fromData(dtype === 'float64' ? values : Float32Array.from(values), [values.length])
}

/**
 * (x - mean) / √(variance + epsilon) scale + shift over the last axes of x, those that scale and shift have (J. L. Ba, J. R.
 * Kiros and G. E. Hinton, "Layer normalization", 2016).
 *
 * @throws ExtremaError `ERR_SHAPE` unless scale and shift have the shape of the last axes; `ERR_DTYPE`; `ERR_NOT_POSITIVE`
 *   for epsilon
 */
export function layerNorm(x: Tensor, scale: Tensor, shift: Tensor, options: NormOptions = {}): Tensor {
  checkNames('layerNorm', options, normNames)
  checkFloat('layerNorm', x)
  const epsilon = positive('layerNorm.epsilon', options.epsilon, 1e-5)
  checkFloat('layerNorm', scale)
  const lead = x.rank - scale.rank
  checkAffine('layerNorm', x, lead < 0 ? x.shape : x.shape.slice(lead), [scale, shift])
  if (x.size === 0) return mul(x, scale)
  const inner = scale.size
  const cube = reshape(x, [1, x.size / inner, inner])
  const params = { ...momentsOf(cube), byInner: true, epsilon }
  return reshape(apply(normalizePrimitive, [cube, reshape(scale, [inner]), reshape(shift, [inner])], params), x.shape)
}

/**
 * As `batchNorm`, by the mean and variance of each item and each group of neighbouring channels (Y. Wu and K. He, "Group
 * normalization", 2018): one group is a layer norm over all but the batch, as many as channels an instance norm.
 *
 * @throws ExtremaError as `batchNorm`; `ERR_OPTION` if the groups do not divide the channels
 */
export function groupNorm(x: Tensor, scale: Tensor, shift: Tensor, options: NormOptions & { groups: number }): Tensor {
  checkNames('groupNorm', options, groupNames)
  checkChannels('groupNorm', x)
  const epsilon = positive('groupNorm.epsilon', options.epsilon, 1e-5)
  const groups = whole('groupNorm.groups', options.groups, Number.NaN, 1)
  const [batch, channels] = x.shape
  checkAffine('groupNorm', x, [channels], [scale, shift])
  if (channels % groups !== 0) {
    const came = `${groups} groups of ${channels} channels`
    throw new ExtremaError('ERR_OPTION', `groupNorm.groups: expected a divisor of the channels, got ${came}`)
  }
  const wide = [channels, ...x.shape.slice(2).map(() => 1)]
  if (x.size === 0) return mul(x, reshape(scale, wide))
  const cube = reshape(x, [1, batch * groups, x.size / (batch * groups)])
  const plain = { dtype: x.dtype }
  const params = { ...momentsOf(cube), byInner: false, epsilon }
  const [one, none] = [ones([batch * groups], plain), zeros([batch * groups], plain)]
  const value = reshape(apply(normalizePrimitive, [cube, one, none], params), x.shape)
  return add(mul(value, reshape(scale, wide)), reshape(shift, wide))
}
