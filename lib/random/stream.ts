import { philox } from '../backend/portable/random/philox.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from './checks.js'

/**
 * One of 2^127 streams of 64-bit words under Philox4x32-10: 64 bits of key and the upper 63 of the counter, its number.
 * Its blocks are at the counters (position, number) with a 64-bit position, so it has 2^65 words. Counters whose top
 * bit is set belong to `childStream` and no stream reaches them.
 */
export interface Stream {
  /** Two words. */
  key: Uint32Array
  /** Four words, the least significant first: two of position and two of stream number. */
  counter: Uint32Array
}

/** The stream of a seed in [0, 2^64): the seed is the key, the number 0. */
export function seededStream(given: number | bigint): Stream {
  const seed = checkSeed(given)
  const key = Uint32Array.of(Number(seed & 0xffffffffn), Number(seed >> 32n))
  return { key, counter: new Uint32Array(4) }
}

/**
 * The start of child stream `index` in [0, 2^53): its key and number are the block of the parent's key at the counter
 * (index, number of the parent) with the top bit set, wherever the parent stands. Among N
 * streams of any descent some two coincide with probability about N² / 2^128.
 */
export function childStream(parent: Stream, index: number): Stream {
  const [, , number0, number1] = parent.counter
  const block = new Int32Array(4)
  const domain = 0x80000000 | number1
  philox(parent.key[0], parent.key[1], index % 2 ** 32, Math.floor(index / 2 ** 32), number0, domain, block)
  return { key: Uint32Array.of(block[0], block[1]), counter: Uint32Array.of(0, 0, block[2], block[3] & 0x7fffffff) }
}

function checkSeed(seed: number | bigint): bigint {
  const right = typeof seed === 'bigint' ? seed >= 0n && seed < 2n ** 64n : Number.isSafeInteger(seed) && seed >= 0
  if (right) return BigInt(seed)
  const expected = 'a whole number in [0, 2^53) or a bigint in [0, 2^64)'
  throw new ExtremaError('ERR_OPTION', `seed: expected ${expected}, got ${describe(seed)}`)
}
