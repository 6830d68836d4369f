import { expect } from 'chai'
import fc from 'fast-check'
import { generator } from '../../lib/random/index.js'
import { chiSquare, chiSquareCritical, generatorBefore } from './oracle.js'

describe('categorical', () => {
  it('draws in proportion to the weights, whatever their sum (chi-square)', () => {
    const weights = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    const probabilities = weights.map((w) => w / 55)
    for (const scale of [1, 1e-5, 2 ** 1000, 2 ** -1070]) {
      const drawn = generator(41).categorical(
        weights.map((w) => w * scale),
        55_000,
      )
      const counts = new Int32Array(10)
      for (const index of drawn) counts[index]++
      expect(chiSquare(counts, probabilities)).to.be.below(chiSquareCritical[9])
    }
  })

  it('survives weights whose sum overflows', () => {
    const huge = Number.MAX_VALUE
    const counts = new Int32Array(4)
    for (const index of generator(42).categorical([huge, huge, huge, huge], 4000)) counts[index]++
    expect(chiSquare(counts, [0.25, 0.25, 0.25, 0.25])).to.be.below(chiSquareCritical[3])
  })

  it('inverts one uniform number by the running sums', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 30 })
    const inverted = fc.property(weights, fc.maxSafeNat(), (w, seed) => {
      // With a power of two as largest weight every sum is exact.
      fc.pre(w.some((weight) => weight > 0))
      const largest = 2 ** Math.ceil(Math.log2(Math.max(...w)))
      const padded = [...w, largest]
      const sums = padded.map((_, i) => padded.slice(0, i + 1).reduce((a, b) => a + b, 0))
      const level = generator(seed).uniform() * sums[sums.length - 1]
      const expected = sums.findIndex((sum) => sum > level)
      expect(generator(seed).categorical(padded)).to.equal(expected)
    })
    fc.assert(inverted, { numRuns: 500 })
  })

  it('never draws weight zero', () => {
    for (const weights of [
      [0, 1, 0, 2, 0],
      [0, 0, 5e-324, 0],
      [0, 1e300, 1e-300, 0],
    ]) {
      expect(
        generator(43)
          .categorical(weights, 20_000)
          .every((index) => weights[index] > 0),
      ).to.equal(true)
      // Uniform 0 and 1 - 2^-53.
      expect(weights[generatorBefore(0n).categorical(weights)]).to.be.above(0)
      expect(weights[generatorBefore(2n ** 64n - 1n).categorical(weights)]).to.be.above(0)
    }
  })

  it('takes typed arrays, and a single weight', () => {
    expect([...generator(44).categorical(Float32Array.of(0, 3), 3)]).to.deep.equal([1, 1, 1])
    expect(generator(44).categorical([2])).to.equal(0)
    expect(generator(44).categorical([2], 0)).to.deep.equal(new Int32Array(0))
  })

  it('gives n draws as n single ones', () => {
    const one = generator(45)
    const singles = Array.from({ length: 50 }, () => one.categorical([3, 1, 2]))
    expect([...generator(45).categorical([3, 1, 2], 50)]).to.deep.equal(singles)
  })
})
