import { expect } from 'chai'
import fc from 'fast-check'
import { backend, kernels } from '../../lib/backend/index.js'
import { portableRandomKernels, type RandomKernels } from '../../lib/backend/portable/random/kernels.js'
import { bitsOf, philoxInverse, quantileError, wordsOracle } from './oracle.js'

const methods = ['fillUniform', 'fillNormal'] as const
const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const key = fc.tuple(word, word)
// Often next to a carry.
const low = fc.oneof(word, fc.integer({ min: 2 ** 32 - 600, max: 2 ** 32 - 1 }))
const high = fc.oneof(word, fc.constant(2 ** 32 - 1))
const counter = fc.tuple(low, high, high, high)

const backends: [string, RandomKernels][] = [['portable', portableRandomKernels]]
if (backend().name === 'native') backends.push(['native', kernels('native').random])

for (const [name, random] of backends) {
  describe(`random kernels, ${name}`, () => {
    it('fill from the words of the stream, upper bits for uniforms and all for normals', () => {
      const definition = fc.property(key, counter, fc.nat(40), (k, c, n) => {
        const first = c.reduceRight((sum, w) => (sum << 32n) | BigInt(w), 0n)
        const words = wordsOracle(k.map(BigInt), first)
        const uniforms = new Float64Array(n)
        const normals = new Float64Array(n)
        random.fillUniform(Uint32Array.from(k), Uint32Array.from(c), uniforms)
        random.fillNormal(Uint32Array.from(k), Uint32Array.from(c), normals)
        for (let i = 0; i < n; i++) {
          const next = words.next().value
          expect(uniforms[i]).to.equal(Number(next >> 11n) / 2 ** 53)
          expect(Math.abs(quantileError(normals[i], next))).to.be.below(1e-15)
        }
      })
      fc.assert(definition, { numRuns: 60 })
    })

    it('give the same bits as the portable ones, for any length and place in memory', () => {
      const same = fc.property(
        key,
        counter,
        fc.nat(3000),
        fc.nat(3),
        fc.constantFrom(...methods),
        (k, c, n, at, fill) => {
          const around = new Float64Array(n + at + 3).fill(-99)
          const expected = new Float64Array(n)
          random[fill](Uint32Array.from(k), Uint32Array.from(c), around.subarray(at, at + n))
          portableRandomKernels[fill](Uint32Array.from(k), Uint32Array.from(c), expected)
          expect(Buffer.from(around.buffer, 8 * at, 8 * n).equals(Buffer.from(expected.buffer))).to.equal(true)
          expect(
            around.subarray(0, at).every((x) => x === -99) && around.subarray(at + n).every((x) => x === -99),
          ).to.equal(true)
        },
      )
      fc.assert(same)
    })

    it('agree on words that draws do not reach', () => {
      const small = fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 63n }))
      const same = fc.property(small, fc.boolean(), key, ([bits, zeros], upper, k) => {
        const rare = upper ? (bits >> zeros) ^ (2n ** 64n - 1n) : bits >> zeros
        const block = [rare & 0xffffffffn, rare >> 32n, 0n, 0n]
        const at = Uint32Array.from(philoxInverse(k.map(BigInt), block), Number)
        const pair = new Float64Array(2)
        random.fillNormal(Uint32Array.from(k), at, pair)
        expect(Math.abs(quantileError(pair[0], rare))).to.be.below(1e-15)
        const twin = new Float64Array(2)
        portableRandomKernels.fillNormal(Uint32Array.from(k), at, twin)
        expect(Array.from(pair, bitsOf)).to.deep.equal(Array.from(twin, bitsOf))
      })
      fc.assert(same, { numRuns: 500 })
    })

    it('leave key and counter as they are', () => {
      const k = Uint32Array.of(1, 2)
      const c = Uint32Array.of(0xffffffff, 0xffffffff, 5, 6)
      for (const fill of methods) random[fill](k, c, new Float64Array(999))
      expect([...k, ...c]).to.deep.equal([1, 2, 0xffffffff, 0xffffffff, 5, 6])
    })
  })
}
