import { fullScale, type Picture } from './picture.js'

const mostColors = 2 ** 17

export interface DistinctColors {
  /** Three values in [0, 1] per distinct colour. */
  colors: Float64Array
  /** For each pixel the index of its colour. */
  indexOf: Uint32Array
}

/**
 * The distinct colours of a picture. They are told apart by 8 bits per channel, and by fewer if that would leave more
 * than 131,072; what rounding takes away, a caller adds back to the mapped colour.
 */
export function distinctColors(picture: Picture): DistinctColors {
  for (let bits = 8; ; bits--) {
    const found = distinctAt(picture, bits)
    if (found !== undefined) return found
  }
}

function distinctAt(picture: Picture, bits: number): DistinctColors | undefined {
  const { rgba } = picture
  const full = fullScale(picture)
  const levels = 2 ** bits - 1
  const seen = new Int32Array(2 ** (3 * bits)).fill(-1)
  const indexOf = new Uint32Array(rgba.length / 4)
  const keys: number[] = []
  const level = (value: number) => Math.round((value * levels) / full)
  for (let pixel = 0; pixel < indexOf.length; pixel++) {
    const k = 4 * pixel
    const key = (level(rgba[k]!) << (2 * bits)) | (level(rgba[k + 1]!) << bits) | level(rgba[k + 2]!)
    if (seen[key] === -1) {
      if (keys.length === mostColors) return undefined
      seen[key] = keys.length
      keys.push(key)
    }
    indexOf[pixel] = seen[key]!
  }
  const colors = new Float64Array(3 * keys.length)
  keys.forEach((key, index) => {
    for (let c = 0; c < 3; c++) colors[3 * index + c] = ((key >> ((2 - c) * bits)) & levels) / levels
  })
  return { colors, indexOf }
}
