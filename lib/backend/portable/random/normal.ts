/**
 * Normal variates by inversion: M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution",
 * Applied Statistics 37 (1988), 477-484. Only + - * / and sqrt, each rounded once, in the same order as in
 * native/random/normal.h: the same bits on every machine, which Math.log does not promise. Relative error below 1e-15.
 */

/**
 * The standard normal quantile at (w + 1/2) / 2^64, where w is the unsigned 64-bit word of halves `high` and `low`
 * (32 bits each, signed or unsigned). Odd about the middle, never 0; magnitudes reach 9.16.
 */
export function normalFromWord(high: number, low: number): number {
  // Distance from 1/2 and lower probability come from the word separately, so that each keeps its digits.
  const q = fraction(high ^ 0x80000000, low)
  if (q >= -0.425 && q <= 0.425) return centre(q)
  return q < 0 ? -tail(fraction(high, low)) : tail(fraction(~high, ~low))
}

/** The signed 64-bit word of these halves, plus a half, over 2^64, rounded once. */
function fraction(high: number, low: number): number {
  return ((high | 0) * 2 ** 32 + ((low >>> 0) + 0.5)) * 2 ** -64
}

/** The quantile at 1/2 + q, |q| <= 0.425. */
function centre(q: number): number {
  const r = 0.180625 - q * q
  const numerator = horner(
    r,
    3.3871328727963665,
    133.14166789178438,
    1971.5909503065513,
    13731.69376550946,
    45921.95393154987,
    67265.7709270087,
    33430.57558358813,
    2509.0809287301227,
  )
  const denominator = horner(
    r,
    1,
    42.31333070160091,
    687.1870074920579,
    5394.196021424751,
    21213.794301586597,
    39307.89580009271,
    28729.085735721943,
    5226.495278852854,
  )
  return (q * numerator) / denominator
}

/** The magnitude of the quantile at p in [2^-65, 0.075]. */
function tail(p: number): number {
  const r = Math.sqrt(-logOfTail(p))
  return r <= 5 ? nearTail(r - 1.6) : farTail(r - 5)
}

function nearTail(r: number): number {
  const numerator = horner(
    r,
    1.4234371107496835,
    4.630337846156546,
    5.769497221460691,
    3.6478483247632045,
    1.2704582524523684,
    0.2417807251774506,
    0.022723844989269184,
    0.0007745450142783414,
  )
  const denominator = horner(
    r,
    1,
    2.053191626637759,
    1.6763848301838038,
    0.6897673349851,
    0.14810397642748008,
    0.015198666563616457,
    0.0005475938084995345,
    1.0507500716444169e-9,
  )
  return numerator / denominator
}

function farTail(r: number): number {
  const numerator = horner(
    r,
    6.657904643501103,
    5.463784911164114,
    1.7848265399172913,
    0.29656057182850487,
    0.026532189526576124,
    0.0012426609473880784,
    2.7115555687434876e-5,
    2.0103343992922881e-7,
  )
  const denominator = horner(
    r,
    1,
    0.599832206555888,
    0.1369298809227358,
    0.014875361290850615,
    0.0007868691311456133,
    1.8463183175100548e-5,
    1.421511758316446e-7,
    2.0442631033899397e-15,
  )
  return numerator / denominator
}

/** The polynomial with these coefficients, lowest order first. */
function horner(
  x: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  c4: number,
  c5: number,
  c6: number,
  c7: number,
): number {
  return ((((((c7 * x + c6) * x + c5) * x + c4) * x + c3) * x + c2) * x + c1) * x + c0
}

const LN2_HIGH = 0x162e42fefa / 2 ** 37 // ln 2 to 37 bits, so that its product with an exponent is exact
const LN2_LOW = 1.6465949582897082e-12 // ln 2 - LN2_HIGH

/** The natural logarithm of p in [2^-65, 0.075], to 1e-15 relative. */
function logOfTail(p: number): number {
  let m = p * 8
  let exponent = -3
  if (m < 2 ** -32) {
    m *= 2 ** 32
    exponent -= 32
  }
  if (m < 2 ** -16) {
    m *= 2 ** 16
    exponent -= 16
  }
  if (m < 2 ** -8) {
    m *= 2 ** 8
    exponent -= 8
  }
  if (m < 2 ** -4) {
    m *= 2 ** 4
    exponent -= 4
  }
  if (m < 2 ** -2) {
    m *= 2 ** 2
    exponent -= 2
  }
  if (m < 2 ** -1) {
    m *= 2
    exponent -= 1
  }
  if (m < Math.SQRT1_2) {
    m *= 2
    exponent -= 1
  }
  // p = m 2^exponent with m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh s by its Taylor series: s² <= 0.0295.
  const s = (m - 1) / (m + 1)
  const t = s * s
  let series = 1 / 19
  series = series * t + 1 / 17
  series = series * t + 1 / 15
  series = series * t + 1 / 13
  series = series * t + 1 / 11
  series = series * t + 1 / 9
  series = series * t + 1 / 7
  series = series * t + 1 / 5
  series = series * t + 1 / 3
  const twice = 2 * s
  return exponent * LN2_HIGH + (exponent * LN2_LOW + (twice + twice * (t * series)))
}
