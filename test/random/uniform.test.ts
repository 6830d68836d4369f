import { expect } from 'chai'
import { generator } from '../../lib/random/index.js'
import {
  chiSquare,
  chiSquareCritical,
  generatorBefore,
  kolmogorovSmirnov,
  kolmogorovSmirnovCritical,
} from './oracle.js'

describe('uniform', () => {
  it('lies in [0, 1), both ends included that there are', () => {
    expect(generatorBefore(0n).uniform()).to.equal(0)
    expect(generatorBefore(2n ** 11n - 1n).uniform()).to.equal(0)
    expect(generatorBefore(2n ** 11n).uniform()).to.equal(2 ** -53)
    expect(generatorBefore(2n ** 64n - 1n).uniform()).to.equal(1 - 2 ** -53)
  })

  it('agrees with the uniform distribution (Kolmogorov and Smirnov, 100,000 numbers)', () => {
    for (const seed of [1, 2, 3]) {
      const statistic = kolmogorovSmirnov(generator(seed).uniform(100_000), (x) => x)
      expect(statistic).to.be.below(kolmogorovSmirnovCritical)
    }
  })

  it('fills the square of successive numbers evenly (chi-square, 256 cells)', () => {
    for (const [seed, step] of [
      [4, 1], // the two halves of a block
      [5, 2], // neighbouring blocks
    ]) {
      const sample = generator(seed).uniform(200_000)
      const counts = new Int32Array(256)
      for (let i = 0; i + step < sample.length; i += 2 * step) {
        counts[Math.floor(16 * sample[i]) * 16 + Math.floor(16 * sample[i + step])]++
      }
      const statistic = chiSquare(counts, new Float64Array(256).fill(1 / 256))
      expect(statistic).to.be.below(chiSquareCritical[255])
    }
  })

  it('has random lowest bits', () => {
    const counts = new Int32Array(4)
    for (const x of generator(6).uniform(40_000)) counts[(x * 2 ** 53) % 4]++
    expect(chiSquare(counts, [0.25, 0.25, 0.25, 0.25])).to.be.below(chiSquareCritical[3])
  })
})
