import type { ColorSpace } from '../image/color-space.js'
import { distinctColors } from '../image/distinct.js'
import { entropicMap } from '../image/entropic-map.js'
import { fullScale, type Picture } from '../image/picture.js'
import { ProgressBar } from '../progress.js'
import { count } from '../text.js'

/**
 * Maps every pixel of a picture with the entropic map of a plan to `palette`, whose potential is `g`. Alpha stays.
 * Returns the picture and the number of colours that were mapped.
 */
export async function recolor(
  picture: Picture,
  palette: Float64Array,
  g: Float64Array,
  space: ColorSpace,
  epsilon: number,
  signal: AbortSignal,
): Promise<{ picture: Picture; colors: number }> {
  const { colors, indexOf } = distinctColors(picture)
  const before = new Float64Array(colors.length)
  for (let k = 0; k < colors.length; k += 3) space.fromRgb(colors[k]!, colors[k + 1]!, colors[k + 2]!, before, k)
  const after = await mapWithProgress(before, palette, g, epsilon, signal)
  const mapped = new Float64Array(colors.length)
  for (let k = 0; k < colors.length; k += 3) space.toRgb(after, k, mapped, k)

  const full = fullScale(picture)
  const rgba = picture.rgba.slice()
  for (let pixel = 0; pixel < indexOf.length; pixel++) {
    for (let c = 0; c < 3; c++) {
      const k = 3 * indexOf[pixel]! + c
      const rest = picture.rgba[4 * pixel + c]! - colors[k]! * full // what distinctColors rounded away
      rgba[4 * pixel + c] = Math.min(full, Math.max(0, Math.round(mapped[k]! * full + rest)))
    }
  }
  return { picture: { ...picture, rgba }, colors: colors.length / 3 }
}

async function mapWithProgress(
  colors: Float64Array,
  palette: Float64Array,
  g: Float64Array,
  epsilon: number,
  signal: AbortSignal,
): Promise<Float64Array> {
  const bar = new ProgressBar('painting')
  const total = colors.length / 3
  try {
    const onProgress = (done: number) => bar.update(done / total, count(done, 'colour'))
    return await entropicMap(colors, palette, g, { epsilon, signal, onProgress })
  } finally {
    bar.end()
  }
}
