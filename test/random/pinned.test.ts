import { expect } from 'chai'
import { generator } from '../../lib/random/index.js'
import { bitsOf, generatorBefore, hashOf } from './oracle.js'

// native/test/random_test.cc asserts the same constants: the streams of both languages are equal, and stay what they
// were in every release.
describe('random streams, pinned', () => {
  const seeds = [
    { seed: 0n, uniform: 0xe72cdc2eecd7f911n, normal: 0x932846f4912bd0bcn },
    { seed: 42n, uniform: 0x8a715a2aa565b390n, normal: 0xe60ae3c9e27bf09fn },
    { seed: 2n ** 64n - 1n, uniform: 0x10f78dff857ebee8n, normal: 0x7e6cd7f754e0a330n },
  ]
  for (const { seed, uniform, normal } of seeds) {
    it(`gives the 10,000 uniforms and normals of seed ${seed}`, () => {
      expect(hashOf(generator(seed).uniform(10_000))).to.equal(uniform)
      expect(hashOf(generator(seed).normal(10_000))).to.equal(normal)
    })
  }

  const normals: [string, bigint, bigint][] = [
    ['the lowest', 0n, 0xc0224f82aa55eb15n],
    ['far tail', 1n, 0xc0221263f48fda57n],
    ['far tail', 0x0000000012345678n, 0xc01a872eb500d6c8n],
    ['near tail', 0x0000001000000000n, 0xc0171f2b7c7c938dn],
    ['near tail, next to the centre', 0x1333333333333000n, 0xbff7085226d3e524n],
    ['centre', 0x1333333333334000n, 0xbff7085226d3e51dn],
    ['next below the middle', 0x7fffffffffffffffn, 0xbbf40d931ff62707n],
    ['below the middle', 0x7ffffffffffff000n, 0xbcc40cf2b35d2755n],
    ['upper quartile', 0xc000000000000000n, 0x3fe5956b87528a49n],
    ['the highest', 0xffffffffffffffffn, 0x40224f82aa55eb15n],
  ]
  for (const [what, word, bits] of normals) {
    it(`gives the normal of word 0x${word.toString(16)}: ${what}`, () => {
      expect(bitsOf(generatorBefore(word).normal())).to.equal(bits)
    })
  }
})
