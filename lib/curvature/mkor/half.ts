// Half precision numbers as 16-bit patterns: Node has no Float16Array yet.

const bits = new Uint32Array(1)
const single = new Float32Array(bits.buffer)

/** The nearest half precision number, ties to even; beyond 65,504 an infinity. */
export function toHalf(value: number): number {
  single[0] = value
  const [word] = bits
  const sign = (word >>> 16) & 0x8000
  const magnitude = word & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude < 0x38800000) {
    // Subnormal: multiples of 2^-24.
    const steps = Math.abs(value) * 2 ** 24
    const floor = Math.floor(steps)
    const rest = steps - floor
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0))
  }
  const rebased = magnitude - 0x38000000
  const up = (rebased & 0x1fff) + ((rebased >>> 13) & 1) > 0x1000 ? 1 : 0
  return sign | ((rebased >>> 13) + up)
}

let table: Float32Array | undefined

function values(): Float32Array {
  table ??= Float32Array.from({ length: 65_536 }, (_, half) => {
    const exponent = (half >> 10) & 31
    const fraction = half & 1023
    const sign = half & 0x8000 ? -1 : 1
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
  })
  return table
}

export function fromHalves(halves: Uint16Array, out: Float32Array): void {
  const known = values()
  for (let i = 0; i < halves.length; i++) out[i] = known[halves[i]]
}

export function toHalves(values: Float32Array, out: Uint16Array): void {
  for (let i = 0; i < values.length; i++) out[i] = toHalf(values[i])
}
