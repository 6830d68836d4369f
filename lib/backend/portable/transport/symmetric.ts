// The symmetric Sinkhorn iteration of debiased transport: f <- f + omega (T f - f), where T f is the update of f by itself
// (Feydy, Séjourné, Vialard, Amari, Trouvé, Peyré 2019, arXiv 1810.08278, with omega = 1/2).

import { ExtremaError } from '../../../core/errors.js'
import type { SymmetricJob } from '../../transport-derivatives.js'
import { measure } from './certificate.js'
import { type Context, Report, status } from './context.js'
import { openCost } from './cost.js'
import { costRange } from './cost-range.js'
import { PlanPass, planPass } from './plan-pass.js'
import { sum } from './sums.js'
import type { Watch, Work } from './work.js'

/**
 * T does not expand, so that any averaging converges; its derivative is minus a stochastic matrix, for a positive definite
 * kernel with eigenvalues from -1 to 0. The Chebyshev weights of that interval make errors 99 times smaller in three
 * iterations, where halves make them 8 times smaller.
 */
const weights = [2 / (3 + 0.8660254037844386), 2 / (3 - 0.8660254037844386), 2 / 3]
/** Iterations without a better error. */
const patience = 60
/** Of the range of the costs. */
const mostAsymmetry = 1e-6

function* checkSymmetric({ cost, name }: SymmetricJob, range: number, monitor: Watch): Work<void> {
  if (cost.metric !== 'dense') return
  const { n, x } = cost
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const below = x[i * n + j]
      const above = x[j * n + i]
      if (below === above || Math.abs(below - above) <= mostAsymmetry * range) continue
      throw new ExtremaError(
        'ERR_SHAPE',
        `${name}: expected a symmetric matrix, got ${below.toFixed(6)} at [${i}][${j}] and ${above.toFixed(6)} across`,
      )
    }
    if (monitor.due()) yield
  }
}

export function* symmetric(job: SymmetricJob, monitor: Watch): Work<void> {
  const { cost: data, a, epsilon, tolerance, f } = job
  const { n } = data
  const cost = yield* openCost(data, monitor)
  const range = yield* costRange(cost, monitor)
  yield* checkSymmetric(job, range.most - range.least, monitor)
  const mass = sum(a)
  // Where nothing but the diagonal has mass, sqrt(a) is exact.
  if (f.every((value) => value === 0)) for (let i = 0; i < n; i++) f[i] = (epsilon / 2) * Math.log(a[i])
  const pass = new PlanPass(epsilon, f, f)
  pass.scaling = 'sinkhorn'
  pass.a = a
  const scale = new Float64Array(n)
  const shift = new Float64Array(n)
  const rowSum = new Float64Array(n)
  pass.scale = scale
  pass.shift = shift
  pass.rowSum = rowSum
  const report = new Report(null)
  const best = new Float64Array(n)
  let least = Number.POSITIVE_INFINITY
  let since = 0
  for (;;) {
    yield* planPass(cost, pass, monitor)
    report.passes++
    let error = 0
    for (let i = 0; i < n; i++) error += shift[i] !== 0 ? a[i] : Math.abs(rowSum[i] - a[i])
    error *= 2 / mass // rows and columns
    if (error < least) {
      least = error
      since = 0
      best.set(f)
    } else {
      since++
    }
    if (error <= tolerance) report.status = status.converged
    else if (since >= patience) report.status = status.stalled
    else if (report.iterations >= job.maxIterations) report.status = status.iterationLimit
    else if (monitor.expired()) report.status = status.timeLimit
    else {
      const omega = weights[report.iterations % weights.length]
      for (let i = 0; i < n; i++) f[i] += omega * (shift[i] + epsilon * Math.log(scale[i]))
      report.iterations++
      monitor.progress(report.iterations, error)
      if (monitor.due()) yield // passes over few entries do not ask
      continue
    }
    break
  }
  f.set(best)
  const problem = { ...data, a, b: a }
  const settings = { ...emptySettings, epsilon, tolerance }
  const context: Context = { problem, settings, f, g: f, cost, range, mass, report, monitor }
  yield* measure(context)
  if (report.marginalError <= tolerance) report.status = status.converged
  else if (report.status === status.converged) report.status = status.stalled
  report.write(job.report)
}

const emptySettings = {
  maxIterations: 0,
  threads: 1,
  float32: false,
  certificate: false,
  paper: false,
  sinkhornIterations: 0,
  sparsity: 0,
}
