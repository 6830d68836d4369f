import { InputError } from '../errors.js'

/** Pixels as red, green, blue and alpha, 8 or 16 bits each. */
export interface Picture {
  width: number
  height: number
  /** width × height × 4. */
  rgba: Uint8Array | Uint16Array
  hasAlpha: boolean
}

/** The value of a full channel: 255 or 65535. */
export function fullScale(picture: Picture): number {
  return picture.rgba instanceof Uint16Array ? 65535 : 255
}

/** Larger pictures would need more memory than a decoder should take from an unknown file. */
export const mostPixels = 100e6

export function checkSize(name: string, width: number, height: number): void {
  if (width * height <= mostPixels && width * height > 0) return
  throw new InputError(`${name}: expected 1 to ${mostPixels / 1e6} million pixels, got ${width}×${height}`)
}
