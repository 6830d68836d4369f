import { ExtremaError } from '../../core/errors.js'
import { positive } from '../../core/options.js'
import { cos, mul, sin } from '../elementwise.js'
import { concat } from '../index-ops.js'
import { expandDims } from '../shape.js'
import { type Tensor, tensor } from '../tensor.js'
import { lambdaLayer, type NoParams } from './lambda-layer.js'
import { checkCount, type Layer } from './layer.js'

/**
 * Sines and cosines of a time, or of a noise level or position, at `width / 2` frequencies from 1 down to 1 / maxPeriod in
 * geometric progression: a new last axis of `width`, the sines before the cosines (A. Vaswani et al. 2017, arXiv 1706.03762,
 * section 3.5). Default maxPeriod 10,000.
 */
export function timeEmbedding(width: number, { maxPeriod = 10_000 } = {}): Layer<NoParams> {
  if (checkCount('width', width) % 2 === 1) {
    throw new ExtremaError('ERR_OPTION', `width: expected an even number, got ${width}`)
  }
  positive('maxPeriod', maxPeriod)
  const half = width / 2
  const frequencies = Float64Array.from({ length: half }, (_, k) => maxPeriod ** (-k / half))
  return lambdaLayer((time): Tensor => {
    const angles = mul(expandDims(time, time.rank), tensor(frequencies, { dtype: time.dtype }))
    return concat([sin(angles), cos(angles)], time.rank)
  })
}
