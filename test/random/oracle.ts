/**
 * Independent definitions that the tests of this folder hold the generator to: Philox on BigInts, the normal
 * distribution to 250 bits, and test statistics with critical values at level 0.001 (seeds are fixed).
 */
import { generator, type Generator as RandomGenerator } from '../../lib/random/index.js'

const mask32 = 0xffffffffn
const mask64 = (1n << 64n) - 1n
const multipliers = [0xd2511f53n, 0xcd9e8d57n] as const
const weyl = [0x9e3779b9n, 0xbb67ae85n] as const

/** Philox4x32-10 after Salmon et al. (2011), figure 2 and table 2. */
export function philoxOracle(key: readonly bigint[], counter: readonly bigint[]): bigint[] {
  let [x0, x1, x2, x3] = counter as [bigint, bigint, bigint, bigint]
  for (let round = 0n; round < 10n; round++) {
    const product0 = multipliers[0] * x0
    const product1 = multipliers[1] * x2
    x0 = (product1 >> 32n) ^ x1 ^ ((key[0] + round * weyl[0]) & mask32)
    x1 = product1 & mask32
    x2 = (product0 >> 32n) ^ x3 ^ ((key[1] + round * weyl[1]) & mask32)
    x3 = product0 & mask32
  }
  return [x0, x1, x2, x3]
}

/** The counter whose block is `block`: the rounds undone from the last to the first. */
export function philoxInverse(key: readonly bigint[], block: readonly bigint[]): bigint[] {
  let [x0, x1, x2, x3] = block as [bigint, bigint, bigint, bigint]
  for (let round = 9n; round >= 0n; round--) {
    const before0 = (x3 * inverseOf(multipliers[0])) & mask32
    const before2 = (x1 * inverseOf(multipliers[1])) & mask32
    const before1 = x0 ^ ((multipliers[1] * before2) >> 32n) ^ ((key[0] + round * weyl[0]) & mask32)
    const before3 = x2 ^ ((multipliers[0] * before0) >> 32n) ^ ((key[1] + round * weyl[1]) & mask32)
    ;[x0, x1, x2, x3] = [before0, before1, before2, before3]
  }
  return [x0, x1, x2, x3]
}

/** The inverse of an odd number modulo 2^32: each step doubles the number of right bits. */
function inverseOf(odd: bigint): bigint {
  let x = odd
  for (let bits = 3; bits < 32; bits *= 2) x = (x * (2n - odd * x)) & mask32
  return x
}

/** The 64-bit words that make up the stream of a key from block `first` on. */
export function* wordsOracle(key: readonly bigint[], first = 0n): Generator<bigint, never> {
  for (let position = first; ; position++) {
    const block = philoxOracle(
      key,
      [0n, 32n, 64n, 96n].map((shift) => (position >> shift) & mask32),
    )
    yield (block[1] << 32n) | block[0]
    yield (block[3] << 32n) | block[2]
  }
}

/** A generator whose next 64-bit word is `word`, which draws alone may never reach. */
export function generatorBefore(word: bigint): RandomGenerator {
  const key = [42n, 0n]
  for (let other = 0n; ; other++) {
    const counter = philoxInverse(key, [word & mask32, word >> 32n, other & mask32, other >> 32n]).map(Number)
    if (counter[3] >= 2 ** 31) continue // belongs to no stream
    return generator.fromState({
      algorithm: 'philox4x32-10',
      key: [42, 0],
      counter: counter as [number, number, number, number],
      half: 0,
    })
  }
}

/** The 64 bits of a number. */
export function bitsOf(x: number): bigint {
  return new BigUint64Array(Float64Array.of(x).buffer)[0]
}

/** FNV-1a, 64 bits, over the bytes of the numbers, least significant first. */
export function hashOf(values: Float64Array): bigint {
  let hash = 0xcbf29ce484222325n
  for (const value of values) {
    const bits = bitsOf(value)
    for (let shift = 0n; shift < 64n; shift += 8n) {
      hash = ((hash ^ ((bits >> shift) & 0xffn)) * 0x100000001b3n) & mask64
    }
  }
  return hash
}

// Fixed point with 250 fractional bits.
const fractionBits = 250n
const one = 1n << fractionBits

function toFixed(x: number): bigint {
  let exponent = 0n
  let mantissa = x
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2
    exponent++
  }
  return (BigInt(mantissa) << fractionBits) >> exponent
}

function multiply(a: bigint, b: bigint): bigint {
  return (a * b) >> fractionBits
}

function exponential(x: bigint): bigint {
  // exp(x) = exp(x / 2^40)^(2^40)
  const small = x >> 40n
  let term = one
  let sum = one
  for (let k = 1n; term !== 0n && term !== -1n; k++) {
    term = multiply(term, small) / k
    sum += term
  }
  for (let i = 0; i < 40; i++) sum = multiply(sum, sum)
  return sum
}

/** π by Machin's formula. */
const pi = (() => {
  const arctanOfInverse = (n: bigint) => {
    let power = one / n
    let sum = power
    for (let k = 3n; power !== 0n; k += 2n) {
      power /= -n * n
      sum += power / k
    }
    return sum
  }
  return 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n))
})()

function squareRoot(x: bigint): bigint {
  let root = 1n << (BigInt((x << fractionBits).toString(2).length + 1) / 2n)
  for (;;) {
    const next = (root + (x << fractionBits) / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

/**
 * By how much `x`, relative to its size, misses the standard normal quantile at (word + 1/2) / 2^64: the error of its
 * distribution function over x times its density.
 */
export function quantileError(x: number, word: bigint): number {
  const fixed = toFixed(x)
  const square = multiply(fixed, fixed)
  const density = (exponential(-square / 2n) * one) / squareRoot(2n * pi)
  // Φ(x) - 1/2 = density * (x + x³/3 + x⁵/(3·5) + …)
  let term = fixed
  let sum = fixed
  for (let k = 3n; term !== 0n && term !== -1n; k += 2n) {
    term = multiply(term, square) / k
    sum += term
  }
  const wanted = ((2n * word + 1n) << (fractionBits - 65n)) - one / 2n
  const scale = multiply(fixed, density)
  return Number(((multiply(density, sum) - wanted) << 80n) / scale) * 2 ** -80
}

/** The standard normal distribution function by the same series, good to 1e-12 absolute for |x| < 9. */
export function normalDistribution(x: number): number {
  let term = x
  let sum = x
  for (let k = 3; Math.abs(term) > 1e-18 * Math.abs(sum); k += 2) {
    term *= (x * x) / k
    sum += term
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI)
}

/**
 * Kolmogorov and Smirnov's statistic √n sup |empirical - distribution|. Above 1.95 with probability 0.001 if the
 * sample is from the distribution.
 */
export function kolmogorovSmirnov(sample: Float64Array, distribution: (x: number) => number): number {
  const sorted = sample.slice().sort()
  const n = sorted.length
  let largest = 0
  for (let i = 0; i < n; i++) {
    const value = distribution(sorted[i])
    largest = Math.max(largest, value - i / n, (i + 1) / n - value)
  }
  return Math.sqrt(n) * largest
}

export const kolmogorovSmirnovCritical = 1.95

/** Pearson's statistic for counts against probabilities. */
export function chiSquare(counts: ArrayLike<number>, probabilities: ArrayLike<number>): number {
  const total = Array.from(counts).reduce((a, b) => a + b, 0)
  return Array.from(counts).reduce((sum, count, i) => {
    const expected = total * probabilities[i]
    return sum + (count - expected) ** 2 / expected
  }, 0)
}

/** Above these with probability 0.001, by degrees of freedom. */
export const chiSquareCritical = { 2: 13.816, 3: 16.266, 9: 27.877, 23: 49.728, 99: 148.23, 255: 330.52 } as const
