import { convertIndexedToRgb, type DecodedPng, decode, encode } from 'fast-png'
import { checkSize, type Picture } from './picture.js'

/** Any PNG: 1 to 16 bits, grey, colour or palette, with or without transparency. */
export function decodePng(name: string, bytes: Uint8Array): Picture {
  checkHeader(name, bytes)
  const png = decode(bytes, { checkCrc: true })
  const { width, height } = png
  const samples = channelsOf(png)
  const { data, channels } = samples
  const scale = samples.most === 65535 ? 1 : 255 / samples.most
  const rgba = samples.most === 65535 ? new Uint16Array(4 * width * height) : new Uint8Array(4 * width * height)
  const opaque = samples.most === 65535 ? 65535 : 255
  const hasAlpha = channels === 2 || channels === 4 || (png.transparency?.length ?? 0) > 0
  for (let pixel = 0; pixel < width * height; pixel++) {
    const from = pixel * channels
    const isGrey = channels < 3
    for (let c = 0; c < 3; c++) rgba[4 * pixel + c] = data[from + (isGrey ? 0 : c)]! * scale
    const isClear = png.transparency?.every((value, c) => data[from + c] === value) && png.transparency.length > 0
    rgba[4 * pixel + 3] = isClear ? 0 : channels === 2 || channels === 4 ? data[from + channels - 1]! * scale : opaque
  }
  return { width, height, rgba, hasAlpha }
}

/** Colour PNG with the depth of the picture, and alpha only if it has some. */
export function encodePng({ width, height, rgba, hasAlpha }: Picture): Uint8Array {
  const depth = rgba instanceof Uint16Array ? 16 : 8
  return encode({ width, height, depth, channels: hasAlpha ? 4 : 3, data: hasAlpha ? rgba : withoutAlpha(rgba) })
}

/** The size stands at a fixed place; looking first keeps a hostile header from claiming all memory. */
function checkHeader(name: string, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.byteLength >= 24) checkSize(name, view.getUint32(16), view.getUint32(20))
}

function channelsOf(png: DecodedPng): { data: ArrayLike<number>; channels: number; most: number } {
  if (png.palette !== undefined) {
    return { data: convertIndexedToRgb(png), channels: png.palette[0]!.length, most: 255 }
  }
  if (png.depth < 8) return { data: unpackBits(png), channels: 1, most: 2 ** png.depth - 1 }
  return { data: png.data, channels: png.channels, most: 2 ** png.depth - 1 }
}

/** Grey of 1, 2 or 4 bits comes packed, each row beginning at a byte. */
function unpackBits({ data, width, height, depth }: DecodedPng): Uint8Array {
  const out = new Uint8Array(width * height)
  const rowBytes = Math.ceil((width * depth) / 8)
  const mask = 2 ** depth - 1
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth
      out[k++] = (data[y * rowBytes + (bit >> 3)]! >> (8 - depth - (bit & 7))) & mask
    }
  }
  return out
}

function withoutAlpha(rgba: Uint8Array | Uint16Array): Uint8Array | Uint16Array {
  const pixels = rgba.length / 4
  const rgb = rgba instanceof Uint16Array ? new Uint16Array(3 * pixels) : new Uint8Array(3 * pixels)
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let c = 0; c < 3; c++) rgb[3 * pixel + c] = rgba[4 * pixel + c]!
  }
  return rgb
}
