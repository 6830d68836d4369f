import { ExtremaError } from '../../../core/errors.js'
import type { BarycenterJob, BarycenterKernels } from '../../transport-barycenter.js'
import { portableKernel } from '../driver.js'
import { exp } from '../math.js'
import type { Watch, Work } from '../work.js'
import { Anderson } from './anderson.js'
import { status } from './context.js'
import { LogKernel } from './log-kernel.js'
import { projection } from './projection.js'
import { sum } from './sums.js'

// Twin of native/transport/barycenter.cc: iterative Bregman projections in logarithms (Benamou et al. 2015, section
// 3.2), with K = exp(-C / epsilon):
//   u_k = a_k / (K v_k),  b = d prod_k (K^T u_k)^lambda_k,  v_k = b / (K^T u_k),
// and d = 1, or debiased (Janati, Cuturi, Gramfort 2020, algorithm 1) d <- sqrt(d b / (K d)). The state is (v, d).
class Iteration {
  readonly n: number
  readonly count: number
  readonly arrays: number
  readonly mass: number
  debiasing = false
  error = 0
  readonly state: Float64Array
  readonly image: Float64Array
  readonly logU: Float64Array
  readonly b: Float64Array
  private readonly logA: Float64Array
  private readonly products: Float64Array
  private readonly sums: Float64Array
  private readonly logB: Float64Array
  // b is exp(logB - top) mass / total
  private top = 0
  private total = 1

  constructor(
    private readonly job: BarycenterJob,
    private readonly kernel: LogKernel,
    private readonly monitor: Watch,
  ) {
    this.n = kernel.size
    this.count = job.weights.length
    this.arrays = this.count + (job.debiased ? 1 : 0)
    this.state = new Float64Array(this.arrays * this.n)
    this.image = new Float64Array(this.arrays * this.n)
    this.products = new Float64Array(this.arrays * this.n)
    this.logU = new Float64Array(this.count * this.n)
    this.sums = new Float64Array(this.count * this.n)
    this.b = new Float64Array(this.n)
    this.logB = new Float64Array(this.n)
    this.logA = job.histograms.map(Math.log)
    this.mass = sum(job.histograms, 0, this.n)
  }

  /** From the state x: u, b, the image of x, and the error of the plans diag(u_k) K diag(v_k). Their rows are exact. */
  *evaluate(): Work<void> {
    const { n, count, state, products, sums, logU, logA, kernel, monitor } = this
    const arrays = this.activeArrays()
    products.set(state)
    yield* kernel.apply(products, arrays, false)
    for (let i = 0; i < count * n; i++) logU[i] = logA[i] - products[i]
    sums.set(logU)
    yield* kernel.apply(sums, count, true)
    this.average()
    this.error = 0
    for (let k = 0; k < arrays; k++) {
      if (monitor.due()) yield
      const error = this.step(k) / this.mass
      // NaN must not pass for small.
      if (!(error <= this.error)) this.error = error
    }
  }

  /** b, of the total that it has at the solution. */
  private average(): void {
    const { n, count, state, sums, logB, b, job } = this
    const d = this.debiasing ? count * n : -1
    let top = Number.NEGATIVE_INFINITY
    for (let j = 0; j < n; j++) {
      let log = d < 0 ? 0 : state[d + j]
      for (let k = 0; k < count; k++) log += job.weights[k] * sums[k * n + j]
      logB[j] = log
      if (log > top) top = log
    }
    for (let j = 0; j < n; j++) b[j] = exp(logB[j] - top)
    this.top = top
    this.total = sum(b)
    const scale = this.mass / this.total
    for (let j = 0; j < n; j++) b[j] *= scale
  }

  /** The image of array k of the state; returns the error of its plan's column sums, or of d K d. */
  private step(k: number): number {
    const { n, count, state, image, sums, products, logB, b } = this
    const plan = k < count
    const by = plan ? sums : products
    let error = 0
    for (let j = 0, i = k * n; j < n; j++, i++) {
      error += Math.abs(exp(by[i] + state[i]) - b[j])
      image[i] = plan ? logB[j] - by[i] : 0.5 * (state[i] + logB[j] - by[i])
    }
    return error
  }

  /** d for the b of the last evaluation, as if K were the identity: d K d = b. */
  startDebiasing(): void {
    const norm = Math.log(this.mass / this.total) - this.top
    for (let j = 0; j < this.n; j++) this.state[this.count * this.n + j] = 0.5 * (this.logB[j] + norm)
  }

  /** The arrays of the state in use: log v_k, and with debiasing log d. */
  activeArrays(): number {
    return this.count + (this.debiasing ? 1 : 0)
  }

  /** For another epsilon: the potentials epsilon log v_k stay. */
  rescale(factor: number): void {
    for (let i = 0; i < this.count * this.n; i++) this.state[i] *= factor
  }

  /** sum_k lambda_k OT_epsilon(a_k, b) */
  value(): number {
    const { n, count, state, logU, b, job } = this
    let total = -this.mass
    for (let k = 0; k < count; k++) {
      let part = 0
      for (let i = 0; i < n; i++) {
        const a = job.histograms[k * n + i]
        if (a > 0) part += a * logU[k * n + i]
        part += b[i] * state[k * n + i]
      }
      total += job.weights[k] * part
    }
    return job.epsilon * total
  }
}

/**
 * A start at a large epsilon, halved as soon as the error there is small: mass travels far at a large one only. What
 * debiasing would undo there is not what it has to undo at the end, so it waits for the last epsilon.
 */
const firstEpsilon = 1 / 20
const stageTolerance = 1e-2
/** Places of b with less than this part of the mean are left to the plain iteration: extrapolated, they explode. */
const negligible = 1e-10

class Solver {
  status: number = status.iterationLimit
  iterations = 0
  readonly iteration: Iteration
  private readonly anderson: Anderson
  private readonly lastImage: Float64Array

  constructor(
    private readonly job: BarycenterJob,
    private readonly kernel: LogKernel,
    private readonly monitor: Watch,
  ) {
    this.iteration = new Iteration(job, kernel, monitor)
    const { arrays, n } = this.iteration
    this.anderson = new Anderson(job.plain ? 0 : arrays, n)
    this.lastImage = new Float64Array(job.plain ? 0 : arrays * n)
  }

  *run(): Work<void> {
    const { job, kernel, iteration } = this
    let epsilon = job.plain ? job.epsilon : Math.max(job.epsilon, firstEpsilon * kernel.range)
    for (;;) {
      yield* kernel.prepare(epsilon)
      const last = epsilon <= job.epsilon
      iteration.debiasing = job.debiased && last
      yield* this.stage(last ? job.tolerance : Math.max(stageTolerance, job.tolerance))
      if (last) return
      // Out of iterations or time on the way: the answer still has to be one for the given epsilon.
      const ended = this.spent()
      const next = ended ? job.epsilon : Math.max(epsilon / 2, job.epsilon)
      iteration.rescale(epsilon / next)
      if (job.debiased && next <= job.epsilon) iteration.startDebiasing()
      epsilon = next
      if (!ended) continue
      yield* kernel.prepare(epsilon)
      iteration.debiasing = job.debiased
      yield* iteration.evaluate()
      if (iteration.error <= job.tolerance) this.status = status.converged
      return
    }
  }

  /** Whether no iterations or no time are left: then that is the status. */
  private spent(): boolean {
    const counted = this.iterations >= this.job.maxIterations
    if (!counted && !this.monitor.expired()) return false
    this.status = counted ? status.iterationLimit : status.timeLimit
    return true
  }

  private *stage(tolerance: number): Work<void> {
    const { job, kernel, iteration, anderson, lastImage, monitor } = this
    const { state, image } = iteration
    anderson.restart(iteration.activeArrays())
    const floor = 1e3 * 1.2e-16 * (16 + kernel.range / job.epsilon)
    const least = (negligible * iteration.mass) / iteration.n
    let before = Number.POSITIVE_INFINITY
    let best = Number.POSITIVE_INFINITY
    let sinceBest = 0
    let accelerated = false
    for (;;) {
      yield* iteration.evaluate()
      this.iterations++
      const { error } = iteration
      monitor.progress(this.iterations, error)
      if (error <= tolerance) {
        this.status = status.converged
        return
      }
      // An extrapolation that made things worse: back to the plain step, which is never far off.
      if (accelerated && !(error <= 2 * before)) {
        state.set(lastImage)
        anderson.clear()
        accelerated = false
        continue
      }
      before = error
      if (error < best * (1 - 1e-3)) {
        best = error
        sinceBest = 0
      } else if ((++sinceBest >= 200 && best < floor) || Number.isNaN(error)) {
        // NaN: somebody writes to the cost
        this.status = status.stalled
        return
      }
      if (this.spent()) return
      // The last iteration is a plain one, so that it need not be taken back.
      if (job.plain || this.iterations + 1 >= job.maxIterations) {
        state.set(image)
        accelerated = false
      } else {
        lastImage.set(image)
        accelerated = yield* anderson.advance(state, image, iteration.b, least, monitor)
      }
    }
  }
}

function* barycenter(job: BarycenterJob, monitor: Watch): Work<void> {
  const kernel = yield* LogKernel.open(job.axes, monitor)
  if (job.debiased && kernel.asymmetry !== null) {
    const { row, column } = kernel.asymmetry
    throw new ExtremaError(
      'ERR_OPTION',
      `debiased: expected false for a cost that is not symmetric, got cost[${row}][${column}] unlike cost[${column}][${row}]`,
    )
  }
  const solver = new Solver(job, kernel, monitor)
  yield* solver.run()
  const { iteration } = solver
  job.barycenter.set(iteration.b)
  for (let i = 0; i < job.f.length; i++) {
    job.f[i] = job.epsilon * iteration.logU[i]
    job.g[i] = job.epsilon * iteration.state[i]
  }
  job.report.set([solver.status, solver.iterations, iteration.error, iteration.value()])
}

export const portableBarycenter: BarycenterKernels = {
  barycenter: portableKernel(barycenter),
  projection: portableKernel(projection),
}
