import { readFile } from 'node:fs/promises'
import { InputError } from '../errors.js'
import { decodeJpeg } from './jpeg.js'
import type { Picture } from './picture.js'
import { decodePng } from './png.js'

/** Reads a PNG or JPEG file; what it is is told by its first bytes. */
export async function readPicture(path: string): Promise<Picture> {
  const bytes = await readFile(path)
  const decode = decoderOf(bytes)
  if (decode === undefined) throw new InputError(`${path}: expected a PNG or JPEG picture`)
  try {
    return decode(path, bytes)
  } catch (error) {
    if (error instanceof InputError) throw error
    throw new InputError(`${path}: the picture cannot be decoded: ${(error as Error).message}`, { cause: error })
  }
}

function decoderOf(bytes: Uint8Array) {
  if (bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e && bytes[3] === 0x47) return decodePng
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return decodeJpeg
  return undefined
}
