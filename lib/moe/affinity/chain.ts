import type { CheckedTrace } from '../trace.js'

/** What affinity placement is about: experts of neighbouring layers that tokens use one after the other. */
export interface Chain {
  layers: number
  experts: number
  devices: number
  /** For each of the layers - 1 links, experts × experts: part of the steps from i to j. Each sums to 1. */
  steps: Float64Array[]
  /** layers × experts: part of the layer's work. */
  work: Float64Array
  /** Most of a layer's work on a device; Infinity for no limit. */
  limit: number
}

/** Device of each expert, by layers. */
export type Placement = Int32Array[]

export function* chainOf(
  trace: CheckedTrace,
  devices: number,
  limit: number,
  monitor: { due(): boolean },
): Generator<void, Chain, void> {
  const { layers, tokens, k, experts, data } = trace
  const steps = Array.from({ length: layers - 1 }, () => new Float64Array(experts * experts))
  const work = new Float64Array(layers * experts)
  const part = 1 / (tokens * k * k)
  for (let l = 0; l < layers; l++) {
    for (let t = 0; t < tokens; t++) {
      const here = (l * tokens + t) * k
      for (let r = 0; r < k; r++) work[l * experts + data[here + r]] += 1 / (tokens * k)
      if (l + 1 === layers) continue
      const next = here + tokens * k
      for (let r = 0; r < k; r++) {
        for (let q = 0; q < k; q++) steps[l][data[here + r] * experts + data[next + q]] += part
      }
      if (t % 4096 === 0 && monitor.due()) yield
    }
  }
  return { layers, experts, devices, steps, work, limit }
}

/** Part of the steps of a link that stay on their device. */
export function linkLocality({ steps, experts }: Chain, l: number, p: Int32Array, next: Int32Array): number {
  let local = 0
  for (let i = 0; i < experts; i++) {
    for (let j = 0; j < experts; j++) if (p[i] === next[j]) local += steps[l][i * experts + j]
  }
  return local
}

/** The sum over the links. */
export function locality(chain: Chain, placement: Placement): number {
  let total = 0
  for (let l = 0; l + 1 < chain.layers; l++) total += linkLocality(chain, l, placement[l], placement[l + 1])
  return total
}

/** experts × devices: what expert i of layer l on device g keeps local, given the neighbouring layers. */
export function gains(
  chain: Chain,
  placement: Placement,
  l: number,
  sides: { before: boolean; after: boolean },
): Float64Array {
  const { steps, experts, devices, layers } = chain
  const gain = new Float64Array(experts * devices)
  if (sides.before && l > 0) {
    for (let i = 0; i < experts; i++) {
      const g = placement[l - 1][i]
      for (let j = 0; j < experts; j++) gain[j * devices + g] += steps[l - 1][i * experts + j]
    }
  }
  if (sides.after && l + 1 < layers) {
    for (let i = 0; i < experts; i++) {
      for (let j = 0; j < experts; j++) gain[i * devices + placement[l + 1][j]] += steps[l][i * experts + j]
    }
  }
  return gain
}

/** How much of a layer's work is above the limit, over all devices. */
export function excessOf({ work, experts, devices, limit }: Chain, l: number, p: Int32Array): number {
  if (limit === Number.POSITIVE_INFINITY) return 0
  const load = new Float64Array(devices)
  for (let i = 0; i < experts; i++) load[p[i]] += work[l * experts + i]
  let excess = 0
  for (const x of load) if (x > limit * (1 + 1e-12)) excess += x - limit
  return excess
}
