import type { Picture } from './picture.js'

/**
 * The Exif orientation of a JPEG file, 1 to 8: cameras store the sensor's rows and say here how to turn them.
 * 1, upright, if the file says nothing. (Exif 2.3, tag 0x0112 of IFD 0 in the APP1 segment.)
 */
export function readOrientation(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 2; at + 4 <= view.byteLength && view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1)
    if (marker === 0xda) break // the scan: no more headers
    const length = view.getUint16(at + 2)
    if (marker !== 0xe1 || length < 16 || at + 2 + length > view.byteLength) continue
    if (view.getUint32(at + 4) !== 0x45786966) continue // "Exif"
    return orientationIn(new DataView(bytes.buffer, bytes.byteOffset + at + 10, length - 8))
  }
  return 1
}

function orientationIn(tiff: DataView): number {
  const little = tiff.getUint16(0) === 0x4949
  const directory = tiff.getUint32(4, little)
  if (directory + 2 > tiff.byteLength) return 1
  const entries = tiff.getUint16(directory, little)
  for (let k = 0; k < entries; k++) {
    const entry = directory + 2 + 12 * k
    if (entry + 12 > tiff.byteLength) return 1
    if (tiff.getUint16(entry, little) !== 0x0112) continue
    const value = tiff.getUint16(entry + 8, little)
    return value >= 1 && value <= 8 ? value : 1
  }
  return 1
}

/** The upright picture. */
export function turn(picture: Picture, orientation: number): Picture {
  if (orientation === 1) return picture
  const { width, height, rgba } = picture
  const isSideways = orientation >= 5
  const [outWidth, outHeight] = isSideways ? [height, width] : [width, height]
  const out = new (rgba.constructor as typeof Uint8Array)(rgba.length)
  const mirrorX = [2, 3, 7, 8].includes(orientation)
  const mirrorY = [3, 4, 6, 7].includes(orientation)
  for (let y = 0, to = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++, to += 4) {
      const [sx, sy] = isSideways ? [y, x] : [x, y]
      const column = mirrorX ? width - 1 - sx : sx
      const row = mirrorY ? height - 1 - sy : sy
      const from = 4 * (row * width + column)
      for (let c = 0; c < 4; c++) out[to + c] = rgba[from + c]!
    }
  }
  return { ...picture, width: outWidth, height: outHeight, rgba: out }
}
