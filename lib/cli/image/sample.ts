import { generator } from '../../random/index.js'
import { InputError } from '../errors.js'
import type { ColorSpace } from './color-space.js'
import { fullScale, type Picture } from './picture.js'

/**
 * Colours of `count` pixels, one drawn from each of as many equal stretches of the picture, so that no region is
 * missed. Fully transparent pixels have no colour and are left out. Returns count × 3 coordinates, or fewer rows if the
 * picture has fewer pixels.
 */
export function sampleColors(
  name: string,
  picture: Picture,
  count: number,
  seed: number,
  space: ColorSpace,
): Float64Array {
  const visible = visiblePixels(picture)
  if (visible.length === 0) throw new InputError(`${name}: expected pixels that can be seen, got only transparent ones`)
  const rows = Math.min(count, visible.length)
  const draws = generator(seed).uniform(rows)
  const full = fullScale(picture)
  const colors = new Float64Array(3 * rows)
  for (let k = 0; k < rows; k++) {
    const from = 4 * visible[Math.floor(((k + draws[k]!) * visible.length) / rows)]!
    const { rgba } = picture
    space.fromRgb(rgba[from]! / full, rgba[from + 1]! / full, rgba[from + 2]! / full, colors, 3 * k)
  }
  return colors
}

function visiblePixels({ rgba, hasAlpha }: Picture): ArrayLike<number> {
  const pixels = rgba.length / 4
  const visible = new Uint32Array(pixels)
  let count = 0
  for (let pixel = 0; pixel < pixels; pixel++) {
    if (!hasAlpha || rgba[4 * pixel + 3]! > 0) visible[count++] = pixel
  }
  return visible.subarray(0, count)
}
