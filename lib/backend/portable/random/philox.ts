/**
 * Philox4x32-10, a counter-based generator: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC11, 2011. Word 0 is the least significant in counters and blocks. The twin in
 * native/random/philox.h gives the same bits.
 */

/**
 * Writes the block of four random words at the counter (c0, c1, c2, c3) under the key (key0, key1) to `block`. All
 * words are 32 bits, signed or unsigned.
 */
export function philox(
  key0: number,
  key1: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  block: Int32Array,
): void {
  for (let round = 0; round < 10; round++) {
    // The upper halves of 0xD2511F53 * c0 and 0xCD9E8D57 * c2, from 16-bit halves: no partial sum exceeds 32 bits.
    const a0 = c0 & 0xffff
    const a1 = c0 >>> 16
    const s0 = Math.imul(a1, 0x1f53) + (Math.imul(a0, 0x1f53) >>> 16)
    const high0 = Math.imul(a1, 0xd251) + (s0 >>> 16) + ((Math.imul(a0, 0xd251) + (s0 & 0xffff)) >>> 16)
    const low0 = Math.imul(c0, 0xd2511f53)
    const b0 = c2 & 0xffff
    const b1 = c2 >>> 16
    const s1 = Math.imul(b1, 0x8d57) + (Math.imul(b0, 0x8d57) >>> 16)
    const high1 = Math.imul(b1, 0xcd9e) + (s1 >>> 16) + ((Math.imul(b0, 0xcd9e) + (s1 & 0xffff)) >>> 16)
    const low1 = Math.imul(c2, 0xcd9e8d57)
    c0 = high1 ^ c1 ^ key0
    c1 = low1
    c2 = high0 ^ c3 ^ key1
    c3 = low0
    key0 = (key0 + 0x9e3779b9) | 0 // golden ratio
    key1 = (key1 + 0xbb67ae85) | 0 // sqrt(3) - 1
  }
  block[0] = c0
  block[1] = c1
  block[2] = c2
  block[3] = c3
}

/** `counter += blocks`, modulo 2^128; `blocks` is a whole number below 2^53. */
export function advance(counter: Uint32Array, blocks: number): void {
  let carry = blocks
  for (let word = 0; carry > 0 && word < 4; word++) {
    const sum = counter[word] + (carry % 2 ** 32)
    counter[word] = sum
    carry = Math.floor(carry / 2 ** 32) + (sum >= 2 ** 32 ? 1 : 0)
  }
}
