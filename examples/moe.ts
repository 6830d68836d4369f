// A mixture of experts in numbers: routing with capacities, placement on devices, slots of caches, and what they come to.
//   npx tsx examples/moe.ts
import { allocateSlots, cache, missCurves, place, route, simulate, syntheticTrace } from 'extrema/moe'

const { scores, trace } = syntheticTrace({
  tokens: 1024,
  experts: 16,
  layers: 4,
  k: 2,
  seed: 7,
  sharpness: [0.3, 0.7, 1, 2],
})
const firstLayer = { data: scores.data.subarray(0, 1024 * 16), shape: [1024, 16] }

for (const method of ['topk-drop', 'greedy', 'exact'] as const) {
  const { value, bound, assigned } = await route(firstLayer, { capacityFactor: 1, method })
  console.log(
    `${method}: ${value.toFixed(1)} of ${bound?.toFixed(1)}, ${(100 * assigned).toFixed(1)} % of the places filled`,
  )
}

const { load } = await route(firstLayer, { method: 'topk' })
for (const method of ['eplb', 'optimal-search'] as const) {
  const { imbalance, duplicates } = await place(load, { devices: 4, replicas: 4, method })
  console.log(`${method}: the most loaded device has ${imbalance.toFixed(4)} × the mean, ${duplicates} duplicates`)
}

const { slots } = await allocateSlots(missCurves(trace), { total: 24, least: 2 })
const [even, shared] = await Promise.all([cache(trace, { slots: 6 }), cache(trace, { slots })])
console.log(
  `hit rates with 6 slots a layer ${even.hitRate.toFixed(4)}, with ${slots.join(', ')} ${shared.hitRate.toFixed(4)}`,
)
const { throughput, residual } = await simulate(trace, { slots, bandwidth: 1, expertTime: 0.1, layerTime: 0.5 })
console.log(
  `${throughput.toFixed(0)} tokens a second, ${(100 * residual).toFixed(0)} % of the time spent waiting for experts`,
)
