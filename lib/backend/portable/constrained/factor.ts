import { type FactorJob, factorField } from '../../constrained.js'
import { dot } from '../linear/vectors.js'
import type { Watch, Work } from '../work.js'
import { BunchKaufman } from './bunch-kaufman.js'
import { ended } from './ended.js'
import { Envelope } from './envelope.js'
import { System } from './system.js'

const refinements = 3

/** native/constrained/factor.cc, step by step. */
export function* factor(job: FactorJob, monitor: Watch): Work<void> {
  const { matrix, order, b, z, report } = job
  const a = new System(matrix)
  const n = a.rows
  let parts: BunchKaufman | Envelope
  if (order === null) parts = new BunchKaufman(matrix.data.slice(), n)
  else parts = new Envelope(a, order, job.positive, job.floor)
  yield* parts.factor(monitor)
  report[factorField.ended] = monitor.expired() ? ended.timeLimit : ended.converged
  report[factorField.positive] = parts.positive
  report[factorField.negative] = parts.negative
  report[factorField.replaced] = parts instanceof Envelope ? parts.replaced : 0
  let flops = parts instanceof Envelope ? parts.flops : n ** 3 / 3
  if (b !== null && !monitor.expired()) {
    z.fill(0)
    const r = new Float64Array(n)
    const best = new Float64Array(n)
    let least = Number.POSITIVE_INFINITY
    for (let k = 0; k <= refinements; k++) {
      for (let i = 0; i < n; i++) r[i] = b[i] - a.dot(i, z)
      flops += 2 * a.entries
      const size = Math.sqrt(dot(r, r))
      if (!(size < least / 2)) break
      least = size
      best.set(z)
      if (size === 0 || parts.solve(r) === false) break
      for (let i = 0; i < n; i++) z[i] += r[i]
      flops += parts instanceof Envelope ? 0 : 2 * n * n
      if (monitor.due()) yield
    }
    for (let i = 0; i < n; i++) r[i] = b[i] - a.dot(i, z)
    const size = Math.sqrt(dot(r, r))
    if (!(size <= least)) z.set(best)
    report[factorField.residual] = size <= least ? size : least
  }
  report[factorField.flops] = flops
}
