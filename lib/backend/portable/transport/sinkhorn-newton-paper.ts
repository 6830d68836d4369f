// The algorithm as the paper states it (arXiv 2401.12253, Algorithm 1), for comparison.

import type { CsrParts } from '../../kernels.js'
import type { Work } from '../work.js'
import { type Context, status } from './context.js'
import { Dual } from './dual.js'
import { largestEntries } from './largest-entries.js'
import { LogSweep } from './log-sweep.js'
import { Progress } from './newton.js'
import { lineBlocks } from './sparse-operator.js'
import { sum } from './sums.js'

const leastStep = 2 ** -40
/** Of the linear systems, relative. */
const residual = 1e-8

class Paper {
  private readonly progress: Progress
  private readonly dual: Dual
  private readonly plan: Float64Array
  /** Entries of S. */
  private readonly most: number
  // Of the linear systems: solution, residual, search direction, its product, preconditioner, scratch.
  private readonly z: Float64Array
  private readonly r: Float64Array
  private readonly d: Float64Array
  private readonly product: Float64Array
  private readonly diagonal: Float64Array
  private readonly scratch: Float64Array

  constructor(private readonly context: Context) {
    const { n, m } = context.problem
    const { sparsity } = context.settings
    const size = n + m
    this.progress = new Progress(context)
    this.dual = new Dual(context)
    this.plan = new Float64Array(n * m)
    this.dual.store = this.plan
    const lambda = sparsity > 0 ? sparsity : 2 / n
    const entries = Math.floor(((lambda * size * size - size) / 2) * (1 + 1e-12))
    this.most = Math.min(Math.max(entries, 0), n * m)
    this.z = new Float64Array(size)
    this.r = new Float64Array(size)
    this.d = new Float64Array(size)
    this.product = new Float64Array(size)
    this.diagonal = new Float64Array(size)
    this.scratch = new Float64Array(size)
  }

  *run(): Work<void> {
    const { dual, progress, context } = this
    const { problem, settings, report, monitor } = context
    dual.point.f.set(context.f)
    dual.point.g.set(context.g)
    yield* this.sinkhorn()
    this.project()
    yield* dual.evaluate(dual.point)
    progress.watch(dual.point)
    while (dual.point.error > settings.tolerance && !progress.over()) {
      dual.differentiate()
      const kept = yield* largestEntries(this.plan, problem.n, problem.m, this.most, monitor) // step 5
      yield* this.solve(kept)
      const alpha = dual.setSlope() ? yield* dual.allowedStep(kept, leastStep) : 0
      if (alpha === 0 || (yield* dual.search(alpha, leastStep)) === 0) {
        report.status = status.stalled // step 7
        break
      }
      report.newtonIterations++
      progress.record(dual.point, dual.roundoff())
      if (monitor.due()) yield
    }
    progress.finish(dual.point)
  }

  /** Steps 1 and 2. */
  private *sinkhorn(): Work<void> {
    const { dual, progress } = this
    const { problem, settings, cost, mass, report, monitor } = this.context
    const { f, g } = dual.point
    const sweep = new LogSweep(problem.n, problem.m)
    for (let k = 0; k < settings.sinkhornIterations && !progress.over(); k++) {
      report.passes += yield* sweep.run(cost, problem, settings.epsilon, f, g, monitor)
      report.iterations++
      const error = sweep.error / mass
      report.remember(error)
      monitor.progress(report.iterations, error)
      if (error <= settings.tolerance) break
      if (monitor.due()) yield // passes over few entries do not ask
    }
  }

  /** Step 3: off the direction v = (1, -1) that leaves the plan as it is. */
  private project(): void {
    const { f, g } = this.dual.point
    const t = (sum(f) - sum(g)) / (f.length + g.length)
    for (let i = 0; i < f.length; i++) f[i] -= t
    for (let j = 0; j < g.length; j++) g[j] += t
  }

  /** Step 6: M (p, q) = gradient by conjugate gradients with Jacobi preconditioner. */
  private *solve(kept: CsrParts): Work<void> {
    const { dual, z, r, d, product, diagonal, scratch } = this
    const { monitor } = this.context
    const { rowSum, columnSum } = dual.point
    const n = rowSum.length
    const size = z.length
    const kappa = sum(rowSum) / n
    const blocks = lineBlocks(kept.indptr)
    r.set(dual.x)
    r.set(dual.y, n)
    diagonal.set(rowSum)
    diagonal.set(columnSum, n)
    for (let k = 0; k < size; k++) diagonal[k] += kappa / size
    z.fill(0)
    d.fill(0)
    const target = residual * residual * this.dot(r, r)
    let rzBefore = 1
    for (let iteration = 0; iteration < 10 * size; iteration++) {
      if (!(this.dot(r, r) > target)) break
      for (let k = 0; k < size; k++) scratch[k] = (r[k] * r[k]) / diagonal[k]
      const rz = sum(scratch)
      const beta = iteration === 0 ? 0 : rz / rzBefore
      rzBefore = rz
      for (let k = 0; k < size; k++) d[k] = r[k] / diagonal[k] + beta * d[k]
      yield* this.multiply(kept, blocks, kappa)
      const curvature = this.dot(d, product)
      if (!(curvature > 0)) break
      const step = rz / curvature
      for (let k = 0; k < size; k++) {
        z[k] += step * d[k]
        r[k] -= step * product[k]
      }
      if (monitor.due()) yield
    }
    dual.p.set(z.subarray(0, n))
    dual.q.set(z.subarray(n))
  }

  /** product = M d,  M = [[diag(P1), S], [S^T, diag(P^T 1)]] + kappa v v^T,  v = (1, -1) / |(1, -1)| */
  private *multiply(kept: CsrParts, blocks: number[], kappa: number): Work<void> {
    const { d, product } = this
    const { rowSum, columnSum } = this.dual.point
    const { monitor } = this.context
    const n = rowSum.length
    const along = (kappa * (sum(d, 0, n) - sum(d, n))) / d.length
    for (let j = 0; j < columnSum.length; j++) product[n + j] = columnSum[j] * d[n + j] - along
    for (let k = 0; k + 1 < blocks.length; k++) {
      multiplyLines(kept, blocks[k], blocks[k + 1], rowSum, along, d, product)
      if (monitor.due()) yield
    }
  }

  private dot(u: Float64Array, v: Float64Array): number {
    const { scratch } = this
    for (let k = 0; k < scratch.length; k++) scratch[k] = u[k] * v[k]
    return sum(scratch)
  }
}

function multiplyLines(
  { indptr, indices, data }: CsrParts,
  i: number,
  end: number,
  rowSum: Float64Array,
  along: number,
  d: Float64Array,
  product: Float64Array,
): void {
  const n = rowSum.length
  for (; i < end; i++) {
    let total = rowSum[i] * d[i] + along
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      total += data[k] * d[n + indices[k]]
      product[n + indices[k]] += data[k] * d[i]
    }
    product[i] = total
  }
}

/** The form of the paper: N1 Sinkhorn iterations, then Newton with a Hessian of fixed sparsity. */
export function* sinkhornNewtonPaper(context: Context): Work<void> {
  yield* new Paper(context).run()
}
