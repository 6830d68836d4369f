import { ExtremaError } from '../../core/errors.js'
import { oneOf, positive } from '../../core/options.js'
import type { Generator } from '../../random/index.js'
import { type DType, type Shape, sizeOf, type Tensor, tensor } from '../tensor.js'

/** How many inputs each output of a layer sums up, and how many outputs each input goes into. */
export interface Fans {
  in: number
  out: number
}

/** Makes the weights of a layer. */
export type Initializer = (random: Generator, shape: Shape, fans: Fans, dtype: DType) => Tensor

export interface InitializerOptions {
  /** Default 'uniform'. */
  distribution?: 'uniform' | 'normal'
  /** Factor on the standard deviation. Default 1. */
  gain?: number
}

const distributions = ['uniform', 'normal'] as const

/** Independent weights of mean 0 and a variance that depends on the fans. */
function scaled({ distribution, gain }: InitializerOptions, variance: (fans: Fans) => number): Initializer {
  const kind = oneOf('distribution', distribution, distributions, 'uniform')
  const factor = positive('gain', gain, 1)
  return (random, shape, fans, dtype) => {
    const deviation = factor * Math.sqrt(variance(fans))
    const size = sizeOf(shape)
    const draws = kind === 'normal' ? random.normal(size) : random.uniform(size)
    const limit = Math.sqrt(3) * deviation
    for (let i = 0; i < size; i++) draws[i] = kind === 'normal' ? deviation * draws[i] : limit * (2 * draws[i] - 1)
    return tensor(draws, { dtype }).view(shape)
  }
}

/** Variance 2 / (in + out): for layers around tanh and linear ones (X. Glorot and Y. Bengio 2010). */
export function glorot(options: InitializerOptions = {}): Initializer {
  return scaled(options, (fans) => 2 / (fans.in + fans.out))
}

/** Variance 2 / in: keeps the size of signals before a ReLU (K. He et al. 2015, arXiv 1502.01852). */
export function he(options: InitializerOptions = {}): Initializer {
  return scaled(options, (fans) => 2 / fans.in)
}

/** Variance 1 / in: keeps the size of signals through linear layers (Y. LeCun et al. 1998). */
export function lecun(options: InitializerOptions = {}): Initializer {
  return scaled(options, (fans) => 1 / fans.in)
}

/** Normal weights of one standard deviation, whatever the fans. */
export function normalWeights(deviation = 1): Initializer {
  return scaled({ distribution: 'normal', gain: deviation }, () => 1)
}

/**
 * A random matrix, of the first axis and all others, with orthonormal rows or columns, whichever are fewer, times `gain`;
 * evenly distributed among all such (A. M. Saxe et al. 2013, arXiv 1312.6120). O(size × fewer).
 */
export function orthogonal({ gain }: Pick<InitializerOptions, 'gain'> = {}): Initializer {
  const factor = positive('gain', gain, 1)
  return (random, shape, _fans, dtype) => {
    const rows = shape[0] ?? 1
    const columns = rows === 0 ? 0 : sizeOf(shape) / rows
    const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)]
    const vectors = orthonormal(random, count, length)
    const out = new Float64Array(rows * columns)
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < length; j++) {
        out[rows <= columns ? i * columns + j : j * columns + i] = factor * vectors[i * length + j]
      }
    }
    return tensor(out, { dtype }).view(shape)
  }
}

/** Rows by Gram and Schmidt from normal ones; each is made orthogonal twice, which is enough for rounding. */
function orthonormal(random: Generator, count: number, length: number): Float64Array {
  const rows = random.normal(count * length)
  for (let i = 0; i < count; i++) {
    const row = rows.subarray(i * length, (i + 1) * length)
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < i; k++) subtractProjection(row, rows.subarray(k * length, (k + 1) * length))
    }
    const size = Math.sqrt(inner(row, row))
    if (!(size > 0)) throw new ExtremaError('ERR_INTERNAL', `orthogonal: expected independent rows, got size ${size}`)
    for (let j = 0; j < length; j++) row[j] /= size
  }
  return rows
}

function subtractProjection(row: Float64Array, unit: Float64Array): void {
  const part = inner(row, unit)
  for (let j = 0; j < row.length; j++) row[j] -= part * unit[j]
}

function inner(x: Float64Array, y: Float64Array): number {
  let sum = 0
  for (let j = 0; j < x.length; j++) sum += x[j] * y[j]
  return sum
}
