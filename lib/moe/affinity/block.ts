import type { BackendName } from '../../backend/index.js'
import { assignmentSync } from '../../transport/index.js'
import { type Chain, excessOf } from './chain.js'

/** Steps of the Lagrangian for the limit on work. */
const lagrangianSteps = 30

/** The placement of one layer, how much it keeps local and by how much it exceeds the limit on work. */
export interface Block {
  placement: Int32Array
  gain: number
  excess: number
}

/** Less excess is better, then more gain. */
export function isBetter(a: Block, b: Block): boolean {
  const slack = 1e-12
  if (Math.abs(a.excess - b.excess) > slack) return a.excess < b.excess
  return a.gain > b.gain + slack
}

/**
 * The best placement of layer l for given gains (experts × devices): a transportation problem, solved as an assignment of
 * experts to slots. A limit on work makes it harder: prices on the devices' work are found by subgradient steps, the best of
 * the placements on the way is improved by swaps.
 */
export function bestBlock(chain: Chain, l: number, gain: Float64Array, backend: BackendName | undefined): Block {
  const { experts, devices, work, limit } = chain
  const blockOf = (placement: Int32Array): Block => ({
    placement,
    gain: gainOf(gain, devices, placement),
    excess: excessOf(chain, l, placement),
  })
  let best = blockOf(transport(gain, experts, devices, backend))
  if (best.excess === 0) return best
  const own = work.subarray(l * experts, (l + 1) * experts)
  const price = new Float64Array(devices)
  const step = (2 * gain.reduce((most, x) => Math.max(most, x), 0)) / Math.max(...own)
  let current = best
  for (let k = 1; k <= lagrangianSteps; k++) {
    const load = new Float64Array(devices)
    for (let i = 0; i < experts; i++) load[current.placement[i]] += own[i]
    for (let g = 0; g < devices; g++) {
      price[g] = Math.max(0, price[g] + (step / Math.sqrt(k)) * ((load[g] - limit) / limit))
    }
    const priced = gain.map((x, i) => x - price[i % devices] * own[Math.floor(i / devices)])
    current = blockOf(transport(priced, experts, devices, backend))
    if (isBetter(current, best)) best = current
  }
  return improveBySwaps(best, gain, devices, blockOf)
}

function gainOf(gain: Float64Array, devices: number, placement: Int32Array): number {
  let total = 0
  for (let i = 0; i < placement.length; i++) total += gain[i * devices + placement[i]]
  return total
}

/** Experts to devices at greatest gain, equally many on each or, where that cannot be, one more. */
function transport(gain: Float64Array, experts: number, devices: number, backend: BackendName | undefined): Int32Array {
  const least = Math.floor(experts / devices)
  const slots = least * devices
  const isEven = slots === experts
  const width = isEven ? slots : slots + devices
  let range = 0
  for (const x of gain) range = Math.max(range, Math.abs(x))
  // Slots that must be filled are worth more than all else: the others are for one expert more on some devices.
  const bonus = isEven ? 0 : 4 * range + 1
  const value = new Float64Array(experts * width)
  for (let i = 0; i < experts; i++) {
    for (let s = 0; s < width; s++) value[i * width + s] = gain[i * devices + (s % devices)] + (s < slots ? bonus : 0)
  }
  const { columns } = assignmentSync({ data: value, shape: [experts, width] }, { maximize: true, backend })
  return columns.map((s) => s % devices)
}

function improveBySwaps(start: Block, gain: Float64Array, devices: number, blockOf: (p: Int32Array) => Block): Block {
  let best = start
  for (let improved = true; improved; ) {
    improved = false
    const n = best.placement.length
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const [g, h] = [best.placement[i], best.placement[j]]
        if (g === h) continue
        const change = gain[i * devices + h] + gain[j * devices + g] - gain[i * devices + g] - gain[j * devices + h]
        if (best.excess === 0 && change <= 0) continue
        const placement = best.placement.slice()
        placement[i] = h
        placement[j] = g
        const trial = blockOf(placement)
        if (!isBetter(trial, best)) continue
        best = trial
        improved = true
      }
    }
  }
  return best
}
