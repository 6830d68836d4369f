/** A floating-point number of 16 bits: a sign, an exponent and a fraction. */
export interface SmallFloat {
  exponentBits: number
  fractionBits: number
}

/** IEEE 754 binary16. */
export const float16: SmallFloat = { exponentBits: 5, fractionBits: 10 }
/** The upper half of a binary32. */
export const bfloat16: SmallFloat = { exponentBits: 8, fractionBits: 7 }

const scratch = new Float64Array(1)
const words = new Uint32Array(scratch.buffer)
const upper = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0

/** e with 2^e <= x < 2^(e+1), for positive normal x. */
function exponentOf(x: number): number {
  scratch[0] = x
  return ((words[upper] >>> 20) & 0x7ff) - 1023
}

/** The nearest whole number of 0 <= x < 2^51, of two equally near ones the even. */
function roundEven(x: number): number {
  return x + 2 ** 52 - 2 ** 52
}

/** The nearest number of the format, of two equally near ones that with an even fraction: its bits. */
function encode(x: number, { exponentBits, fractionBits }: SmallFloat): number {
  const bias = 2 ** (exponentBits - 1) - 1
  const infinite = (2 ** exponentBits - 1) << fractionBits
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0
  if (Number.isNaN(x)) return infinite | (1 << (fractionBits - 1))
  const size = Math.abs(x)
  if (size >= 2 ** (bias + 1)) return sign | infinite
  // Below the least normal number the fraction counts in steps of the same size as just above it.
  const exponent = Math.max(size === 0 ? -1074 : exponentOf(size), 1 - bias)
  const fraction = roundEven(size * 2 ** (fractionBits - exponent))
  // A fraction that is rounded up to the next power of two carries into the exponent, at the top to infinity.
  return sign | (((exponent + bias - 1) << fractionBits) + fraction)
}

function decode(bits: number, { exponentBits, fractionBits }: SmallFloat): number {
  const bias = 2 ** (exponentBits - 1) - 1
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits & 0x7fff) >>> fractionBits
  const fraction = (bits & ((1 << fractionBits) - 1)) / 2 ** fractionBits
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias)
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction) * 2 ** (exponent - bias)
}

/** Numbers as bits of the format, each rounded once. */
export function toSmall(values: ArrayLike<number>, format: SmallFloat): Uint16Array {
  const out = new Uint16Array(values.length)
  for (let i = 0; i < out.length; i++) out[i] = encode(values[i], format)
  return out
}

const tables = new Map<SmallFloat, Float32Array>()

/** The numbers that the bits stand for; float32 holds all of them. */
export function fromSmall(bits: Uint16Array, format: SmallFloat): Float32Array {
  let table = tables.get(format)
  if (table === undefined) {
    table = Float32Array.from({ length: 2 ** 16 }, (_, code) => decode(code, format))
    tables.set(format, table)
  }
  const out = new Float32Array(bits.length)
  for (let i = 0; i < out.length; i++) out[i] = table[bits[i]]
  return out
}
