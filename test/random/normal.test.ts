import { expect } from 'chai'
import fc from 'fast-check'
import { generator } from '../../lib/random/index.js'
import {
  generatorBefore,
  kolmogorovSmirnov,
  kolmogorovSmirnovCritical,
  normalDistribution,
  quantileError,
} from './oracle.js'

const mask64 = (1n << 64n) - 1n

// All sizes of probability are as likely: k leading zeros, then random bits.
const lowWord = fc
  .tuple(fc.bigInt({ min: 0n, max: mask64 }), fc.bigInt({ min: 0n, max: 63n }))
  .map(([bits, zeros]) => (bits | (1n << 63n)) >> (zeros + 1n))

describe('normal', () => {
  it('is the quantile of its word to 1e-15 relative, far into both tails', () => {
    const accurate = fc.property(lowWord, fc.boolean(), (low, upper) => {
      const word = upper ? low ^ mask64 : low
      expect(Math.abs(quantileError(generatorBefore(word).normal(), word))).to.be.below(1e-15)
    })
    fc.assert(accurate, { numRuns: 600 })
  })

  it('is that accurate next to the middle and all over the centre', () => {
    const distance = lowWord.map((low) => low >> 1n)
    const accurate = fc.property(fc.oneof(distance, fc.bigInt({ min: 0n, max: 2n ** 62n })), (from) => {
      for (const word of [2n ** 63n + from, 2n ** 63n - 1n - from]) {
        expect(Math.abs(quantileError(generatorBefore(word).normal(), word))).to.be.below(1e-15)
      }
    })
    fc.assert(accurate, { numRuns: 300 })
  })

  it('is odd: a word and its complement give opposite numbers', () => {
    const odd = fc.property(lowWord, (word) => {
      expect(generatorBefore(word).normal()).to.equal(-generatorBefore(word ^ mask64).normal())
    })
    fc.assert(odd)
  })

  it('grows with its word over the seams at 0.075 and exp(-25)', () => {
    for (const seam of [(75n * 2n ** 64n) / 1000n, BigInt(Math.floor(Math.exp(-25) * 2 ** 64))]) {
      const step = 1n + (seam >> 40n) // changes the quantile by 100 units in the last place or more
      let last = Number.NEGATIVE_INFINITY
      for (let k = -50n; k < 50n; k++) {
        const next = generatorBefore(seam + k * step).normal()
        expect(next).to.be.above(last)
        last = next
      }
    }
  })

  it('agrees with the normal distribution (Kolmogorov and Smirnov, 100,000 numbers)', () => {
    for (const seed of [1, 2, 3]) {
      const statistic = kolmogorovSmirnov(generator(seed).normal(100_000), normalDistribution)
      expect(statistic).to.be.below(kolmogorovSmirnovCritical)
    }
  })

  it('has the moments of the normal distribution', () => {
    const n = 1_000_000
    const sample = generator(11).normal(n)
    const moment = (k: number) => sample.reduce((sum, x) => sum + x ** k, 0) / n
    // Within 4 standard errors: sqrt((E x^2k - (E x^k)^2) / n).
    expect(moment(1)).to.be.closeTo(0, 4 * Math.sqrt(1 / n))
    expect(moment(2)).to.be.closeTo(1, 4 * Math.sqrt(2 / n))
    expect(moment(3)).to.be.closeTo(0, 4 * Math.sqrt(15 / n))
    expect(moment(4)).to.be.closeTo(3, 4 * Math.sqrt(96 / n))
  })
})
