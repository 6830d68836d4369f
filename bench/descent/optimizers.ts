import { adamW, lamb, lion, lionK, rmsprop, sgd } from '../../lib/descent/index.js'
import { type DType, type Optimizer, withBackend } from '../../lib/tensor/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { inTurns } from '../lib/timing.js'
import { askTorch } from '../lib/torch.js'

export const description = 'Steps of optimizers: bytes moved against copying memory, and against PyTorch.'

interface Answer {
  adamW: number
  adamWForeach: number
  momentum: number
}

const unchecked = { learningRate: 1e-3, checkFinite: false }

/** Each with the passes over the parameters' memory that a step has to make: arrays read and written. */
const contenders: Record<string, { make: () => Optimizer; streams: number }> = {
  'gradient descent': { make: () => sgd(unchecked), streams: 3 },
  momentum: { make: () => sgd({ ...unchecked, momentum: 0.9 }), streams: 5 },
  lion: { make: () => lion({ ...unchecked, weightDecay: 0.1 }), streams: 5 },
  'lion, checked': { make: () => lion({ learningRate: 1e-3, weightDecay: 0.1 }), streams: 6 },
  'lion-K, log-cosh': {
    make: () => lionK({ ...unchecked, weightDecay: 0.1, k: { kind: 'log-cosh', e: 0.1 } }),
    streams: 5,
  },
  rmsprop: { make: () => rmsprop(unchecked), streams: 5 },
  adamW: { make: () => adamW(unchecked), streams: 7 },
  'adamW, checked': { make: () => adamW({ learningRate: 1e-3 }), streams: 8 },
  lamb: { make: () => lamb(unchecked), streams: 11 },
}

function array(dtype: DType, n: number, value: number): Float64Array | Float32Array {
  return (dtype === 'float64' ? new Float64Array(n) : new Float32Array(n)).fill(value)
}

export async function run({ quick, log }: Context): Promise<Report> {
  const repetitions = quick ? 3 : 7
  const sizes = quick ? [1e4, 1e6] : [1e4, 1e5, 1e6, 1e7]
  const rows: Cell[][] = []
  const peers: Cell[][] = []
  const targets: Target[] = []
  for (const dtype of ['float64', 'float32'] as const) {
    const bytes = dtype === 'float64' ? 8 : 4
    for (const n of sizes) {
      log(`${dtype}, ${n}`)
      const steps = Math.max(1, Math.round((quick ? 1e6 : 4e6) / n))
      const each = (step: () => void) => (): number => {
        const start = performance.now()
        for (let k = 0; k < steps; k++) step()
        return (performance.now() - start) / steps
      }
      const [from, to] = [array(dtype, n, 1), array(dtype, n, 0)]
      const measured: Record<string, () => number> = { copy: each(() => to.set(from)) }
      const g = array(dtype, n, 0.5)
      for (const [name, { make }] of Object.entries(contenders)) {
        const [opt, x] = [make(), array(dtype, n, 1)]
        measured[name] = each(() => opt.step(x, g))
      }
      const times = await inTurns(repetitions, measured)
      const rate = (streams: number, time: number): number => (streams * bytes * n) / time / 1e6
      const limit = rate(2, times.copy)
      rows.push([dtype, n, 'copying', 2, times.copy, limit, 1, null])
      for (const [name, { streams }] of Object.entries(contenders)) {
        const reached = rate(streams, times[name])
        rows.push([dtype, n, name, streams, times[name], reached, reached / limit, (1e6 * times[name]) / n])
      }
      if (n === sizes.at(-1)) {
        const share = (name: string) => rate(contenders[name].streams, times[name]) / limit
        targets.push(
          atLeast(`${dtype}, ${n}: lion, share of copying`, share('lion'), 0.8, '×'),
          atLeast(`${dtype}, ${n}: adamW, share of copying`, share('adamW'), 0.8, '×'),
          atLeast(`${dtype}, ${n}: lion against adamW`, times.adamW / times.lion, 1.5, '×'),
        )
      }
      const torch = askTorch<Answer>('torch_optimizers.py', { dtype, leaves: [n], steps, repetitions }, 1)
      peers.push([
        dtype,
        n,
        1,
        times.adamW,
        torch.adamW,
        torch.adamWForeach,
        torch.adamW / times.adamW,
        times.momentum,
        torch.momentum,
        torch.momentum / times.momentum,
      ])
    }
    // Many small leaves, where PyTorch's foreach form saves calls.
    const leaves = new Array<number>(200).fill(2000)
    const [opt, heavy] = [contenders.adamW.make(), contenders.momentum.make()]
    const tree = (value: number) => leaves.map((n) => array(dtype, n, value))
    const [x, y, g] = [tree(1), tree(1), tree(0.5)]
    const many = await inTurns(repetitions, {
      adamW: () => timed(() => opt.step(x, g), 20),
      momentum: () => timed(() => heavy.step(y, g), 20),
    })
    const torch = askTorch<Answer>('torch_optimizers.py', { dtype, leaves, steps: 20, repetitions }, 1)
    peers.push([
      dtype,
      4e5,
      leaves.length,
      many.adamW,
      torch.adamW,
      torch.adamWForeach,
      torch.adamW / many.adamW,
      many.momentum,
      torch.momentum,
      torch.momentum / many.momentum,
    ])
    const best = Math.min(torch.adamW, torch.adamWForeach)
    targets.push(atLeast(`${dtype}: adamW of 200 leaves against PyTorch's better form`, best / many.adamW, 1, '×'))
    const portable = withBackend('portable', () => timed(() => opt.step(x, g), 2))
    targets.push({
      name: `${dtype}: portable over native, adamW`,
      target: '≤ 60×',
      reached: `${(portable / many.adamW).toPrecision(3)}×`,
      met: portable / many.adamW <= 60,
    })
  }
  return {
    tables: [
      {
        title: 'Milliseconds of a step',
        note: 'One thread, one leaf. Streams are arrays that a step reads or writes at least; copying has 2. `checked` looks for NaN first, as is the default.',
        columns: ['', 'parameters', 'optimizer', 'streams', 'ms', 'GB/s', 'of copying', 'ns per parameter'],
        rows,
      },
      {
        title: 'Against PyTorch, milliseconds of a step',
        note: 'One thread on both sides; without the check, which PyTorch has not.',
        columns: [
          '',
          'parameters',
          'leaves',
          'adamW',
          'PyTorch',
          'foreach',
          'PyTorch / ours',
          'momentum',
          'PyTorch',
          'PyTorch / ours',
        ],
        rows: peers,
      },
    ],
    targets,
  }
}

function timed(task: () => void, count: number): number {
  const start = performance.now()
  for (let k = 0; k < count; k++) task()
  return (performance.now() - start) / count
}
