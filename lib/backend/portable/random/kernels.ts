import { normalFromWord } from './normal.js'
import { philox } from './philox.js'

/**
 * Fills from a counter-based stream. Element i comes from 64 bits of the Philox block at `counter + floor(i / 2)`:
 * words 1 and 0 for even i, 3 and 2 for odd i, high word first. So any cut of a range, over any number of threads, gives
 * the same numbers. `counter` is left as it is.
 */
export interface RandomKernels {
  /** Multiples of 2^-53 in [0, 1), from the upper 53 bits. `key` has 2 words, `counter` 4, least significant first. */
  fillUniform(key: Uint32Array, counter: Uint32Array, out: Float64Array): void
  /** Standard normals, by inversion of all 64 bits. */
  fillNormal(key: Uint32Array, counter: Uint32Array, out: Float64Array): void
}

export const portableRandomKernels: RandomKernels = {
  fillUniform(key, counter, out) {
    fill(key, counter, out, uniformFromWord)
  },
  fillNormal(key, counter, out) {
    fill(key, counter, out, normalFromWord)
  },
}

/** The upper 53 bits of the word with these halves, as a fraction in [0, 1). */
export function uniformFromWord(high: number, low: number): number {
  return ((high >>> 0) * 2 ** 21 + (low >>> 11)) * 2 ** -53
}

function fill(
  key: Uint32Array,
  counter: Uint32Array,
  out: Float64Array,
  transform: (high: number, low: number) => number,
): void {
  const key0 = key[0] | 0
  const key1 = key[1] | 0
  let c0 = counter[0] | 0
  let c1 = counter[1] | 0
  let c2 = counter[2] | 0
  let c3 = counter[3] | 0
  const block = new Int32Array(4)
  for (let i = 0; i < out.length; i += 2) {
    philox(key0, key1, c0, c1, c2, c3, block)
    out[i] = transform(block[1], block[0])
    if (i + 1 < out.length) out[i + 1] = transform(block[3], block[2])
    c0 = (c0 + 1) | 0
    if (c0 !== 0) continue
    c1 = (c1 + 1) | 0
    if (c1 !== 0) continue
    c2 = (c2 + 1) | 0
    if (c2 === 0) c3 = (c3 + 1) | 0
  }
}
