import { type OfflineJob, offlineField } from '../../lowrank-dictionary.js'
import type { Watch, Work } from '../work.js'
import { Gradient } from './dictionary-gradient.js'
import { Polar } from './polar.js'
import { inner } from './products.js'

/** W <- polar(Yᵀ shaped(Y W)): native/lowrank/offline-dictionary.cc, step by step. */
export function* learnOffline(job: OfflineJob, watch: Watch): Work<void> {
  const { n, rows, coding, dictionary, history, report } = job
  const powers = coding.shaping === 'cube' || coding.shaping === 'fourth'
  const gradient = new Gradient(job, rows, watch)
  const polar = new Polar(n, watch)
  const g = new Float64Array(n * n)
  const next = new Float64Array(n * n)
  report[offlineField.status] = 1
  for (let iteration = 0; ; ) {
    const { objective } = yield* gradient.evaluate(0, rows, dictionary, g)
    report[offlineField.objective] = objective
    yield* polar.factor(g, dictionary, next)
    let residual: number
    if (powers) {
      const norm = Math.sqrt(inner(g, g))
      residual = norm > 0 ? Math.max(0, inner(g, next) - inner(g, dictionary)) / norm : 0
    } else {
      let change = 0
      for (let k = 0; k < n * n; k++) change += (next[k] - dictionary[k]) ** 2
      residual = Math.sqrt(change / n)
    }
    report[offlineField.residual] = residual
    if (residual <= job.tolerance) {
      report[offlineField.status] = 0
      return
    }
    if (iteration >= job.maxIterations) return
    if (watch.expired()) {
      report[offlineField.status] = 2
      return
    }
    history[iteration] = objective
    dictionary.set(next)
    iteration++
    report[offlineField.iterations] = iteration
    watch.progress(iteration, residual)
    if (watch.due()) yield
  }
}
