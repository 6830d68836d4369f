import { type Command, Option } from 'commander'
import { pointCloud } from '../../transport/index.js'
import { defaultEpsilon, defaultShare, pointCost } from '../epsilon.js'
import { type ColorSpaceName, colorSpace, colorSpaces } from '../image/color-space.js'
import type { Picture } from '../image/picture.js'
import { readPicture } from '../image/read.js'
import { sampleColors } from '../image/sample.js'
import { type PictureFormat, pictureFormats, writePicture } from '../image/write.js'
import { checkOutput } from '../io/output.js'
import { nonNegativeInteger, positiveInteger } from '../parsers.js'
import { addSolverOptions, type SolverFlags, solutionRecord, solutionRows, solve } from '../solver.js'
import { count, listing, short } from '../text.js'
import { recolor } from './recolor.js'

interface ColorFlags extends SolverFlags {
  out: string
  samples: number
  seed: number
  space: ColorSpaceName
  json?: boolean
}

/** `extrema color`: a picture with the colours of another. */
export function colorCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command('color')
    .description('give a picture the colours of another by optimal transport between pixels of both')
    .argument('<image>', 'PNG or JPEG')
    .argument('<palette>', 'PNG or JPEG whose colours are taken')
    .requiredOption('-o, --out <file>', 'picture to write: .png or .jpg')
    .option('--samples <count>', 'pixels taken from each picture', positiveInteger, 3000)
    .option('--seed <number>', 'seed of the choice of pixels', nonNegativeInteger, 0)
    .addOption(new Option('--space <name>', 'where colours are compared').choices(colorSpaces).default('oklab'))
  addSolverOptions(command, 1e-6)
    .option('--json', 'print JSON')
    .action((image: string, palette: string, flags: ColorFlags) => runColor(image, palette, flags, signal))
}

async function runColor(imagePath: string, palettePath: string, flags: ColorFlags, signal: AbortSignal): Promise<void> {
  const format: PictureFormat = await checkOutput('--out', flags.out, pictureFormats)
  const image = await readPicture(imagePath)
  const palette = await readPicture(palettePath)
  const space = colorSpace(flags.space)
  const x = sampleColors(imagePath, image, flags.samples, flags.seed, space)
  const y = sampleColors(palettePath, palette, flags.samples, flags.seed, space)
  const epsilon = flags.epsilon ?? defaultEpsilon(pointCost(x, y, 3, 'sqeuclidean'))
  const cost = pointCloud({ data: x, shape: [x.length / 3, 3] }, { data: y, shape: [y.length / 3, 3] })
  const solution = await solve({ cost }, epsilon, flags, signal)
  const { picture, colors } = await recolor(image, y, solution.potentials.g, space, epsilon, signal)
  await writePicture(flags.out, picture, format, signal)

  const side = (file: string, { width, height }: Picture, samples: number) => ({ file, width, height, samples })
  const sides = [side(imagePath, image, x.length / 3), side(palettePath, palette, y.length / 3)] as const
  const chosen = flags.epsilon !== undefined
  const record = {
    image: sides[0],
    palette: sides[1],
    space: flags.space,
    seed: flags.seed,
    epsilon,
    epsilonChosen: chosen,
  }
  const rest = {
    method: flags.method,
    precision: flags.precision,
    tolerance: flags.tolerance,
    ...solutionRecord(solution),
  }
  const describe = (s: (typeof sides)[number]) =>
    `${s.file}: ${s.width}×${s.height}, ${count(s.samples, 'pixel')} taken`
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ ...record, ...rest, colors, out: { file: flags.out } }, undefined, 2)}\n`
      : listing([
          ['image', describe(sides[0])],
          ['palette', describe(sides[1])],
          [
            'epsilon',
            `${short(epsilon)} in ${flags.space}${chosen ? '' : `, by default ${defaultShare} × the standard deviation of the cost`}`,
          ],
          ...solutionRows(solution, flags),
          ['picture', `${flags.out}: ${count(colors, 'distinct colour')} mapped`],
        ]),
  )
}
