import { type Command, Option } from 'commander'
import { pointCloud } from '../../transport/index.js'
import { pointCost } from '../epsilon.js'
import { type ColorSpaceName, colorSpace, colorSpaces } from '../image/color-space.js'
import { readPicture } from '../image/read.js'
import { sampleColors } from '../image/sample.js'
import { type PictureFormat, pictureFormats, writePicture } from '../image/write.js'
import { checkOutput } from '../io/output.js'
import { nonNegativeInteger, positiveInteger } from '../parsers.js'
import { addSolverOptions, type SolverFlags, solutionRecord, solutionRows, solve, solverSettings } from '../solver.js'
import { count, listing } from '../text.js'
import { recolor } from './recolor.js'

interface ColorFlags extends SolverFlags {
  out: string
  samples: number
  seed: number
  space: ColorSpaceName
  json?: boolean
}

const tolerances = { float64: 1e-6, float32: 1e-5 }

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
  addSolverOptions(command, tolerances)
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
  const settings = solverSettings(flags, tolerances, pointCost(x, y, 3, 'sqeuclidean'))
  const cost = pointCloud({ data: x, shape: [x.length / 3, 3] }, { data: y, shape: [y.length / 3, 3] })
  const solution = await solve({ cost }, settings, signal)
  const { picture, colors } = await recolor(image, solution, { cost }, space, signal)
  await writePicture(flags.out, picture, format, signal)

  const sides = {
    image: { file: imagePath, width: image.width, height: image.height, samples: x.length / 3 },
    palette: { file: palettePath, width: palette.width, height: palette.height, samples: y.length / 3 },
  }
  const { out: file, seed, space: spaceName } = flags
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ ...sides, space: spaceName, seed, ...solutionRecord(solution, settings), out: { file, colors } }, undefined, 2)}\n`
      : listing([
          ['image', sideText(sides.image)],
          ['palette', sideText(sides.palette)],
          ['colours', `compared in ${spaceName}`],
          ...solutionRows(solution, settings),
          ['picture', `${file}: ${count(colors, 'distinct colour')} mapped`],
        ]),
  )
}

function sideText({ file, width, height, samples }: { file: string; width: number; height: number; samples: number }) {
  return `${file}: ${width}×${height}, ${count(samples, 'pixel')} taken`
}
