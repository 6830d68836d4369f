import { expect } from 'chai'
import { ExtremaError } from '../../lib/core/errors.js'
import { type GeneratorState, generator } from '../../lib/random/index.js'

const rng = generator(1)
const state = rng.state()
// biome-ignore lint/suspicious/noExplicitAny: what a caller without types may pass.
const untyped = rng as any

function refused(code: string, message: string, call: () => unknown): void {
  it(`${code} ${message}`, () => {
    const before = rng.state()
    try {
      call()
    } catch (error) {
      expect(error).to.be.instanceOf(ExtremaError)
      expect((error as ExtremaError).code).to.equal(code)
      expect((error as ExtremaError).message).to.equal(message)
      expect(rng.state(), 'nothing drawn').to.deep.equal(before)
      return
    }
    expect.fail('not refused')
  })
}

describe('random refuses', () => {
  const seeds: [unknown, string][] = [
    [-1, '-1'],
    [0.5, '0.5'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [2 ** 53, '9007199254740992'],
    [-1n, '-1n'],
    [2n ** 64n, '18446744073709551616n'],
    ['7', "'7'"],
    [undefined, 'undefined'],
    [null, 'null'],
  ]
  for (const [seed, got] of seeds) {
    const message = `seed: expected a whole number in [0, 2^53) or a bigint in [0, 2^64), got ${got}`
    refused('ERR_OPTION', message, () => generator(seed as number))
  }

  const length = 'n: expected a whole number from 0 to 9007199254740991, got'
  refused('ERR_OPTION', `${length} -1`, () => rng.uniform(-1))
  refused('ERR_OPTION', `${length} 1.5`, () => rng.normal(1.5))
  refused('ERR_OPTION', `${length} NaN`, () => rng.uniform(Number.NaN))
  refused('ERR_OPTION', `${length} '3'`, () => untyped.normal('3'))
  refused('ERR_MEMORY', 'n: expected a length that fits into memory, got 9007199254740991', () =>
    rng.uniform(Number.MAX_SAFE_INTEGER),
  )
  refused('ERR_SHAPE', 'out: expected a length or a Float64Array, got Float32Array', () =>
    untyped.uniform(new Float32Array(3)),
  )
  refused('ERR_SHAPE', 'out: expected a length or a Float64Array, got null', () => untyped.uniform(null))
  refused('ERR_BUFFER', 'out: expected an array, got one whose buffer was transferred away', () => {
    const out = new Float64Array(3)
    structuredClone(out.buffer, { transfer: [out.buffer] })
    return rng.uniform(out)
  })

  const safe = 'expected a whole number from -9007199254740991 to 9007199254740991, got'
  refused('ERR_OPTION', `lo: ${safe} NaN`, () => rng.integer(Number.NaN, 3))
  refused('ERR_OPTION', `lo: ${safe} 0.5`, () => rng.integer(0.5, 3))
  refused('ERR_OPTION', `hi: ${safe} Infinity`, () => rng.integer(0, Number.POSITIVE_INFINITY))
  refused('ERR_OPTION', `hi: ${safe} undefined`, () => untyped.integer(3))
  const above = 'hi: expected a number from lo + 1 to lo + 2^53'
  refused('ERR_OPTION', `${above} (lo = 3), got 2`, () => rng.integer(3, 2))
  refused('ERR_OPTION', `${above} (lo = 3), got 3`, () => rng.integer(3, 3))
  refused('ERR_OPTION', `${above} (lo = -9007199254740991), got 9007199254740991`, () =>
    rng.integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  )
  refused('ERR_OPTION', `${above} (lo = -9007199254740991), got 2`, () => rng.integer(Number.MIN_SAFE_INTEGER, 2))

  refused('ERR_OPTION', 'n: expected a whole number from 0 to 2147483647, got -1', () => rng.permutation(-1))
  refused('ERR_OPTION', 'n: expected a whole number from 0 to 2147483647, got 2147483648', () =>
    rng.permutation(2 ** 31),
  )
  refused('ERR_OPTION', 'k: expected a whole number from 0 to 3, got 4', () => rng.sample(3, 4))
  refused('ERR_OPTION', 'index: expected a whole number from 0 to 9007199254740991, got -1', () => rng.split(-1))
  refused('ERR_OPTION', 'index: expected a whole number from 0 to 9007199254740991, got undefined', () =>
    untyped.split(),
  )

  refused('ERR_SHAPE', 'weights: expected at least one, got none', () => rng.categorical([]))
  refused('ERR_NOT_POSITIVE', 'weights: expected a positive sum, got 0', () => rng.categorical([0, 0]))
  refused('ERR_NOT_POSITIVE', 'weights[1]: expected a finite number >= 0, got -1', () => rng.categorical([2, -1]))
  refused('ERR_NOT_FINITE', 'weights[0]: expected a finite number >= 0, got NaN', () =>
    rng.categorical([Number.NaN, 1]),
  )
  refused('ERR_NOT_FINITE', 'weights[1]: expected a finite number >= 0, got Infinity', () =>
    rng.categorical([1, Number.POSITIVE_INFINITY]),
  )
  refused('ERR_OPTION', `${length} -2`, () => rng.categorical([1], -2))

  const states: [unknown, string][] = [
    [null, 'an object, got null'],
    ['{}', "an object, got '{}'"],
    [{ ...state, algorithm: 'pcg64' }, "algorithm 'philox4x32-10', got 'pcg64'"],
    [{ ...state, half: 2 }, 'half 0 or 1, got 2'],
    [{ ...state, key: [1] }, 'key of 2 whole numbers in [0, 2^32), got Array'],
    [{ ...state, key: [1, -1] }, 'key of 2 whole numbers in [0, 2^32), got Array'],
    [{ ...state, counter: undefined }, 'counter of 4 whole numbers in [0, 2^32), got undefined'],
    [{ ...state, counter: [0, 0, 0, 2 ** 32] }, 'counter of 4 whole numbers in [0, 2^32), got Array'],
    [{ ...state, counter: [0, 0, 0.5, 0] }, 'counter of 4 whole numbers in [0, 2^32), got Array'],
    [{ ...state, counter: [0, 0, 0, 2 ** 31] }, 'the top bit of counter clear, got 2147483648'],
  ]
  for (const [given, expected] of states) {
    refused('ERR_OPTION', `state: expected ${expected}`, () => generator.fromState(given as GeneratorState))
  }
})
