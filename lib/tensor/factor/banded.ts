import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { kernelsFor } from '../backend.js'
import { batchOf } from '../batch.js'
import { broadcastShapes, checkFloat, checkSameDType } from '../broadcast.js'
import { sumOf } from '../elementwise.js'
import type { Primitive } from '../primitive.js'
import { reshape } from '../shape.js'
import { blank, shapeText, sizeOf, type Tensor } from '../tensor.js'
import { apply } from '../trace.js'
import { asGiven, inBatch } from './matrices.js'

interface Band {
  lower: number
  transpose: boolean
}

/** A x or Aᵀ x. */
const productPrimitive: Primitive<Band> = {
  name: 'bandedMatmul',
  evaluate([bands, x], { lower, transpose }) {
    const out = blank(x.dtype, x.shape)
    if (out.size === 0) return out
    const [n, columns] = x.shape.slice(-2)
    const upper = bands.shape[bands.rank - 2] - 1 - lower
    kernelsFor(x.dtype, Math.max(bands.size, x.size)).bandedProduct(
      ...([out.data, bands.data, x.data, sizeOf(batchOf(x)), n, columns, lower, upper, transpose] as const),
    )
    return out
  },
  jvp([bands, x], [u, v], _out, band) {
    const first = u === undefined ? undefined : apply(productPrimitive, [u, x], band)
    const second = v === undefined ? undefined : apply(productPrimitive, [bands, v], band)
    return sumOf(first, second)
  },
  vjp(g, [bands, x], _out, { lower, transpose }, needs) {
    const upper = bands.shape[bands.rank - 2] - 1 - lower
    const rows = transpose ? [x, g] : [g, x]
    return [
      needs[0] ? apply(outerPrimitive, rows, { lower, upper }) : undefined,
      needs[1] ? apply(productPrimitive, [bands, g], { lower, transpose: !transpose }) : undefined,
    ]
  },
}

/** The bands of Σ g xᵀ over columns. */
const outerPrimitive: Primitive<{ lower: number; upper: number }> = {
  name: 'bandedOuter',
  evaluate([g, x], { lower, upper }) {
    const [n, columns] = x.shape.slice(-2)
    const out = blank(x.dtype, [...batchOf(x), lower + upper + 1, n])
    if (out.size === 0) return out
    kernelsFor(x.dtype, Math.max(out.size, x.size)).bandedOuter(
      ...([out.data, g.data, x.data, sizeOf(batchOf(x)), n, columns, lower, upper] as const),
    )
    return out
  },
  jvp([g, x], [u, v], _out, band) {
    const first = u === undefined ? undefined : apply(outerPrimitive, [u, x], band)
    const second = v === undefined ? undefined : apply(outerPrimitive, [g, v], band)
    return sumOf(first, second)
  },
  vjp(c, [g, x], _out, { lower }, needs) {
    return [
      needs[0] ? apply(productPrimitive, [c, x], { lower, transpose: false }) : undefined,
      needs[1] ? apply(productPrimitive, [c, g], { lower, transpose: true }) : undefined,
    ]
  },
}

export interface BandedOptions {
  /** How many of the bands are under the main diagonal. Default: half of those beside it. */
  lower?: number
  /** Multiply by Aᵀ. Default false. */
  transpose?: boolean
}

/**
 * A X for n × n matrices given by their bands: row d of the bands (bands × n) is diagonal d - lower, and its place i is
 * the entry A_i,i+d-lower; places outside of A are not read. x is a vector, or n × columns; batches broadcast.
 *
 * @throws ExtremaError `ERR_SHAPE` where the sizes do not fit, `ERR_OPTION` for more bands under the diagonal than there are
 */
export function bandedMatmul(bands: Tensor, x: Tensor, options: BandedOptions = {}): Tensor {
  checkFloat('bandedMatmul', bands)
  checkSameDType('bandedMatmul', bands, x)
  const [count, n] = bands.shape.slice(-2)
  const vector = x.rank === 1
  if (bands.rank < 2 || x.rank === 0 || x.shape[vector ? 0 : x.rank - 2] !== n || count === 0) {
    const came = `${shapeText(bands.shape)} and ${shapeText(x.shape)}`
    throw new ExtremaError('ERR_SHAPE', `bandedMatmul: expected bands × n and n rows, got ${came}`)
  }
  const { lower = (count - 1) / 2, transpose = false } = options
  if (!Number.isInteger(lower) || lower < 0 || lower >= count) {
    const expected = `from 0 to ${count - 1} bands under the diagonal`
    throw new ExtremaError('ERR_OPTION', `bandedMatmul: expected ${expected}, got lower = ${describe(lower)}`)
  }
  const right = vector ? reshape(x, [n, 1]) : x
  const batch = broadcastShapes('bandedMatmul', batchOf(bands), batchOf(right))
  const product = apply(productPrimitive, [inBatch(bands, batch), inBatch(right, batch)], { lower, transpose })
  return asGiven(product, vector)
}
