import { expect } from 'chai'
import fc from 'fast-check'
import { generator } from '../../lib/random/index.js'
import { chiSquare, chiSquareCritical } from './oracle.js'

describe('permutation', () => {
  it('holds every number once', () => {
    const complete = fc.property(fc.nat(300), fc.maxSafeNat(), (n, seed) => {
      const permutation = generator(seed).permutation(n)
      expect(permutation).to.be.instanceOf(Int32Array)
      expect(Array.from(permutation.sort())).to.deep.equal(Array.from({ length: n }, (_, i) => i))
    })
    fc.assert(complete)
  })

  it('gives all 24 orders of 4 equally often (chi-square)', () => {
    const rng = generator(31)
    const counts = new Map<string, number>()
    for (let i = 0; i < 24_000; i++) {
      const order = rng.permutation(4).join()
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).to.equal(24)
    expect(chiSquare([...counts.values()], new Float64Array(24).fill(1 / 24))).to.be.below(chiSquareCritical[23])
  })
})

describe('sample', () => {
  it('is the start of a permutation', () => {
    const start = fc.property(fc.nat(60), fc.nat(), fc.maxSafeNat(), (n, some, seed) => {
      const k = some % (n + 1)
      expect([...generator(seed).sample(n, k)]).to.deep.equal([...generator(seed).permutation(n).slice(0, k)])
    })
    fc.assert(start)
  })

  it('gives all 10 pairs of 5 equally often (chi-square)', () => {
    const rng = generator(32)
    const counts = new Map<string, number>()
    for (let i = 0; i < 20_000; i++) {
      const pair = rng.sample(5, 2).sort().join()
      counts.set(pair, (counts.get(pair) ?? 0) + 1)
    }
    expect(counts.size).to.equal(10)
    expect(chiSquare([...counts.values()], new Float64Array(10).fill(0.1))).to.be.below(chiSquareCritical[9])
  })

  it('does not hold on to the rest of the permutation', () => {
    expect(generator(1).sample(1000, 3).buffer.byteLength).to.equal(12)
  })
})
