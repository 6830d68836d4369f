/**
 * The exponential for kernels without native code: two to three times as fast as Math.exp in V8, at most 2 ulp off.
 *
 * exp x = 2^(n/256) exp r with n the nearest integer to 256 x / log 2, so |r| < 0.0014: a table and a polynomial of
 * degree 4 (P. T. P. Tang, "Table-driven implementation of the exponential function in IEEE floating-point
 * arithmetic", ACM Trans. Math. Softw. 15 (1989), 144-157). Only + - * on float64: the same bits on every machine
 * below the top of the range.
 */

const STEPS = 256
/** 256 / log 2: see {@link expSteps}. */
export const STEPS_PER_UNIT = STEPS * Math.LOG2E
/** log 2 / 256 in two parts; the first has few enough bits that n times it is exact. */
const STEP_HIGH = 0.6931471803691238 / STEPS
const STEP_LOW = 1.9082149292705877e-10 / STEPS
/** Adding and subtracting 1.5 * 2^52 rounds to an integer. */
const TO_INTEGER = 6755399441055744

/** Minimax for (exp r - 1 - r) / r^2; error of exp 2^-57.5. */
const C2 = 0.50000000000001221
const C3 = 0.16666667996708753
const C4 = 0.04166666055703587

/** 256 * -1021.5: powers under it become 0, as in the native kernels, so that none is subnormal. */
const LOWEST_POWER = -261504
/** Below, i would leave the range of integers. */
const FARTHEST = -5e6
/** From here on n / 256 would round to 1024. */
const HIGHEST = 709.78

/** 2^(j/256), correctly rounded: Math.pow is not. */
const FRACTIONS = (() => {
  const bits = 120n
  const root = 0x100b1afa5abcbed6129ab13ec11dc95n // 2^(1/256) * 2^120
  const table = new Float64Array(STEPS)
  let power = 1n << bits
  for (let j = 0; j < STEPS; j++) {
    table[j] = Number(power) * 2 ** -120
    power = (power * root) >> bits
  }
  return table
})()

/** 2^(i - 1023), and 0 for i = 0. */
const POWERS = (() => {
  const table = new Float64Array(2047)
  for (let i = 1, power = 2 ** -1022; i < table.length; i++, power *= 2) table[i] = power
  return table
})()

/**
 * exp(x) within 2 ulp. NaN gives NaN, arguments above 709.78… give Infinity, arguments under -708.05 give 0; exp(0) is
 * 1 exactly. Small enough for V8 to inline it into a kernel's loop. Which entries of a plan vanish is hard to predict:
 * they take the same way as the others, to the 0 at the front of the table.
 */
export function exp(x: number): number {
  if (x > FARTHEST && x < HIGHEST) {
    const n = x * STEPS_PER_UNIT + TO_INTEGER - TO_INTEGER
    const i = n | 0
    const r = x - n * STEP_HIGH - n * STEP_LOW
    const t = FRACTIONS[i & 255]!
    const vanishes = (i - LOWEST_POWER) >> 31
    return (t + t * (r + r * r * (C2 + r * (C3 + r * C4)))) * POWERS[((i >> 8) + 1023) & ~vanishes]!
  }
  return x < 0 ? 0 : Math.exp(x)
}

const STEP = Math.LN2 / STEPS
const FARTHEST_STEP = -1.8e9
/** From here on s would round to 2^1024. */
const HIGHEST_STEP = 262143.5
/** As C2 to C4, in powers of a step. */
const S2 = C2 * STEP ** 2
const S3 = C3 * STEP ** 3
const S4 = C4 * STEP ** 4

/**
 * exp(s / STEPS_PER_UNIT), that is 2^(s/256), within 2 ulp; Infinity from s = 262143.5 on, otherwise as {@link exp}. A
 * kernel that multiplies its exponents by some 1 / epsilon anyway saves a tenth of the time by multiplying them by
 * STEPS_PER_UNIT / epsilon.
 */
export function expSteps(s: number): number {
  if (s > FARTHEST_STEP && s < HIGHEST_STEP) {
    const n = s + TO_INTEGER - TO_INTEGER
    const i = n | 0
    const r = s - n
    const t = FRACTIONS[i & 255]!
    const vanishes = (i - LOWEST_POWER) >> 31
    return (t + t * (r * (STEP + r * (S2 + r * (S3 + r * S4))))) * POWERS[((i >> 8) + 1023) & ~vanishes]!
  }
  return s < 0 ? 0 : s * Number.POSITIVE_INFINITY // or NaN
}
