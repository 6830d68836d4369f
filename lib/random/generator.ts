import { kernels } from '../backend/index.js'
import { portableRandomKernels, type RandomKernels, uniformFromWord } from '../backend/portable/random/kernels.js'
import { normalFromWord } from '../backend/portable/random/normal.js'
import { advance, philox } from '../backend/portable/random/philox.js'
import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { cumulativeWeights, pick } from './categorical.js'
import { allocate, outputArray, wholeNumber } from './checks.js'
import { type GeneratorState, toState } from './state.js'
import { childStream, type Stream } from './stream.js'

/** Shorter fills do not repay the call into the addon. */
const longFill = 16

const int32Max = 2 ** 31 - 1

/**
 * A stream of random numbers. Every method takes the next 64-bit words of the stream in order: uniforms and normals
 * one each, so that `uniform(n)` equals n calls of `uniform()`; integers one or, rarely, more.
 */
export class Generator {
  readonly #key: Uint32Array
  readonly #counter: Uint32Array
  readonly #fills: RandomKernels | undefined
  /** The block at the counter, valid while its second half is still to come. */
  readonly #block = new Int32Array(4)
  #half: 0 | 1

  /**
   * See `generator` and `generator.fromState` for the public ways to one. Without `fills` the backend of the process
   * does the long fills.
   */
  constructor(stream: Stream, half: 0 | 1 = 0, fills?: RandomKernels) {
    this.#key = stream.key
    this.#counter = stream.counter
    this.#fills = fills
    this.#half = half
    if (half === 1) this.#computeBlock()
  }

  /** One number uniform in [0, 1): a multiple of 2^-53. */
  uniform(): number
  /** The next n of them, as a new array or in `out`. */
  uniform(n: number): Float64Array
  uniform(out: Float64Array): Float64Array
  uniform(target?: number | Float64Array): number | Float64Array {
    if (target !== undefined) return this.#fill('fillUniform', uniformFromWord, outputArray(target))
    const first = this.#take()
    return uniformFromWord(this.#block[first + 1], this.#block[first])
  }

  /** One standard normal number, the quantile of a uniform one: magnitudes reach 9.16. */
  normal(): number
  /** The next n of them, as a new array or in `out`. */
  normal(n: number): Float64Array
  normal(out: Float64Array): Float64Array
  normal(target?: number | Float64Array): number | Float64Array {
    if (target !== undefined) return this.#fill('fillNormal', normalFromWord, outputArray(target))
    const first = this.#take()
    return normalFromWord(this.#block[first + 1], this.#block[first])
  }

  /**
   * A whole number with lo <= number < hi, all equally likely, without bias. The bounds are safe integers at most 2^53
   * apart.
   */
  integer(lo: number, hi: number): number {
    wholeNumber('lo', lo, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    wholeNumber('hi', hi, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    if (hi <= lo || hi > lo + 2 ** 53) {
      throw new ExtremaError('ERR_OPTION', `hi: expected a number from lo + 1 to lo + 2^53 (lo = ${lo}), got ${hi}`)
    }
    return lo + this.#below(hi - lo)
  }

  /** The numbers 0 … n-1 in random order, all n! orders equally likely. n < 2^31. */
  permutation(n: number): Int32Array {
    wholeNumber('n', n, 0, int32Max)
    return this.#shuffled(n, n)
  }

  /** k different ones of the numbers 0 … n-1, in random order: the start of a permutation. O(n). */
  sample(n: number, k: number): Int32Array {
    wholeNumber('n', n, 0, int32Max)
    wholeNumber('k', k, 0, n)
    return this.#shuffled(n, k).slice(0, k)
  }

  /**
   * One index i with probability weights[i] / sum(weights). Weights are finite, >= 0 and not all zero; those of weight
   * zero are never drawn. By inversion of one uniform number: O(weights) once, then O(log weights) per index.
   */
  categorical(weights: VectorLike): number
  /** n independent ones. */
  categorical(weights: VectorLike, n: number): Int32Array
  categorical(weights: VectorLike, n?: number): number | Int32Array {
    const sums = cumulativeWeights(weights)
    if (n === undefined) return pick(sums, this.uniform())
    wholeNumber('n', n, 0, Number.MAX_SAFE_INTEGER)
    const indices = allocate(n, () => new Int32Array(n))
    for (let i = 0; i < n; i++) indices[i] = pick(sums, this.uniform())
    return indices
  }

  /**
   * The independent generator number `index` in [0, 2^53) of this one, at its beginning. It depends on the seed and the
   * indices on the way to it, never on how many numbers were drawn: `generator(seed).split(trial).split(worker)` gives
   * the same numbers in any order of execution.
   */
  split(index: number): Generator {
    wholeNumber('index', index, 0, Number.MAX_SAFE_INTEGER)
    return new Generator(childStream({ key: this.#key, counter: this.#counter }, index), 0, this.#fills)
  }

  /** Where the generator stands, as plain JSON for `generator.fromState`. */
  state(): GeneratorState {
    return toState({ key: this.#key, counter: this.#counter }, this.#half)
  }

  #computeBlock(): void {
    const [c0, c1, c2, c3] = this.#counter
    philox(this.#key[0], this.#key[1], c0, c1, c2, c3, this.#block)
  }

  /** Moves past the next 64-bit word and returns the index in the block of its lower half; the upper one follows. */
  #take(): 0 | 2 {
    if (this.#half === 0) {
      this.#computeBlock()
      this.#half = 1
      return 0
    }
    this.#half = 0
    advance(this.#counter, 1)
    return 2
  }

  #fill(
    kernel: keyof RandomKernels,
    transform: (high: number, low: number) => number,
    out: Float64Array,
  ): Float64Array {
    if (out.length === 0) return out
    let rest = out
    if (this.#half === 1) {
      const first = this.#take()
      out[0] = transform(this.#block[first + 1], this.#block[first])
      rest = out.subarray(1)
    }
    const fills = rest.length < longFill ? portableRandomKernels : (this.#fills ?? kernels().random)
    fills[kernel](this.#key, this.#counter, rest)
    advance(this.#counter, Math.floor(rest.length / 2))
    if (rest.length % 2 === 1) this.#take()
    return out
  }

  /** A whole number in [0, range), range <= 2^53. */
  #below(range: number): number {
    return range <= 2 ** 32 ? this.#belowShort(range) : this.#belowLong(range)
  }

  /**
   * D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 29 (2019): the upper half of the 64-bit
   * product of range and a 32-bit word, redrawn where the lower half falls into the uneven rest.
   */
  #belowShort(range: number): number {
    for (;;) {
      const word = this.#block[this.#take() + 1] >>> 0
      const low = Math.imul(word, range) >>> 0
      if (low >= range || low >= 2 ** 32 % range) {
        // Exact: the product's rounding error is far below 2^32.
        return Math.round((word * range - low) / 2 ** 32)
      }
    }
  }

  /** As many bits as range needs, redrawn above it. */
  #belowLong(range: number): number {
    let scale = 2 ** 53
    while (scale / 2 >= range) scale /= 2
    for (;;) {
      const number = Math.floor(this.uniform() * scale)
      if (number < range) return number
    }
  }

  /** R. A. Fisher and F. Yates' shuffle of 0 … n-1, until the first k places are settled. */
  #shuffled(n: number, k: number): Int32Array {
    const items = allocate(n, () => new Int32Array(n))
    for (let i = 0; i < n; i++) items[i] = i
    for (let i = 0; i < Math.min(k, n - 1); i++) {
      const j = i + this.#belowShort(n - i)
      const item = items[i]
      items[i] = items[j]
      items[j] = item
    }
    return items
  }
}
