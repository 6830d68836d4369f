import { philox } from '../backend/portable/random/philox.js'
import type { NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, oneOf } from '../core/options.js'
import { allocate, describe, wholeNumber } from './checks.js'
import { directionNumbers, mostDimensions, wordBits } from './direction-numbers.js'
import { childStream, type Stream, seededStream } from './stream.js'

export interface SobolOptions {
  /** Coordinates of a point, 1 to 1111. */
  dimensions: number
  /**
   * `'owen'` (default) randomizes the digits of each coordinate nested, which keeps the points as even as they are, makes each
   * uniform on [0, 1) and lowers the error of integrals of smooth functions. `'shift'` adds one random word to each
   * coordinate, digit by digit. `'none'` is the bare sequence, whose first point is the origin.
   */
  scramble?: 'owen' | 'shift' | 'none'
  /** Of the scrambling: whole number in [0, 2^53), or bigint in [0, 2^64). Default: 0. */
  seed?: number | bigint
}

/** A Sobol sequence: any point of it, in any order. */
export interface Sobol {
  readonly dimensions: number
  /** Point number `index` in [0, 2^32): coordinates in [0, 1), multiples of 2^-32. */
  point(index: number): Float64Array
  /** The points from number `first` (default 0) on, n × dimensions. Of most use where n is a power of two. */
  points(n: number, first?: number): NdArray
}

const names: ReadonlySet<string> = new Set(['dimensions', 'scramble', 'seed'])

/**
 * Points that fill the unit cube more evenly than random ones: the first 2^m of them have one point in each of many
 * boxes of volume 2^-m. The order is that of I. A. Antonov and V. M. Saleev (Gray code), the direction numbers are those of
 * S. Joe and F. Y. Kuo (2008), up to 1111 dimensions; scrambling is A. B. Owen's, "Randomly permuted (t, m, s)-nets" (1995), with
 * random bits from Philox: a point depends on seed and number alone.
 *
 * @throws ExtremaError `ERR_OPTION` for dimensions, seeds and numbers out of range
 */
export function sobol(options: SobolOptions): Sobol {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { dimensions, scramble, seed }, got ${describe(options)}`)
  }
  checkNames('options', options, names)
  const dimensions = wholeNumber('dimensions', options.dimensions, 1, mostDimensions)
  const scramble = scrambling(oneOf('scramble', options.scramble, ['owen', 'shift', 'none'], 'owen'))
  const stream = seededStream(options.seed ?? 0)
  const streams = Array.from({ length: dimensions }, (_, j) => childStream(stream, j))
  const directions = directionNumbers(dimensions)

  const write = (index: number, out: Float64Array) => {
    const gray = (index ^ (index >>> 1)) >>> 0
    for (let j = 0; j < dimensions; j++) {
      let word = 0
      for (let bits = gray, k = j * wordBits; bits !== 0; bits >>>= 1, k++) if ((bits & 1) === 1) word ^= directions[k]
      out[j] = scramble(word, streams[j]) / 2 ** wordBits
    }
    return out
  }
  return {
    dimensions,
    point: (index) => write(wholeNumber('index', index, 0, 2 ** wordBits - 1), new Float64Array(dimensions)),
    points(n, first = 0) {
      wholeNumber('n', n, 0, 2 ** wordBits)
      wholeNumber('first', first, 0, 2 ** wordBits - n)
      const data = allocate(n, () => new Float64Array(n * dimensions))
      for (let i = 0; i < n; i++) write(first + i, data.subarray(i * dimensions, (i + 1) * dimensions))
      return { data, shape: [n, dimensions] }
    },
  }
}

type Scramble = (word: number, stream: Stream) => number

function scrambling(kind: 'owen' | 'shift' | 'none'): Scramble {
  if (kind === 'none') return (word) => word >>> 0
  const block = new Int32Array(4)
  const draw = ({ key, counter }: Stream, c0: number, c1: number) => {
    philox(key[0], key[1], c0, c1, counter[2], counter[3], block)
    return block[0]
  }
  if (kind === 'shift') return (word, stream) => (word ^ draw(stream, 0, 0)) >>> 0
  return (word, stream) => {
    // Digit k is flipped or not by a bit that belongs to k and the digits before it.
    let flips = 0
    for (let k = 0; k < wordBits; k++) {
      const before = k === 0 ? 0 : word >>> (wordBits - k)
      flips = (flips << 1) | (draw(stream, before, k) & 1)
    }
    return (word ^ flips) >>> 0
  }
}
