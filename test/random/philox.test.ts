import { expect } from 'chai'
import fc from 'fast-check'
import { advance, philox } from '../../lib/backend/portable/random/philox.js'
import { generator } from '../../lib/random/index.js'
import { bitsOf, philoxInverse, philoxOracle, wordsOracle } from './oracle.js'

type Four = [number, number, number, number]

function blockOf(key: [number, number], counter: Four): number[] {
  const block = new Int32Array(4)
  philox(...key, ...counter, block)
  return Array.from(block, (word) => word >>> 0)
}

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const key = fc.tuple(word, word)
const counter = fc.tuple(word, word, word, word)

describe('Philox4x32-10', () => {
  it('gives the known answers of the Random123 distribution', () => {
    expect(blockOf([0, 0], [0, 0, 0, 0])).to.deep.equal([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8])
    const ones = 0xffffffff
    expect(blockOf([ones, ones], [ones, ones, ones, ones])).to.deep.equal([
      0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
    ])
    expect(blockOf([0xa4093822, 0x299f31d0], [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344])).to.deep.equal([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ])
  })

  it('equals its definition on BigInts', () => {
    const same = fc.property(key, counter, (k, c) => {
      expect(blockOf(k, c)).to.deep.equal(philoxOracle(k.map(BigInt), c.map(BigInt)).map(Number))
    })
    fc.assert(same, { numRuns: 2000 })
  })

  it('is undone by its rounds in reverse', () => {
    const undone = fc.property(key, counter, (k, c) => {
      const block = blockOf(k, c).map(BigInt)
      expect(philoxInverse(k.map(BigInt), block).map(Number)).to.deep.equal(c)
    })
    fc.assert(undone)
  })

  it('carries over the words of the counter', () => {
    const carried = fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
      fc.oneof(fc.constant(1), fc.maxSafeNat()),
      fc.boolean(),
      (start, blocks, low) => {
        // Near a word's end as often as not.
        const from = low ? start | 0xffffffffffffffff00000000n : start
        const words = Uint32Array.from([0n, 32n, 64n, 96n], (shift) => Number((from >> shift) & 0xffffffffn))
        advance(words, blocks)
        const sum = words.reduceRight((total, w) => (total << 32n) | BigInt(w), 0n)
        expect(sum).to.equal((from + BigInt(blocks)) % 2n ** 128n)
      },
    )
    fc.assert(carried, { numRuns: 1000 })
    const full = Uint32Array.of(0xffffffff, 0xffffffff, 0xffffffff, 6)
    advance(full, 1)
    expect([...full]).to.deep.equal([0, 0, 0, 7])
  })

  it('is read as a stream of 64-bit words, low half first, over every carry', () => {
    for (const start of [0n, 2n ** 32n - 3n, 2n ** 64n - 3n, 2n ** 96n - 3n]) {
      const words = wordsOracle([7n, 9n], start)
      const uniforms = generator
        .fromState({
          algorithm: 'philox4x32-10',
          key: [7, 9],
          counter: [0n, 32n, 64n, 96n].map((shift) => Number((start >> shift) & 0xffffffffn)) as Four,
          half: 0,
        })
        .uniform(15)
      const expected = Array.from(uniforms, () => Number(words.next().value >> 11n) / 2 ** 53)
      expect(Array.from(uniforms, bitsOf)).to.deep.equal(expected.map(bitsOf))
    }
  })

  it('takes the seed as key', () => {
    expect(generator(2n ** 64n - 2n).state().key).to.deep.equal([0xfffffffe, 0xffffffff])
    expect(generator(2 ** 53 - 1).state()).to.deep.equal(generator(2n ** 53n - 1n).state())
    expect(generator(5).uniform()).to.equal(Number(wordsOracle([5n, 0n]).next().value >> 11n) / 2 ** 53)
  })
})
