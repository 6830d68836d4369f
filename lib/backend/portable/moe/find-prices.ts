import { type PricesJob, routeField } from '../../moe.js'
import type { Watch, Work } from '../work.js'
import { Demand } from './demand.js'
import { ended } from './ended.js'

/** Coordinate steps on a function that is not smooth may come to a halt above its minimum. */
const patience = 10

export function* findPrices(job: PricesJob, monitor: Watch): Work<void> {
  const { experts, tokens, k, capacity, scores, choices, prices, report } = job
  const isSubgradient = job.steps === 'subgradient'
  const demand = new Demand(job, monitor)
  demand.prices.set(prices)
  yield* demand.evaluate()
  let best = Number.POSITIVE_INFINITY
  const step = demand.spread() / 2
  let idle = 0
  let sweeps = 0
  let how: number = ended.iterationLimit
  for (;;) {
    const imbalance = demand.imbalance()
    const bound = demand.bound()
    if (bound < best) {
      idle = bound < best - 1e-12 * Math.abs(best) ? 0 : idle + 1
      best = bound
      prices.set(demand.prices)
    } else {
      idle++
    }
    monitor.progress(sweeps, imbalance)
    if (imbalance === 0) {
      how = ended.converged
      break
    }
    if (!isSubgradient && idle >= patience) {
      how = ended.stalled
      break
    }
    if (sweeps >= job.maxIterations) break
    if (monitor.expired()) {
      how = ended.timeLimit
      break
    }
    sweeps++
    if (isSubgradient) {
      const length = step / Math.sqrt(sweeps)
      for (let e = 0; e < experts; e++) {
        const over = Math.min(1, (demand.load[e] - capacity[e]) / Math.max(1, capacity[e]))
        demand.prices[e] = Math.max(0, demand.prices[e] + length * over)
      }
      yield* demand.evaluate()
    } else {
      for (let e = 0; e < experts; e++) yield* demand.balance(e)
    }
    if (monitor.due()) yield
  }
  demand.prices.set(prices)
  yield* demand.evaluate()
  let value = 0
  for (let t = 0; t < tokens; t++) {
    const count = demand.taken(t)
    for (let r = 0; r < k; r++) {
      choices[t * k + r] = r < count ? demand.expertAt(t, r) : -1
      if (r < count) value += scores[t * experts + demand.expertAt(t, r)]
    }
  }
  report[routeField.ended] = how
  report[routeField.sweeps] = sweeps
  report[routeField.value] = value
  report[routeField.bound] = demand.bound()
}
