import { place, placeAffinity, syntheticTrace } from '../../lib/moe/index.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { spread } from '../lib/spread.js'
import type { Cell } from '../lib/table.js'
import { atMost, type Target } from '../lib/target.js'

export const description =
  'Placement: the most loaded device over the mean after EPLB and after our search, and the locality of affinity placement.'

/** Zipf's law with noise: e^(0.3 N) / rank, in random order. */
function zipf(experts: number, seed: number): Float64Array {
  const rng = generator(seed)
  const rank = rng.permutation(experts)
  return rng.normal(experts).map((noise, e) => Math.exp(0.3 * noise) / (rank[e] + 1))
}

export async function run({ quick, log }: Context): Promise<Report> {
  const states = quick ? 3 : 10
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const replicas of [0, 16]) {
    log(`${replicas} replicas`)
    const contiguous: number[] = []
    const columns = { eplb: [] as number[], search: [] as number[], bound: [] as number[], time: [] as number[] }
    const duplicates = { eplb: [] as number[], search: [] as number[] }
    for (let seed = 0; seed < states; seed++) {
      const load = zipf(64, seed)
      const mean = load.reduce((sum, w) => sum + w, 0) / 8
      const parts = Array.from({ length: 8 }, (_, g) => load.subarray(8 * g, 8 * g + 8).reduce((x, y) => x + y, 0))
      contiguous.push(Math.max(...parts) / mean)
      const eplb = await place(load, { devices: 8, replicas, method: 'eplb' })
      const search = await place(load, { devices: 8, replicas })
      columns.eplb.push(eplb.imbalance)
      columns.search.push(search.imbalance)
      columns.bound.push(search.bound / mean)
      columns.time.push(search.elapsed)
      duplicates.eplb.push(eplb.duplicates)
      duplicates.search.push(search.duplicates)
    }
    const above = (list: number[]) => spread(list.map((x) => 100 * (x - 1)))
    rows.push([
      replicas,
      above(contiguous),
      above(columns.eplb),
      above(columns.search),
      above(columns.bound),
      spread(duplicates.eplb),
      spread(duplicates.search),
      spread(columns.time),
    ])
    if (replicas > 0) {
      targets.push(
        atMost(
          `largest load above the mean with 16 replicas, worst of ${states}`,
          100 * (Math.max(...columns.search) - 1),
          0.15,
          ' %',
        ),
        // A count of none must pass as a figure above zero.
        atMost('1 + replicas that share a device with another of their expert', 1 + Math.max(...duplicates.search), 1),
      )
    }
  }
  const affinity: Cell[][] = []
  for (const [experts, devices] of [
    [16, 4],
    [8, 2],
  ]) {
    log(`affinity, ${experts} experts on ${devices} devices`)
    const columns = {
      contiguous: [] as number[],
      ours: [] as number[],
      exact: [] as number[],
      bound: [] as number[],
      time: [] as number[],
    }
    for (let seed = 0; seed < states; seed++) {
      const { trace } = syntheticTrace({ tokens: 4096, experts, layers: 8, k: 1, seed })
      const found = await placeAffinity(trace, { devices })
      columns.contiguous.push(found.contiguous)
      columns.ours.push(found.locality)
      columns.bound.push(found.bound)
      columns.time.push(found.elapsed)
      if (experts === 8) columns.exact.push((await placeAffinity(trace, { devices, method: 'exact' })).locality)
    }
    affinity.push([
      experts,
      devices,
      spread(columns.contiguous),
      spread(columns.ours),
      columns.exact.length > 0 ? spread(columns.exact) : null,
      spread(columns.bound),
      spread(columns.time),
    ])
  }
  return {
    tables: [
      {
        title:
          '64 experts with loads after Zipf on 8 devices: % of the largest load above the mean, median and range over the states',
        columns: [
          'replicas',
          'contiguous',
          'EPLB',
          'search',
          'lower bound',
          'duplicates, EPLB',
          'duplicates, search',
          'search, ms',
        ],
        rows,
      },
      {
        title: 'Affinity: part of the steps that stay on their device, 8 layers, 4096 tokens',
        note: 'Block ascent from 20 starts; exact by dynamic programming over all placements; bound by relaxed transportation.',
        columns: ['experts', 'devices', 'contiguous', 'block ascent', 'exact', 'upper bound', 'block ascent, ms'],
        rows: affinity,
      },
    ],
    targets,
  }
}
