import {
  type ComplexTensor,
  type DType,
  fft,
  rfft,
  type Tensor,
  tensor,
  withArena,
  withBackend,
} from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import { atMost, type Target } from '../lib/target.js'
import { medianOf } from '../lib/timing.js'
import { askTorch } from '../lib/torch.js'

export const description = 'Fourier transforms over one to three axes, against NumPy and PyTorch.'

const problems: [kind: 'rfft' | 'fft', shape: number[]][] = [
  ['rfft', [64, 64]],
  ['rfft', [256, 256]],
  ['rfft', [1000]],
  ['rfft', [1009]],
  ['rfft', [32, 32, 32]],
  ['fft', [256, 256]],
  ['fft', [1000]],
  ['fft', [1009]],
  ['fft', [4096]],
]

interface Answer {
  numpy: string
  torchVersion: string
  times: number[]
  torch: number[]
  modes: [number, number][][]
}

function numbers(shape: number[], f: (i: number) => number, dtype: DType): Tensor {
  const count = shape.reduce((product, length) => product * length, 1)
  return tensor(
    Float64Array.from({ length: count }, (_, i) => f(i)),
    { dtype },
  ).view(shape)
}

export async function run({ quick, log }: Context): Promise<Report> {
  const repetitions = quick ? 3 : 15
  const rows: Cell[][] = []
  const targets: Target[] = []
  let versions = ''
  for (const dtype of ['float64', 'float32'] as const) {
    log(dtype)
    const peer = askTorch<Answer>(
      'numpy_fft.py',
      { dtype, shapes: problems.map(([, shape]) => shape), kinds: problems.map(([kind]) => kind), repetitions },
      1,
    )
    versions = `NumPy ${peer.numpy}, PyTorch ${peer.torchVersion}`
    for (const [place, [kind, shape]] of problems.entries()) {
      const re = numbers(shape, (i) => Math.sin(12.9898 * i), dtype)
      const im = numbers(shape, (i) => Math.cos(78.233 * i), dtype)
      const dimensions = shape.length
      const transform = (): ComplexTensor =>
        kind === 'rfft' ? rfft(re, { dimensions }) : fft({ re, im }, { dimensions })
      const modes = transform()
      checkModes(modes, peer.modes[place], dtype)
      const timed = (task: () => unknown, count: number) => (): number => {
        const start = performance.now()
        for (let k = 0; k < count; k++) task()
        return (performance.now() - start) / count
      }
      const once = timed(() => withArena(() => transform().re.size), 1)
      const count = Math.max(1, Math.ceil(20 / Math.max(once(), once())))
      const ours = await medianOf(
        repetitions,
        timed(() => withArena(() => transform().re.size), count),
      )
      const portable = await medianOf(
        3,
        timed(() => withBackend('portable', () => transform().re.size), Math.max(1, Math.ceil(count / 20))),
      )
      const name = `${kind} ${shape.join('×')}, ${dtype}`
      rows.push([
        name,
        ours,
        peer.times[place],
        peer.torch[place],
        peer.times[place] / ours,
        peer.torch[place] / ours,
        portable / ours,
      ])
      if (dtype === 'float64' && kind === 'rfft') {
        targets.push(atMost(`${name}: time over NumPy`, ours / peer.times[place], 2, '×'))
      }
    }
  }
  return {
    tables: [
      {
        title: 'Transforms over all axes, milliseconds',
        note: `One thread. ${versions}; NumPy computes float32 input in float64. Three modes of each are compared.`,
        columns: ['', 'ours', 'NumPy', 'PyTorch', 'NumPy / ours', 'PyTorch / ours', 'portable / native'],
        rows,
      },
    ],
    targets,
  }
}

function checkModes({ re, im }: ComplexTensor, expected: [number, number][], dtype: DType): void {
  const places = [0, 1, re.size - 1]
  const size = Math.max(...expected.flat().map(Math.abs), Math.sqrt(re.size))
  for (const [k, [x, y]] of expected.entries()) {
    const gap = Math.hypot(re.data[places[k]] - x, im.data[places[k]] - y) / size
    if (!(gap < (dtype === 'float64' ? 1e-11 : 1e-4)))
      throw new Error(`mode ${places[k]} differs from NumPy's by ${gap}`)
  }
}
