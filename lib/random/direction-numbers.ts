import { directionBits, polynomialCounts } from './joe-kuo.js'

/** Bits of a coordinate: points are multiples of 2^-32, and a sequence has 2^32 of them. */
export const wordBits = 32

/** Dimensions that there are direction numbers for. */
export const mostDimensions = 1 + polynomialCounts.reduce((sum, count) => sum + count, 0)

/** The direction numbers v_1 … v_32 of the first so many dimensions, each in the upper bits of a word: dimensions × 32. */
export function directionNumbers(dimensions: number): Uint32Array {
  const words = new Uint32Array(dimensions * wordBits)
  // Van der Corput's sequence: all m_k = 1.
  for (let k = 0; k < wordBits; k++) words[k] = 2 ** (wordBits - 1 - k)
  const read = bitReader(Buffer.from(directionBits, 'base64'))
  let dimension = 1
  for (let degree = 1; dimension < dimensions; degree++) {
    for (let count = polynomialCounts[degree - 1]; count > 0 && dimension < dimensions; count--) {
      fill(words.subarray(dimension * wordBits, (dimension + 1) * wordBits), degree, read)
      dimension++
    }
  }
  return words
}

/** v_k = m_k / 2^k; from k = s on by the recurrence of the polynomial x^s + a_1 x^(s-1) + … + a_(s-1) x + 1. */
function fill(words: Uint32Array, degree: number, read: (bits: number) => number): void {
  const coefficients = read(degree - 1)
  for (let k = 0; k < degree; k++) words[k] = (2 * read(k) + 1) * 2 ** (wordBits - 1 - k)
  for (let k = degree; k < wordBits; k++) {
    let word = words[k - degree] ^ (words[k - degree] >>> degree)
    for (let i = 1; i < degree; i++) {
      if (((coefficients >>> (degree - 1 - i)) & 1) === 1) word ^= words[k - i]
    }
    words[k] = word
  }
}

/** Reads whole numbers of so many bits, highest first, one after the other. */
function bitReader(bytes: Uint8Array): (bits: number) => number {
  let position = 0
  return (bits) => {
    let value = 0
    for (const end = position + bits; position < end; position++) {
      value = 2 * value + ((bytes[position >> 3] >> (7 - (position & 7))) & 1)
    }
    return value
  }
}
