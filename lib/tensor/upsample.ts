import { ExtremaError } from '../core/errors.js'
import { checkNames, oneOf } from '../core/options.js'
import { checkFloat } from './broadcast.js'
import { matmul } from './matmul.js'
import { broadcastTo } from './reduce.js'
import { reshape } from './shape.js'
import { shapeText, sizeOf, type Tensor, zeros } from './tensor.js'
import { type PerAxis, perAxis } from './window.js'

export interface UpsampleOptions {
  /** Repeat the nearest entry, or go linearly between neighbours (in two axes: bilinear). Default 'nearest'. */
  mode?: 'nearest' | 'linear'
}

const names: ReadonlySet<string> = new Set(['mode'])

/**
 * x [batch, channels, …] with every spatial axis `factor` times as long. Entries are cells of equal size: output o lies at
 * (o + 1/2) / factor - 1/2, and beyond the outermost entries these go on.
 *
 * @throws ExtremaError `ERR_SHAPE` without spatial axes, `ERR_DTYPE` for int32, `ERR_OPTION`
 */
export function upsample(x: Tensor, factor: PerAxis, options: UpsampleOptions = {}): Tensor {
  checkNames('upsample', options, names)
  checkFloat('upsample', x)
  if (x.rank < 3) {
    const expected = 'an input of shape [batch, channels, …]'
    throw new ExtremaError('ERR_SHAPE', `upsample: expected ${expected}, got ${shapeText(x.shape)}`)
  }
  const mode = oneOf('upsample.mode', options.mode, ['nearest', 'linear'] as const, 'nearest')
  const factors = perAxis('upsample.factor', factor, 1, x.rank - 2)
  const lead = x.shape.slice(0, 2)
  const lengths = x.shape.slice(2)
  const shape = [...lead, ...lengths.map((length, axis) => length * factors[axis])]
  if (mode === 'nearest') {
    const open = reshape(x, [...lead, ...lengths.flatMap((length) => [length, 1])])
    return reshape(broadcastTo(open, [...lead, ...lengths.flatMap((length, axis) => [length, factors[axis]])]), shape)
  }
  let y = x
  lengths.forEach((length, axis) => {
    if (x.size === 0) return
    const outer = sizeOf(y.shape.slice(0, axis + 2))
    const matrix = between(length, factors[axis], x)
    const stretched = matmul(matrix, reshape(y, [outer, length, y.size / (outer * length)]))
    y = reshape(
      stretched,
      y.shape.map((own, a) => (a === axis + 2 ? shape[a] : own)),
    )
  })
  return reshape(y, shape)
}

/** The weights of n entries in n · factor places. */
function between(n: number, factor: number, { dtype }: Tensor): Tensor {
  const weights = zeros([n * factor, n], { dtype })
  for (let o = 0; o < n * factor; o++) {
    const at = Math.min(n - 1, Math.max(0, (o + 0.5) / factor - 0.5))
    const left = Math.min(n - 1, Math.floor(at))
    weights.data[o * n + left] += 1 - (at - left)
    if (left + 1 < n) weights.data[o * n + left + 1] += at - left
  }
  return weights
}
