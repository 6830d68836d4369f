import type { CheckedTrace } from '../trace.js'

/** The requests that one cache sees, in order. */
export interface Requests {
  /** The thing requested: expert, or layer × experts + expert in a shared cache. */
  item: Int32Array
  /** The next request for the same thing, the number of requests if there is none. */
  next: Int32Array
  items: number
  /** Layer of an item. */
  layerOf(item: number): number
  /** Size and cost of an item's load. */
  size: Float64Array
  cost: Float64Array
  capacity: number
}

/** Places of the next request for the same item. */
export function nextRequests(item: Int32Array, items: number): Int32Array {
  const next = new Int32Array(item.length)
  const seen = new Int32Array(items).fill(item.length)
  for (let i = item.length - 1; i >= 0; i--) {
    next[i] = seen[item[i]]
    seen[item[i]] = i
  }
  return next
}

export interface CacheSetting {
  trace: CheckedTrace
  scope: 'layer' | 'shared'
  /** layers × experts */
  sizes: Float64Array
  costs: Float64Array
  /** Of each layer's cache, or of the one. */
  capacities: Float64Array
}

/** One cache for each layer, in token order, or one for all, token by token through the layers. */
export function* requestsOf({ trace, scope, sizes, costs, capacities }: CacheSetting): Generator<Requests, void, void> {
  const { layers, tokens, k, experts, data } = trace
  if (scope === 'layer') {
    for (let l = 0; l < layers; l++) {
      const item = data.subarray(l * tokens * k, (l + 1) * tokens * k)
      yield {
        item,
        next: nextRequests(item, experts),
        items: experts,
        layerOf: () => l,
        size: sizes.subarray(l * experts, (l + 1) * experts),
        cost: costs.subarray(l * experts, (l + 1) * experts),
        capacity: capacities[l],
      }
    }
    return
  }
  const item = new Int32Array(data.length)
  for (let t = 0, i = 0; t < tokens; t++) {
    for (let l = 0; l < layers; l++) {
      for (let r = 0; r < k; r++) item[i++] = l * experts + data[(l * tokens + t) * k + r]
    }
  }
  yield {
    item,
    next: nextRequests(item, layers * experts),
    items: layers * experts,
    layerOf: (x) => Math.floor(x / experts),
    size: sizes,
    cost: costs,
    capacity: capacities[0],
  }
}
