import { generator } from '../../lib/random/index.js'
import { lightBridge } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import { atMost, type Target } from '../lib/target.js'
import { medianOf, perIteration } from '../lib/timing.js'

export const description =
  'Light Schrödinger Bridge: the time of an iteration over components and dimensions, on both backends.'

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  const measure = (components: number, d: number, backend: 'native' | 'portable') => {
    const n = 4096
    const source = { data: generator(40).normal(n * d), shape: [n, d] }
    const target = { data: generator(41).normal(n * d), shape: [n, d] }
    const options = { epsilon: 1, components, optimizer: 'adam', tolerance: 0, threads, backend } as const
    const [few, many] = backend === 'native' ? [50, quick ? 150 : 550] : [5, 25]
    return medianOf(quick || backend === 'portable' ? 1 : 3, () =>
      perIteration(few, many, async (maxIterations) => {
        return (await lightBridge({ source, target }, { ...options, maxIterations })).elapsed
      }),
    )
  }
  const measured = new Map<string, number>()
  for (const [components, d] of [
    [50, 2],
    [50, 16],
    [50, 64],
    [50, 256],
    [100, 64],
    [200, 64],
    [400, 64],
  ]) {
    log(`cost, K = ${components}, D = ${d}`)
    const native = await measure(components, d, 'native')
    const portable = await measure(components, d, 'portable')
    measured.set(`${components}, ${d}`, native)
    rows.push([components, d, native, (1e6 * native) / (components * d), portable, portable / native])
  }
  const ratio = (a: string, b: string) => measured.get(a)! / measured.get(b)!
  targets.push(
    atMost('time of D = 256 / D = 64, K = 50', ratio('50, 256', '50, 64'), 5, '×'),
    atMost('time of K = 400 / K = 100, D = 64', ratio('400, 64', '100, 64'), 5, '×'),
  )
  return {
    tables: [
      {
        title: 'Cost of an iteration of Adam (128 + 128 points), milliseconds',
        note: 'Linear in K and D, from where they are large enough to be what takes the time.',
        columns: ['K', 'D', 'native', 'ns / (K D)', 'portable', 'portable / native'],
        rows,
      },
    ],
    targets,
  }
}
