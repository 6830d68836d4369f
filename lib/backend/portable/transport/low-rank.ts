import { statuses } from '../../../core/solution.js'
import { type LowRankJob, type LowRankKernels, lowRankField } from '../../transport-low-rank.js'
import { portableKernel } from '../driver.js'
import type { Watch, Work } from '../work.js'

// Twin of native/transport/low-rank.cc.

const stepSize = 10
const leastWeight = 1e-10
const leastDivisor = 1e-60
const tiny = 1e-300
const innerTolerance = 1e-9
const mostInner = 1000
const shrinkFactor = 0.5
const growFactor = 1.2
const leastShrink = 1e-6
const roundoff = 1e-13
/** Rows between two looks at the clock. */
const segment = 64

/** One of the two factors. */
class Side {
  readonly gradient: Float64Array
  readonly logKernel: Float64Array
  readonly before: Float64Array
  readonly lse: Float64Array
  readonly sums: Float64Array
  readonly logV: Float64Array
  readonly logQ: Float64Array

  constructor(
    readonly weights: Float64Array,
    readonly factor: Float64Array,
    rank: number,
  ) {
    this.gradient = new Float64Array(factor.length)
    this.logKernel = new Float64Array(factor.length)
    this.before = new Float64Array(factor.length)
    this.lse = new Float64Array(weights.length)
    this.sums = new Float64Array(rank)
    this.logV = new Float64Array(rank)
    this.logQ = new Float64Array(rank)
  }
}

class Solver {
  private readonly q: Side
  private readonly r: Side
  private readonly sides: Side[]
  private readonly omega: Float64Array
  private readonly logG: Float64Array
  private readonly logK3: Float64Array
  private readonly logQ1: Float64Array
  private readonly logQ2: Float64Array
  private readonly gBefore: Float64Array
  private readonly small: Float64Array

  constructor(
    private readonly job: LowRankJob,
    private readonly monitor: Watch,
  ) {
    const { rank } = job
    this.q = new Side(job.a, job.q, rank)
    this.r = new Side(job.b, job.r, rank)
    this.sides = [this.q, this.r]
    this.omega = new Float64Array(rank)
    this.logG = new Float64Array(rank)
    this.logK3 = new Float64Array(rank)
    this.logQ1 = new Float64Array(rank)
    this.logQ2 = new Float64Array(rank)
    this.gBefore = new Float64Array(rank)
    this.small = new Float64Array(job.factors * rank)
  }

  *run(): Work<void> {
    const { job, monitor } = this
    yield* this.round()
    let shrink = 1
    let last = Number.POSITIVE_INFINITY
    let residual = Number.POSITIVE_INFINITY
    let status: (typeof statuses)[number] = 'iteration-limit'
    let iterations = 0
    let inner = 0
    let reverted = false
    for (;;) {
      yield* this.gradients()
      const value = this.objective()
      if (value > last + roundoff) {
        this.restore()
        shrink *= shrinkFactor
        reverted = true
        yield* this.gradients()
      } else {
        last = value
        if (!reverted) shrink = Math.min(1, shrink * growFactor)
        reverted = false
        this.save()
      }
      if (iterations > 0 && !reverted && residual <= job.tolerance) {
        status = 'converged'
        break
      }
      if (shrink < leastShrink) {
        status = 'stalled'
        break
      }
      if (iterations >= job.maxIterations) break
      if (monitor.expired()) {
        status = 'time-limit'
        break
      }
      const gamma = this.prepareStep(shrink)
      inner += yield* this.project()
      yield* this.round()
      residual = this.change() / (gamma * gamma)
      iterations++
      monitor.progress(iterations, residual)
      if (monitor.due()) yield
    }
    job.report[lowRankField.status] = statuses.indexOf(status)
    job.report[lowRankField.iterations] = iterations
    job.report[lowRankField.residual] = residual
    job.report[lowRankField.value] = this.omega.reduce((sum, omega, k) => sum + omega / job.g[k], 0)
    job.report[lowRankField.innerIterations] = inner
  }

  private *gradients(): Work<void> {
    const { q, r, omega } = this
    const { rank, u, w } = this.job
    yield* this.multiply(q, r, u, w, false)
    yield* this.multiply(r, q, w, u, true)
    omega.fill(0)
    for (let at = 0; at < q.factor.length; at++) omega[at % rank] += q.factor[at] * q.gradient[at]
  }

  private *multiply(
    to: Side,
    from: Side,
    left: Float64Array | null,
    right: Float64Array | null,
    transpose: boolean,
  ): Work<void> {
    const { rank, cost, factors } = this.job
    const { small, monitor } = this
    const count = to.weights.length
    const inner = from.weights.length
    if (left !== null && right !== null) {
      small.fill(0)
      for (let j = 0; j < inner; j++) {
        for (let f = 0; f < factors; f++) {
          const factor = right[j * factors + f]
          for (let k = 0; k < rank; k++) small[f * rank + k] += factor * from.factor[j * rank + k]
        }
        if (j % segment === 0 && monitor.due()) yield
      }
    }
    for (let i = 0; i < count; i++) {
      const row = to.gradient.subarray(i * rank, (i + 1) * rank)
      row.fill(0)
      if (left !== null) {
        for (let f = 0; f < factors; f++) {
          for (let k = 0; k < rank; k++) row[k] += left[i * factors + f] * small[f * rank + k]
        }
      } else if (cost !== null) {
        for (let j = 0; j < inner; j++) {
          const c = transpose ? cost[j * count + i] : cost[i * inner + j]
          for (let k = 0; k < rank; k++) row[k] += c * from.factor[j * rank + k]
        }
      }
      if (monitor.due()) yield
    }
  }

  private objective(): number {
    const { g, scale, epsilon } = this.job
    let value = 0
    for (let k = 0; k < g.length; k++) value += this.omega[k] / g[k]
    value /= scale
    if (epsilon === 0) return value
    let entropy = 0
    for (const { factor } of this.sides) {
      for (let at = 0; at < factor.length; at++) entropy += factor[at] * (Math.log(Math.max(factor[at], tiny)) - 1)
    }
    for (let k = 0; k < g.length; k++) entropy += g[k] * (Math.log(g[k]) - 1)
    return value + (epsilon / scale) * entropy
  }

  private save(): void {
    for (const side of this.sides) side.before.set(side.factor)
    this.gBefore.set(this.job.g)
  }

  private restore(): void {
    for (const side of this.sides) side.factor.set(side.before)
    this.job.g.set(this.gBefore)
  }

  private prepareStep(shrink: number): number {
    const { g, scale, rank } = this.job
    const { omega, logG, logK3 } = this
    const epsilon = this.job.epsilon / scale
    let largest = tiny
    for (const { factor, gradient, logKernel } of this.sides) {
      for (let at = 0; at < factor.length; at++) {
        logKernel[at] = Math.log(Math.max(factor[at], tiny))
        gradient[at] = gradient[at] / (scale * g[at % rank]) + epsilon * logKernel[at]
        largest = Math.max(largest, Math.abs(gradient[at]))
      }
    }
    for (let k = 0; k < rank; k++) {
      logG[k] = Math.log(g[k])
      logK3[k] = -omega[k] / (scale * g[k] * g[k]) + epsilon * logG[k]
      largest = Math.max(largest, Math.abs(logK3[k]))
    }
    const gamma = (shrink * stepSize) / (largest * largest)
    for (const { gradient, logKernel } of this.sides) {
      for (let at = 0; at < gradient.length; at++) logKernel[at] -= gamma * gradient[at]
    }
    for (let k = 0; k < rank; k++) logK3[k] = logG[k] - gamma * logK3[k]
    return gamma
  }

  private *rows(side: Side, first: boolean): Work<number> {
    const { rank } = this.job
    const { factor, logKernel, logV, weights, sums, lse } = side
    sums.fill(0)
    let error = 0
    for (let i = 0; i < weights.length; i++) {
      const offset = i * rank
      let largest = Number.NEGATIVE_INFINITY
      for (let k = 0; k < rank; k++) largest = Math.max(largest, logKernel[offset + k] + logV[k])
      let total = 0
      for (let k = 0; k < rank; k++) {
        factor[offset + k] = Math.exp(logKernel[offset + k] + logV[k] - largest)
        total += factor[offset + k]
      }
      const scale = weights[i] / total
      for (let k = 0; k < rank; k++) {
        factor[offset + k] *= scale
        sums[k] += factor[offset + k]
      }
      const now = largest + Math.log(total)
      if (!first) error += weights[i] * Math.abs(Math.expm1(Math.min(now - lse[i], 700)))
      lse[i] = now
      if (i % segment === 0 && this.monitor.due()) yield
    }
    return first ? Number.POSITIVE_INFINITY : error
  }

  private *project(): Work<number> {
    const { sides, logG, logK3, logQ1, logQ2 } = this
    for (const { logV, logQ } of sides) {
      logV.fill(0)
      logQ.fill(0)
    }
    logQ1.fill(0)
    logQ2.fill(0)
    logG.set(logK3)
    for (let count = 1; ; count++) {
      const errorQ = yield* this.rows(this.q, count === 1)
      const errorR = yield* this.rows(this.r, count === 1)
      if (errorQ + errorR <= innerTolerance || count >= mostInner) return count
      for (let k = 0; k < logG.length; k++) {
        const bounded = Math.max(Math.log(leastWeight), logG[k] + logQ1[k])
        logQ1[k] += logG[k] - bounded
        const logSums = sides.map(({ sums }) => Math.log(Math.max(sums[k], tiny)))
        const mean = (bounded + logQ2[k] + sides.reduce((sum, { logQ }, s) => sum + logQ[k] + logSums[s], 0)) / 3
        sides.forEach(({ logV, logQ }, s) => {
          logV[k] += mean - logSums[s]
          logQ[k] += logSums[s] - mean
        })
        logQ2[k] += bounded - mean
        logG[k] = mean
      }
    }
  }

  private *round(): Work<void> {
    const { g, rank } = this.job
    for (const side of this.sides) this.sumColumns(side)
    let kept = 0
    for (let k = 0; k < rank; k++) {
      g[k] = Math.min(this.q.sums[k], this.r.sums[k])
      kept += g[k]
    }
    for (const side of this.sides) {
      const { factor, sums, weights } = side
      for (let i = 0; i < weights.length; i++) {
        const offset = i * rank
        let total = 0
        for (let k = 0; k < rank; k++) {
          factor[offset + k] *= Math.min(1, g[k] / Math.max(sums[k], tiny))
          total += factor[offset + k]
        }
        const missing = Math.max(0, weights[i] - total)
        for (let k = 0; k < rank; k++) factor[offset + k] += (missing * g[k]) / kept
        if (i % segment === 0 && this.monitor.due()) yield
      }
      this.sumColumns(side)
    }
    for (let k = 0; k < rank; k++) g[k] = Math.max(leastDivisor, 0.5 * (this.q.sums[k] + this.r.sums[k]))
  }

  private sumColumns({ factor, sums }: Side): void {
    sums.fill(0)
    for (let at = 0; at < factor.length; at++) sums[at % sums.length] += factor[at]
  }

  private change(): number {
    let total = 0
    const add = (now: number, then: number) => {
      total += (now - then) * Math.log(Math.max(now, tiny) / Math.max(then, tiny))
    }
    for (const { factor, before } of this.sides) for (let at = 0; at < factor.length; at++) add(factor[at], before[at])
    for (let k = 0; k < this.gBefore.length; k++) add(this.job.g[k], this.gBefore[k])
    return total
  }
}

export const portableLowRank: LowRankKernels = {
  lowRankSinkhorn: portableKernel((job, monitor) => new Solver(job, monitor).run()),
}
