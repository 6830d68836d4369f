import { portableRandomKernels } from '../random/kernels.js'

const batch = 1024

/**
 * The random numbers of sketch k: `words` words of the Philox stream from word k · words on, an even number of words
 * or one. Single words come in batches.
 */
export class Draws {
  readonly values: Float64Array
  private readonly counter = new Uint32Array(4)
  private held = -1

  constructor(
    private readonly key: Uint32Array,
    private readonly words: number,
    private readonly fill: 'fillUniform' | 'fillNormal',
  ) {
    this.values = new Float64Array(words === 1 ? batch : words)
  }

  /** The place in `values` where the numbers of sketch k begin. */
  seek(k: number): number {
    const { words, values, counter } = this
    const block = words === 1 ? Math.floor(k / batch) : k
    if (block !== this.held) {
      this.held = block
      const at = (block * values.length) / 2
      counter[0] = at % 2 ** 32
      counter[1] = Math.floor(at / 2 ** 32)
      portableRandomKernels[this.fill](this.key, counter, values)
    }
    return words === 1 ? k % batch : 0
  }
}

/** The least even number >= n. */
export function even(n: number): number {
  return n + (n % 2)
}
