import type { BackendName } from '../../backend/index.js'
import type { Monitor } from '../../backend/portable/driver.js'
import type { Generator as RandomGenerator } from '../../random/index.js'
import { bestBlock } from './block.js'
import { type Chain, excessOf, gains, locality, type Placement } from './chain.js'

export interface FoundChain {
  placement: Placement
  /** Sum over the links. */
  local: number
  excess: number
  iterations: number
  timeLimit: boolean
}

/**
 * Block coordinate ascent from random placements: the first layer at random, each further one best after the one before,
 * then layer after layer anew, best between its neighbours, until none changes.
 */
export function* ascend(
  chain: Chain,
  options: { starts: number; random: RandomGenerator; backend: BackendName | undefined; enough: number },
  monitor: Monitor,
): Generator<void, FoundChain, void> {
  const { layers } = chain
  const { starts, random, backend, enough } = options
  let best: FoundChain | undefined
  let iterations = 0
  let timeLimit = false
  for (let start = 0; start < starts && !timeLimit; start++) {
    const placement: Placement = [balanced(chain, random.split(start))]
    for (let l = 1; l < layers; l++) {
      placement.push(bestBlock(chain, l, gains(chain, placement, l, { before: true, after: false }), backend).placement)
      if (monitor.due()) yield
    }
    let current = measured(chain, placement)
    for (let isBetter = true; isBetter && !timeLimit; ) {
      isBetter = false
      const order = Array.from({ length: layers }, (_, l) => layers - 1 - l)
      for (const l of [...order, ...order.toReversed()]) {
        iterations++
        const trial = [...current.placement]
        trial[l] = bestBlock(
          chain,
          l,
          gains(chain, current.placement, l, { before: true, after: true }),
          backend,
        ).placement
        const next = measured(chain, trial)
        if (improves(next, current)) {
          current = next
          isBetter = true
        }
        if (monitor.due()) yield
        timeLimit = monitor.expired()
        if (timeLimit) break
      }
    }
    if (best === undefined || improves(current, best)) best = { ...current, iterations, timeLimit }
    monitor.progress(iterations, 1 - best.local / enough)
    if (best.excess === 0 && best.local >= enough) break
  }
  return { ...(best as FoundChain), iterations, timeLimit }
}

interface Measured {
  placement: Placement
  local: number
  excess: number
}

function measured(chain: Chain, placement: Placement): Measured {
  const excess = placement.reduce((sum, p, l) => sum + excessOf(chain, l, p), 0)
  return { placement, local: locality(chain, placement), excess }
}

function improves(a: Measured, b: Measured): boolean {
  if (Math.abs(a.excess - b.excess) > 1e-12) return a.excess < b.excess
  return a.local > b.local + 1e-12
}

/** A random placement with equally many experts on each device, or one more. */
function balanced({ experts, devices }: Chain, random: RandomGenerator): Int32Array {
  const placement = new Int32Array(experts)
  const order = random.permutation(devices) // which devices get one more
  random.permutation(experts).forEach((i, rank) => {
    placement[i] = order[rank % devices]
  })
  return placement
}
