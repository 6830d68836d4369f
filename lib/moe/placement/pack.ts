import { type Layout, Packing } from './layout.js'

/** Replicas by descending load (by `key` instead, if given), earlier ones first where they tie. */
export function byWeight(packing: Packing, key?: Float64Array): number[] {
  const weight = (r: number) => key?.[r] ?? packing.weight(r)
  return Array.from(packing.expert, (_, r) => r).sort((r, s) => weight(s) - weight(r) || r - s)
}

/**
 * Each replica, heaviest first, on the least loaded device with a free slot: DeepSeek's expert-parallel load balancer
 * (EPLB). It may put two replicas of an expert on one device.
 */
export function packGreedily(layout: Layout, replicas: Int32Array): Packing {
  const packing = new Packing(layout, replicas)
  for (const r of byWeight(packing)) {
    let best = -1
    for (let g = 0; g < layout.devices; g++) {
      if ((best < 0 || packing.total[g] < packing.total[best]) && packing.hasRoom(g)) best = g
    }
    packing.put(r, best)
  }
  return packing
}

/** The same without two replicas of an expert on one device; `key` gives another order. */
export function packApart(layout: Layout, replicas: Int32Array, key?: Float64Array): Packing {
  const packing = new Packing(layout, replicas)
  for (const r of byWeight(packing, key)) {
    let best = -1
    for (let g = 0; g < layout.devices; g++) {
      if (best >= 0 && packing.total[g] >= packing.total[best]) continue
      if (packing.hasRoom(g) && !packing.holds(g, packing.expert[r])) best = g
    }
    if (best >= 0) packing.put(r, best)
    else if (!makeRoom(packing, r)) return dealOut(layout, replicas)
  }
  return packing
}

/** Puts r on a device without its expert, one of whose replicas moves on to a device with room. */
function makeRoom(packing: Packing, r: number): boolean {
  const { expert, device, layout } = packing
  for (let s = 0; s < expert.length; s++) {
    const from = device[s]
    if (from < 0 || packing.holds(from, expert[r])) continue
    for (let to = 0; to < layout.devices; to++) {
      if (to === from || !packing.hasRoom(to) || packing.holds(to, expert[s])) continue
      packing.take(s)
      packing.put(s, to)
      packing.put(r, from)
      return true
    }
  }
  return false
}

/** Like cards, an expert's replicas one after the other: never two on one device, as there are at most as many as devices. */
function dealOut(layout: Layout, replicas: Int32Array): Packing {
  const packing = new Packing(layout, replicas)
  for (let r = 0; r < packing.expert.length; r++) packing.put(r, r % layout.devices)
  return packing
}
