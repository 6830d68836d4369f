/** Three numbers per colour, in a space where distance means something to the eye or not. */
export interface ColorSpace {
  /** Reads sRGB in [0, 1] and writes the space's coordinates. */
  fromRgb(red: number, green: number, blue: number, out: Float64Array, at: number): void
  /** The sRGB colour, clipped to [0, 1]. */
  toRgb(colors: Float64Array, from: number, out: Float64Array, at: number): void
}

export const colorSpaces = ['oklab', 'rgb'] as const
export type ColorSpaceName = (typeof colorSpaces)[number]

const clip = (value: number) => Math.min(1, Math.max(0, value))

/** The encoded sRGB values as they are. */
const rgb: ColorSpace = {
  fromRgb(red, green, blue, out, at) {
    out[at] = red
    out[at + 1] = green
    out[at + 2] = blue
  },
  toRgb(colors, from, out, at) {
    for (let c = 0; c < 3; c++) out[at + c] = clip(colors[from + c]!)
  },
}

/** sRGB's transfer function, IEC 61966-2-1. */
const linear = (v: number) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
const encoded = (v: number) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055)

/** OKLab: lightness and two opponent colours in which equal distances look about equal (B. Ottosson, 2020). */
const oklab: ColorSpace = {
  fromRgb(red, green, blue, out, at) {
    const r = linear(red)
    const g = linear(green)
    const b = linear(blue)
    const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    out[at] = 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s
    out[at + 1] = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s
    out[at + 2] = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s
  },
  toRgb(colors, from, out, at) {
    const [L, a, b] = [colors[from]!, colors[from + 1]!, colors[from + 2]!]
    const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3
    const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3
    const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3
    out[at] = clip(encoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s))
    out[at + 1] = clip(encoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s))
    out[at + 2] = clip(encoded(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s))
  },
}

export function colorSpace(name: ColorSpaceName): ColorSpace {
  return name === 'oklab' ? oklab : rgb
}
