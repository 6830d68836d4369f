import type { Monitor } from '../../backend/portable/driver.js'
import type { FoundChain } from './ascent.js'
import { type Chain, excessOf } from './chain.js'

/** More placements of a layer than this are too many to try all pairs. */
export const mostPlacements = 5000

/** How many placements a layer has: experts to devices, equally many on each or one more. */
export function countPlacements(experts: number, devices: number): number {
  const least = Math.floor(experts / devices)
  const larger = experts % devices
  let count = 1
  for (let i = 0; i < larger; i++) count = (count * (devices - i)) / (i + 1)
  for (let g = 0, left = experts; g < devices; g++) {
    const size = least + (g < larger ? 1 : 0)
    for (let i = 0; i < size; i++) count = (count * (left - i)) / (i + 1)
    left -= size
  }
  return Math.round(count)
}

/** All of them. */
function allPlacements(experts: number, devices: number): Int32Array[] {
  const least = Math.floor(experts / devices)
  const larger = experts % devices
  const list: Int32Array[] = []
  const p = new Int32Array(experts)
  const size = new Int32Array(devices)
  const visit = (i: number, grown: number) => {
    if (i === experts) {
      list.push(p.slice())
      return
    }
    for (let g = 0; g < devices; g++) {
      const grows = size[g] >= least
      if (size[g] > least || (grows && grown === larger)) continue
      p[i] = g
      size[g]++
      visit(i + 1, grown + (grows ? 1 : 0))
      size[g]--
    }
  }
  visit(0, 0)
  return list
}

/** Exact, by dynamic programming along the layers over all placements of each that keep the limit on work. */
export function* solveChain(chain: Chain, monitor: Monitor): Generator<void, FoundChain | undefined, void> {
  const { layers, experts, devices, steps } = chain
  const all = allPlacements(experts, devices)
  const allowed = Array.from({ length: layers }, (_, l) => all.filter((p) => excessOf(chain, l, p) === 0))
  if (allowed.some((list) => list.length === 0)) return undefined
  let value = new Float64Array(allowed[0].length)
  const from: Int32Array[] = []
  let pairs = 0
  for (let l = 0; l + 1 < layers; l++) {
    const next = new Float64Array(allowed[l + 1].length)
    const origin = new Int32Array(allowed[l + 1].length)
    const towards = new Float64Array(experts * devices)
    for (const [b, q] of allowed[l + 1].entries()) {
      // towards[i][g]: steps from i to what q has on g.
      towards.fill(0)
      for (let i = 0; i < experts; i++) {
        for (let j = 0; j < experts; j++) towards[i * devices + q[j]] += steps[l][i * experts + j]
      }
      let best = Number.NEGATIVE_INFINITY
      for (const [a, p] of allowed[l].entries()) {
        let sum = value[a]
        for (let i = 0; i < experts; i++) sum += towards[i * devices + p[i]]
        if (sum <= best) continue
        best = sum
        origin[b] = a
      }
      next[b] = best
      pairs += allowed[l].length
      if (monitor.due()) yield
    }
    value = next
    from.push(origin)
  }
  let last = value.indexOf(value.reduce((x, y) => Math.max(x, y)))
  const local = value[last]
  const placement: Int32Array[] = new Array(layers)
  for (let l = layers - 1; l >= 0; l--) {
    placement[l] = allowed[l][last]
    if (l > 0) last = from[l - 1][last]
  }
  return { placement, local: Math.max(0, local), excess: 0, iterations: pairs, timeLimit: false }
}
