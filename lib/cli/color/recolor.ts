import type { Progress } from '../../core/index.js'
import { entropicMap, type TransportProblem, type TransportSolution } from '../../transport/index.js'
import type { ColorSpace } from '../image/color-space.js'
import { distinctColors } from '../image/distinct.js'
import { fullScale, type Picture } from '../image/picture.js'
import { ProgressBar } from '../progress.js'
import { count } from '../text.js'

/**
 * Maps every pixel of a picture with the entropic map of a solution between colours. Alpha stays. Returns the picture and
 * the number of colours that were mapped.
 */
export async function recolor(
  picture: Picture,
  solution: Pick<TransportSolution, 'potentials' | 'epsilon'>,
  problem: TransportProblem,
  space: ColorSpace,
  signal: AbortSignal,
): Promise<{ picture: Picture; colors: number }> {
  const { colors, indexOf } = distinctColors(picture)
  const before = new Float64Array(colors.length)
  for (let k = 0; k < colors.length; k += 3) space.fromRgb(colors[k]!, colors[k + 1]!, colors[k + 2]!, before, k)
  const after = await mapWithProgress(before, solution, problem, signal)
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
  solution: Pick<TransportSolution, 'potentials' | 'epsilon'>,
  problem: TransportProblem,
  signal: AbortSignal,
): Promise<Float64Array> {
  const bar = new ProgressBar('painting')
  const total = colors.length / 3
  try {
    const onProgress = ({ iteration }: Progress) => bar.update(iteration / total, count(iteration, 'colour'))
    const points = { data: colors, shape: [total, 3] }
    return (await entropicMap(solution, problem).map(points, { signal, onProgress })).data
  } finally {
    bar.end()
  }
}
