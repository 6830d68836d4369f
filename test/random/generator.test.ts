import { expect } from 'chai'
import fc from 'fast-check'
import { portableRandomKernels, type RandomKernels } from '../../lib/backend/portable/random/kernels.js'
import { Generator } from '../../lib/random/generator.js'
import { generator } from '../../lib/random/index.js'
import { seededStream } from '../../lib/random/stream.js'
import { philoxOracle } from './oracle.js'

describe('generator', () => {
  it('gives the same numbers singly and in arrays of any lengths', () => {
    const lengths = fc.array(fc.oneof(fc.constant(undefined), fc.nat(9), fc.nat(700)), { maxLength: 12 })
    const same = fc.property(lengths, fc.maxSafeNat(), fc.constantFrom('uniform', 'normal'), (cuts, seed, method) => {
      const rng = generator(seed)
      const numbers = cuts.flatMap((n) => (n === undefined ? rng[method]() : [...rng[method](n)]))
      expect(numbers).to.deep.equal([...generator(seed)[method](numbers.length)])
    })
    fc.assert(same)
  })

  it('fills the array it is given, views and shared memory included', () => {
    const shared = new Float64Array(new SharedArrayBuffer(8 * 600))
    const view = shared.subarray(50, 550)
    expect(generator(1).uniform(view)).to.equal(view)
    expect([...view]).to.deep.equal([...generator(1).uniform(500)])
    expect(shared[49]).to.equal(0)
    expect(shared[550]).to.equal(0)
    expect(generator(1).normal(new Float64Array(0)).length).to.equal(0)
  })

  it('leaves long fills to the kernels, short ones not', () => {
    const calls: string[] = []
    const spy: RandomKernels = {
      fillUniform(key, counter, out) {
        calls.push(`uniform ${counter[0]} ${out.length}`)
        portableRandomKernels.fillUniform(key, counter, out)
      },
      fillNormal(key, counter, out) {
        calls.push(`normal ${counter[0]} ${out.length}`)
        portableRandomKernels.fillNormal(key, counter, out)
      },
    }
    const rng = new Generator(seededStream(3n), 0, spy)
    const plain = generator(3)
    for (const n of [1, 1000, 10, 999, 1001]) expect([...rng.uniform(n)]).to.deep.equal([...plain.uniform(n)])
    expect([...rng.split(4).normal(500)]).to.deep.equal([...plain.split(4).normal(500)])
    expect(calls).to.deep.equal(['uniform 1 999', 'uniform 506 998', 'uniform 1005 1001', 'normal 0 500'])
  })

  it('goes on from its state, through JSON, in the middle of a block too', () => {
    const restored = fc.property(fc.maxSafeNat(), fc.nat(9), (seed, drawn) => {
      const rng = generator(seed).split(5)
      rng.uniform(drawn)
      const twin = generator.fromState(JSON.parse(JSON.stringify(rng.state())))
      expect(twin.state()).to.deep.equal(rng.state())
      for (const one of [(g: typeof rng) => g.normal(), (g: typeof rng) => g.split(2).uniform()]) {
        expect(one(twin)).to.equal(one(rng))
      }
      expect([...twin.permutation(20)]).to.deep.equal([...rng.permutation(20)])
    })
    fc.assert(restored)
  })

  it('gives states that later draws do not change', () => {
    const rng = generator(6)
    const before = rng.state()
    const numbers = rng.uniform(5)
    expect([...generator.fromState(before).uniform(5)]).to.deep.equal([...numbers])
  })

  it('goes on over the end of the lower counter words', () => {
    const counter: [number, number, number, number] = [0xfffffffe, 0xffffffff, 7, 0]
    const rng = generator.fromState({ algorithm: 'philox4x32-10', key: [1, 2], counter, half: 1 })
    const singly = generator.fromState(rng.state())
    const numbers = rng.uniform(9)
    expect(rng.state().counter).to.deep.equal([3, 0, 8, 0])
    expect([...numbers]).to.deep.equal(Array.from(numbers, () => singly.uniform()))
  })
})

describe('split', () => {
  it('derives key and stream number from the block in the reserved half of the counters', () => {
    const derived = fc.property(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat(), (seed, first, second) => {
      const child = childOracle({ key: [BigInt(seed) % 2n ** 32n, BigInt(seed) >> 32n], number: [0n, 0n] }, first)
      const { key, number } = childOracle(child, second)
      const rng = generator(seed).split(first)
      rng.uniform(3)
      expect(rng.split(second).state()).to.deep.equal({
        algorithm: 'philox4x32-10',
        key: key.map(Number),
        counter: [0, 0, ...number.map(Number)],
        half: 0,
      })
    })
    fc.assert(derived)
  })

  function childOracle({ key, number }: { key: bigint[]; number: bigint[] }, index: number) {
    const at = [BigInt(index) % 2n ** 32n, BigInt(index) >> 32n, number[0], number[1] + 2n ** 31n]
    const [k0, k1, n0, n1] = philoxOracle(key, at)
    return { key: [k0, k1], number: [n0, n1 % 2n ** 31n] }
  }

  it('does not depend on what was drawn before or after', () => {
    const rng = generator(8)
    const early = rng.split(1)
    rng.normal(1001)
    const numbers = early.uniform(10)
    expect([...rng.split(1).uniform(10)]).to.deep.equal([...numbers])
  })

  it('gives different streams to all indices, levels and seeds', () => {
    const seen = new Set<string>()
    let streams = 0
    for (let seed = 0; seed < 10; seed++) {
      for (const rng of [generator(seed), ...Array.from({ length: 500 }, (_, i) => generator(seed).split(i + 2))]) {
        for (const stream of [rng, rng.split(0), rng.split(1), rng.split(2 ** 52)]) {
          seen.add(JSON.stringify(stream.state()))
          streams++
        }
      }
    }
    expect(seen.size).to.equal(streams)
    expect(generator(1).split(1).split(2).uniform()).not.to.equal(generator(1).split(2).split(1).uniform())
  })

  it('gives uncorrelated streams', () => {
    const n = 100_000
    const root = generator(9)
    const streams = [root, root.split(0), root.split(1), root.split(2 ** 32), root.split(0).split(0), generator(10)]
    const numbers = streams.map((stream) => stream.normal(n))
    for (let i = 0; i < numbers.length; i++) {
      for (let j = 0; j < i; j++) {
        for (const shift of [0, 1, 2]) {
          let sum = 0
          for (let t = 0; t + shift < n; t++) sum += numbers[i][t] * numbers[j][t + shift]
          // Standard error 1 / sqrt(n); 45 such sums.
          expect(Math.abs(sum / Math.sqrt(n))).to.be.below(4.2)
        }
      }
    }
  })
})
