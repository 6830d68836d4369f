import { writeWhole } from '../io/output.js'
import { encodeJpeg } from './jpeg.js'
import type { Picture } from './picture.js'
import { encodePng } from './png.js'

export const pictureFormats = ['png', 'jpg', 'jpeg'] as const
export type PictureFormat = (typeof pictureFormats)[number]

export async function writePicture(
  path: string,
  picture: Picture,
  format: PictureFormat,
  signal: AbortSignal,
): Promise<void> {
  await writeWhole(path, format === 'png' ? encodePng(picture) : encodeJpeg(picture), signal)
}
