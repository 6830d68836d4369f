import { portableRandomKernels } from '../../random/kernels.js'
import { advance } from '../../random/philox.js'

/** A stream of random numbers: two words of key, four of counter. */
export class Stream {
  readonly #key: Uint32Array
  readonly #counter: Uint32Array

  constructor(words: Uint32Array) {
    this.#key = words.subarray(0, 2)
    this.#counter = words.subarray(2, 6)
  }

  /** The numbers from `first`, which is even, on. */
  uniform(first: number, out: Float64Array): void {
    portableRandomKernels.fillUniform(this.#key, this.#at(first), out)
  }

  normal(first: number, out: Float64Array): void {
    portableRandomKernels.fillNormal(this.#key, this.#at(first), out)
  }

  #at(first: number): Uint32Array {
    const counter = this.#counter.slice()
    advance(counter, first / 2)
    return counter
  }
}
