import { decode, encode } from 'jpeg-js'
import { readOrientation, turn } from './orientation.js'
import { checkSize, fullScale, mostPixels, type Picture } from './picture.js'

const quality = 92

export function decodeJpeg(name: string, bytes: Uint8Array): Picture {
  const jpeg = decode(bytes, {
    useTArray: true,
    formatAsRGBA: true,
    maxResolutionInMP: mostPixels / 1e6,
    maxMemoryUsageInMB: 2048,
  })
  checkSize(name, jpeg.width, jpeg.height)
  return turn({ width: jpeg.width, height: jpeg.height, rgba: jpeg.data, hasAlpha: false }, readOrientation(bytes))
}

/** JPEG has 8 bits and no alpha: transparent pixels are laid on white. */
export function encodeJpeg(picture: Picture): Uint8Array {
  const full = fullScale(picture)
  const data = new Uint8Array(picture.rgba.length)
  for (let k = 0; k < data.length; k += 4) {
    const alpha = picture.rgba[k + 3]! / full
    for (let c = 0; c < 3; c++) data[k + c] = Math.round(255 * (1 - alpha + (alpha * picture.rgba[k + c]!) / full))
    data[k + 3] = 255
  }
  return encode({ width: picture.width, height: picture.height, data }, quality).data
}
