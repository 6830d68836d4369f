import type { Monitor } from '../../backend/portable/driver.js'
import { type Layout, lowerBound, Packing } from './layout.js'
import { byWeight } from './pack.js'
import type { Found } from './search.js'

const roundoff = 1e-13

/**
 * Branch and bound: replica counts by experts, then replicas by descending load onto devices, of which those that are
 * alike are tried once. Cut where the largest load reaches the best known, or the free room below it is too small for
 * the rest. `start` is the best known at first.
 */
export function* branchAndBound(layout: Layout, start: Packing, monitor: Monitor): Generator<void, Found, void> {
  const { load, devices, slots } = layout
  const bound = lowerBound(layout)
  const state = { best: start, limit: start.largest, nodes: 0, timeLimit: false }

  function* counts(e: number, left: number, chosen: Int32Array): Generator<void, void, void> {
    if (state.timeLimit || state.limit <= bound * (1 + roundoff)) return
    const others = load.length - e - 1
    if (e === load.length) {
      yield* pack(chosen.slice())
      return
    }
    const most = Math.min(devices, left - others)
    for (let n = Math.max(1, left - others * devices); n <= most; n++) {
      if (load[e] / n >= state.limit * (1 - roundoff)) continue
      chosen[e] = n
      yield* counts(e + 1, left - n, chosen)
    }
  }

  function* pack(replicas: Int32Array): Generator<void, void, void> {
    const packing = new Packing(layout, replicas)
    const order = byWeight(packing)
    const rest = new Float64Array(slots + 1)
    for (let i = slots - 1; i >= 0; i--) rest[i] = rest[i + 1] + packing.weight(order[i])
    yield* place(0)

    function* place(i: number): Generator<void, void, void> {
      state.nodes++
      if (state.nodes % 256 === 0) {
        if (monitor.due()) yield
        state.timeLimit ||= monitor.expired()
      }
      if (state.timeLimit) return
      if (i === slots) {
        const found = packing.copy()
        found.refresh()
        if (found.largest < state.limit) {
          state.best = found
          state.limit = found.largest
        }
        return
      }
      const target = state.limit * (1 - roundoff)
      let room = 0
      for (const total of packing.total) room += target - total
      if (room <= rest[i] * (1 - roundoff)) return
      const r = order[i]
      const weight = packing.weight(r)
      const tried: string[] = []
      for (let g = 0; g < devices; g++) {
        if (packing.total[g] + weight >= state.limit * (1 - roundoff) || !packing.hasRoom(g)) continue
        if (packing.holds(g, packing.expert[r])) continue
        // Devices with the same replicas are the same; those of one expert are interchangeable.
        const content = contentOf(packing, g)
        if (tried.includes(content)) continue
        tried.push(content)
        packing.put(r, g)
        yield* place(i + 1)
        packing.take(r)
        if (packing.size[g] === 0) packing.total[g] = 0
        if (state.timeLimit || state.limit <= bound * (1 + roundoff)) return
      }
    }
  }

  yield* counts(0, slots, new Int32Array(load.length))
  return { packing: state.best, iterations: state.nodes, optimal: !state.timeLimit, timeLimit: state.timeLimit }
}

function contentOf(packing: Packing, device: number): string {
  const list: number[] = []
  for (let r = 0; r < packing.expert.length; r++) if (packing.device[r] === device) list.push(packing.expert[r])
  return list.sort((a, b) => a - b).join()
}
