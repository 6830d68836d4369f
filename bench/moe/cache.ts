import { allocateSlots, type CachePolicy, cache, missCurves, syntheticTrace } from '../../lib/moe/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { spread } from '../lib/spread.js'
import type { Cell } from '../lib/table.js'
import { atLeast, type Target } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description =
  'Expert caches: hit rates of the policies against the offline optimum, and slots shared out among layers.'

const policies: CachePolicy[] = ['lru', 'lfu', 'fifo', 'lifo', '2q', 'static', 'belady']

export async function run({ quick, log }: Context): Promise<Report> {
  const states = quick ? 2 : 10
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const slots of [8, 4]) {
    log(`${slots} slots`)
    const rates = new Map<string, number[]>()
    const times = new Map<string, number[]>()
    const note = (name: string, rate: number, time: number) => {
      rates.set(name, [...(rates.get(name) ?? []), rate])
      times.set(name, [...(times.get(name) ?? []), time])
    }
    for (let seed = 0; seed < states; seed++) {
      const { trace } = syntheticTrace({
        ...{ tokens: 2048, experts: 16, layers: 8, k: 2, seed },
        sharpness: [0.5, 0.7, 0.8, 1, 1, 1.2, 1.5, 2],
      })
      for (const policy of policies) {
        const { hitRate, elapsed } = await cache(trace, { slots, policy, bound: false })
        note(policy, hitRate, elapsed)
      }
      const start = performance.now()
      const { slots: own } = await allocateSlots(missCurves(trace), { total: 8 * slots, least: 1 })
      const time = performance.now() - start
      const { hitRate } = await cache(trace, { slots: own, bound: false })
      note('lru, slots by dynamic programming', hitRate, time)
    }
    for (const [name, list] of rates) rows.push([slots, name, spread(list), median(times.get(name) as number[])])
    const saved = (rates.get('lru, slots by dynamic programming') as number[]).map(
      (rate, seed) => rate - (rates.get('lru') as number[])[seed],
    )
    targets.push(
      atLeast(
        `hit rate of LRU with allocated less uniform slots, ${slots} a layer, worst of ${states}`,
        Math.min(...saved),
        0,
      ),
    )
  }
  return {
    tables: [
      {
        title: '8 layers, 16 experts, 2 each, 2048 tokens: hit rates, median and range over the states',
        columns: ['slots per layer', 'policy', 'hit rate', 'ms'],
        rows,
      },
    ],
    targets,
  }
}
