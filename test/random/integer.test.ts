import { expect } from 'chai'
import fc from 'fast-check'
import { generator } from '../../lib/random/index.js'
import { chiSquare, chiSquareCritical, wordsOracle } from './oracle.js'

describe('integer', () => {
  it('equals the rejection methods on BigInts', () => {
    const range = fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 2 ** 32 }),
      fc.integer({ min: 2 ** 32 - 3, max: 2 ** 32 + 3 }),
      fc.integer({ min: 33, max: 52 }).map((bits) => 2 ** bits),
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    )
    const same = fc.property(fc.maxSafeNat(), range, (seed, size) => {
      const rng = generator(seed)
      const words = wordsOracle([BigInt(seed) & 0xffffffffn, BigInt(seed) >> 32n])
      for (let i = 0; i < 5; i++) expect(BigInt(rng.integer(0, size))).to.equal(integerOracle(words, BigInt(size)))
    })
    fc.assert(same, { numRuns: 500 })
  })

  /** Lemire's method up to 2^32, redrawn leading bits above it. */
  function integerOracle(words: Iterator<bigint, never>, size: bigint): bigint {
    for (;;) {
      const word = words.next().value
      if (size <= 2n ** 32n) {
        const product = (word >> 32n) * size
        if (product % 2n ** 32n >= 2n ** 32n % size) return product >> 32n
      } else {
        const bits = BigInt((size - 1n).toString(2).length)
        const number = word >> (64n - bits)
        if (number < size) return number
      }
    }
  }

  it('stays within its bounds, at the ends of the safe integers too', () => {
    const bounded = fc.property(
      fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER - 1 }),
      fc.integer({ min: 1, max: 2 ** 53 }),
      fc.maxSafeNat(),
      (lo, size, seed) => {
        const hi = Math.min(lo + size, Number.MAX_SAFE_INTEGER)
        const number = generator(seed).integer(lo, hi)
        expect(Number.isSafeInteger(number) && number >= lo && number < hi).to.equal(true)
      },
    )
    fc.assert(bounded, { numRuns: 500 })
    expect(generator(1).integer(7, 8)).to.equal(7)
    expect(generator(1).integer(-Number.MAX_SAFE_INTEGER, 1)).to.be.at.most(0)
  })

  it('is uniform (chi-square)', () => {
    const rng = generator(21)
    const counts = new Int32Array(10)
    for (let i = 0; i < 50_000; i++) counts[rng.integer(-3, 7) + 3]++
    expect(chiSquare(counts, new Float64Array(10).fill(0.1))).to.be.below(chiSquareCritical[9])
  })

  // Without rejection a third of the residues would come twice as often as the others.
  for (const size of [3 * 2 ** 30, 3 * 2 ** 51]) {
    it(`is unbiased for the awkward size ${size} (chi-square)`, () => {
      const rng = generator(22)
      const residues = new Int32Array(3)
      const thirds = new Int32Array(3)
      for (let i = 0; i < 30_000; i++) {
        const number = rng.integer(0, size)
        residues[number % 3]++
        thirds[Math.floor((3 * number) / size)]++
      }
      const even = [1 / 3, 1 / 3, 1 / 3]
      expect(chiSquare(residues, even)).to.be.below(chiSquareCritical[2])
      expect(chiSquare(thirds, even)).to.be.below(chiSquareCritical[2])
    })
  }
})
