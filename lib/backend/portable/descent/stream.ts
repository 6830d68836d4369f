import { uniformFromWord } from '../random/kernels.js'
import { philox } from '../random/philox.js'

/** One uniform number after another: the first word of block 0, 1, … under the seed. */
export class Stream {
  private readonly block = new Int32Array(4)
  private readonly key: [number, number]
  private count = 0

  constructor(seed: number) {
    this.key = [seed >>> 0, Math.floor(seed / 2 ** 32)]
  }

  /** In [0, 1). */
  uniform(): number {
    philox(this.key[0], this.key[1], this.count, 0, 0, 0, this.block)
    this.count = (this.count + 1) >>> 0
    return uniformFromWord(this.block[1], this.block[0])
  }

  /** A whole number in [0, range). */
  below(range: number): number {
    return Math.floor(this.uniform() * range)
  }

  /** Shuffles the first `count` places, drawing them from all `length`. */
  shuffle(items: Int32Array, count: number, length: number): void {
    for (let i = 0; i < count; i++) {
      const j = i + this.below(length - i)
      const item = items[i]
      items[i] = items[j]
      items[j] = item
    }
  }
}

/** Draws indices with probability in proportion to their weights, without putting them back: a tree of partial sums. */
export class Urn {
  private readonly half: number
  private readonly sums: Float64Array

  constructor(private readonly weights: Float64Array) {
    let half = 1
    while (half < weights.length) half *= 2
    this.half = half
    this.sums = new Float64Array(2 * half)
    this.sums.set(weights, half)
    for (let k = half - 1; k > 0; k--) this.sums[k] = this.sums[2 * k] + this.sums[2 * k + 1]
  }

  /** An index, which stays away until it is put back; -1 if nothing is left. */
  draw(uniform: number): number {
    const { sums, half } = this
    if (!(sums[1] > 0)) return -1
    let rest = uniform * sums[1]
    let k = 1
    while (k < half) {
      k *= 2
      // Never into a half without weight, whatever rounding says.
      if (sums[k + 1] > 0 && (rest >= sums[k] || !(sums[k] > 0))) {
        rest -= sums[k]
        k++
      }
    }
    this.set(k - half, 0)
    return k - half
  }

  putBack(index: number): void {
    this.set(index, this.weights[index])
  }

  private set(index: number, weight: number): void {
    const { sums } = this
    let k = this.half + index
    sums[k] = weight
    for (k >>= 1; k > 0; k >>= 1) sums[k] = sums[2 * k] + sums[2 * k + 1]
  }
}
