import { type SparsityJob, type SparsitySettings, sparsityField, stageFields } from '../../transport-sparsity.js'
import { lbfgs } from '../lbfgs.js'
import { uniformFromWord } from '../random/kernels.js'
import { philox } from '../random/philox.js'
import type { Watch, Work } from '../work.js'
import { ColumnOracle } from './column-oracle.js'
import type { ColumnTerms } from './column-solver.js'
import { Columns } from './columns.js'
import { status } from './context.js'
import { openCost } from './cost.js'
import { costRange } from './cost-range.js'
import { checkFeasible } from './feasibility.js'
import { measurePlan } from './sparsity-plan.js'
import { sum } from './sums.js'

/** Smoothings rho / gamma of the stages after the first, which is gamma itself. */
const smoothings = [0.3, 0.1, 0.03, 0.01, 0.003, 0.001]
/** Marginal error at which a stage that only leads to the next is left. */
const passingTolerance = 1e-4
/** The same at the last smoothing, when columns stay shared. */
const sharedTolerance = 1e-5

/** A descent on one form of the dual objective. */
class Solve {
  readonly x: Float64Array
  readonly gradient: Float64Array
  iterations = 0
  stages = 0
  expired = false
  /** Some columns have more entries than allowed in the relaxed plan. */
  shared = false
  /** Status of the last descent. */
  status: number = status.iterationLimit
  readonly range: number
  readonly gamma: number

  constructor(
    readonly job: SparsityJob,
    readonly oracle: ColumnOracle,
    range: number,
    gamma: number,
    readonly mass: number,
    readonly monitor: Watch,
  ) {
    const { columns } = oracle
    this.x = new Float64Array(columns.length + (job.settings.dual ? columns.count : 0))
    this.gradient = new Float64Array(this.x.length)
    this.range = range
    this.gamma = gamma
  }

  terms(maxNonzeros: number, rho: number): ColumnTerms {
    const { entropy, dual } = this.job.settings
    return { maxNonzeros, gamma: this.gamma, rho, entropy, dual }
  }

  /** L-BFGS on one form of the objective. Afterwards the oracle knows the point that it came to. */
  *descend(maxNonzeros: number, rho: number, tolerance: number): Work<void> {
    const { job, oracle, x, monitor } = this
    oracle.use(this.terms(maxNonzeros, rho))
    // What the solution is measured by must not fail on the last digit of what this is measured by.
    const run = lbfgs(x, {
      tolerance: 0.99 * tolerance,
      maxIterations: job.settings.maxIterations,
      firstStep: 0.1 * this.range,
    })
    let done = 0
    let step = run.next()
    while (!step.done) {
      const trial = step.value
      trial.value = yield* oracle.evaluate(trial.x, trial.gradient)
      trial.residual = oracle.residual
      trial.roundoff = oracle.roundoff
      done = trial.iteration
      monitor.progress(this.iterations + done, oracle.residual)
      this.expired = monitor.expired()
      if (this.expired) break
      if (monitor.due()) yield
      step = run.next()
    }
    if (step.done) {
      done = step.value.iterations
      this.status = statusOf[step.value.status]
    }
    this.iterations += done
    const value = yield* oracle.evaluate(x, this.gradient)
    this.addStage(maxNonzeros, rho, -value, done)
  }

  addStage(maxNonzeros: number, rho: number, dual: number, iterations: number): void {
    this.job.stages.set([maxNonzeros, rho / this.gamma, dual, iterations], stageFields * this.stages++)
  }

  /**
   * From the quadratic plan, which is smooth, by less and less smoothing. Once no column is shared the relaxation is exact:
   * if that holds to the end of a precise descent, its plan is the plan.
   */
  *smoothing(): Work<void> {
    const { maxNonzeros, tolerance } = this.job.settings
    const { oracle } = this
    const passing = Math.max(tolerance, passingTolerance)
    yield* this.descend(oracle.columns.length, 0, passing)
    let precise = oracle.fullest <= maxNonzeros
    for (const smoothing of smoothings) {
      if (this.expired) return
      const rho = smoothing * this.gamma
      const last = smoothing === smoothings.at(-1)
      const needed = last ? Math.max(tolerance, sharedTolerance) : passing
      yield* this.descend(maxNonzeros, rho, precise ? tolerance : needed)
      if (!precise && oracle.shared === 0 && !this.expired) {
        precise = true
        yield* this.descend(maxNonzeros, rho, tolerance)
      }
      this.shared = oracle.shared > 0
      if (!this.shared) return
    }
  }

  /** With n, n/2, n/4, … nonzeros, leaving out those numbers that the plan stays below. */
  *halving(): Work<void> {
    const { maxNonzeros, tolerance } = this.job.settings
    for (let k = this.oracle.columns.length; k > maxNonzeros && !this.expired; ) {
      yield* this.descend(k, 0, Math.max(tolerance, passingTolerance))
      k = Math.max(maxNonzeros, Math.min(k, this.oracle.fullest) >> 1)
    }
    if (!this.expired) yield* this.descend(maxNonzeros, 0, tolerance)
  }

  /** Adam (Kingma, Ba 2015) on supergradients; its step falls linearly to zero. Keeps the best point. */
  *adam(): Work<void> {
    const { job, oracle, x, gradient, monitor } = this
    const { maxNonzeros, maxIterations, learningRate, tolerance } = job.settings
    oracle.use(this.terms(maxNonzeros, 0))
    const first = new Float64Array(x.length)
    const second = new Float64Array(x.length)
    const point = x.slice()
    const scale = (1e-8 * this.mass) / x.length
    let best = Number.POSITIVE_INFINITY
    let t = 0
    for (;;) {
      const value = yield* oracle.evaluate(point, gradient)
      const converged = oracle.residual <= 0.99 * tolerance
      if (value < best || converged) {
        best = value
        x.set(point)
      }
      monitor.progress(t, oracle.residual)
      this.expired = monitor.expired()
      if (t === maxIterations || converged || this.expired) break
      const step = learningRate * this.range * (1 - t / maxIterations)
      t++
      const firstCorrection = 1 - 0.9 ** t
      const secondCorrection = 1 - 0.999 ** t
      for (let i = 0; i < x.length; i++) {
        first[i] += 0.1 * (gradient[i] - first[i])
        second[i] += 0.001 * (gradient[i] * gradient[i] - second[i])
        point[i] -= (step * first[i]) / firstCorrection / (Math.sqrt(second[i] / secondCorrection) + scale)
      }
      if (monitor.due()) yield
    }
    this.iterations = t
    this.addStage(maxNonzeros, 0, -best, t)
  }

  /**
   * Stochastic supergradients of the semi-dual: columns drawn in proportion to their mass, steps of 1/sqrt(t). The mean over
   * the second half of the iterates, or the last of them, whichever is better.
   */
  *stochastic(): Work<void> {
    const { job, oracle, x, monitor } = this
    const { maxNonzeros, maxIterations, learningRate, batchSize, seed } = job.settings
    const { columns, solver, supply, demand } = oracle
    solver.terms = this.terms(maxNonzeros, 0)
    const sums = new Float64Array(demand.length)
    let total = 0
    for (let j = 0; j < demand.length; j++) {
      total += demand[j]
      sums[j] = total
    }
    const drawn = new Float64Array(x.length)
    const mean = new Float64Array(x.length)
    const block = new Int32Array(4)
    const share = 1 / batchSize
    const take = (column: number, s: Float64Array, index: Int32Array, from: number, to: number) => {
      solver.solve(s, index, from, to, demand[column], 0)
      const weight = share / demand[column]
      for (let r = 0; r < solver.count; r++) drawn[index[from + r]] += solver.plan[r] * weight
      return true
    }
    let t = 0
    let averaged = 0
    while (t < maxIterations) {
      drawn.fill(0)
      for (let r = 0; r < batchSize; r++) {
        const draw = t * batchSize + r
        const counter = Math.floor(draw / 2)
        philox(seed[0], seed[1], counter | 0, Math.floor(counter / 2 ** 32), 0, 0, block)
        const odd = draw % 2 === 1
        const point = total * uniformFromWord(odd ? block[3] : block[1], odd ? block[2] : block[0])
        columns.visitWhole(columnAt(sums, point), x, take)
        if (monitor.due()) yield
      }
      t++
      const step = (learningRate * this.range) / Math.sqrt(t)
      let error = 0
      for (let i = 0; i < x.length; i++) {
        const slope = supply[i] / this.mass - drawn[i]
        x[i] += step * slope
        error += Math.abs(slope)
      }
      if (2 * t > maxIterations) {
        averaged++
        for (let i = 0; i < x.length; i++) mean[i] += (x[i] - mean[i]) / averaged
      }
      monitor.progress(t, error)
      this.expired = monitor.expired()
      if (this.expired) break
    }
    this.iterations = t
    oracle.passes += Math.ceil((t * batchSize) / demand.length)
    oracle.use(solver.terms)
    let best = yield* oracle.evaluate(x, this.gradient)
    if (averaged > 0) {
      const value = yield* oracle.evaluate(mean, this.gradient)
      if (value < best) {
        best = value
        x.set(mean)
      }
    }
    this.addStage(maxNonzeros, 0, -best, t)
  }
}

const statusOf = {
  converged: status.converged,
  'iteration-limit': status.iterationLimit,
  stalled: status.stalled,
} as const

/** The first column whose sum exceeds the point. */
function columnAt(sums: Float64Array, point: number): number {
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (sums[middle] > point) high = middle
    else low = middle + 1
  }
  return low
}

export function* sparsityConstrained(job: SparsityJob, monitor: Watch): Work<void> {
  const { problem, settings, f, g } = job
  const { byRows, dual } = settings
  const { forbids, ...bound } = yield* costRange(yield* openCost(problem, monitor), monitor)
  if (forbids) yield* checkFeasible(problem, monitor)
  const columns = yield* Columns.open(problem, byRows, monitor)
  const range = problem.metric === 'dense' ? bound : yield* columns.range(monitor)
  const span = range.most - range.least
  const mass = sum(problem.a)
  const gamma = settings.gamma > 0 ? settings.gamma : (span > 0 ? span : 1) / mass
  const oracle = ColumnOracle.of(problem, byRows, columns, monitor)
  const solve = new Solve(job, oracle, span > 0 ? span : 1, gamma, mass, monitor)

  const [free, own] = byRows ? [g, f] : [f, g]
  solve.x.set(free)
  if (dual) solve.x.set(own, free.length)
  yield* run(solve, settings)
  free.set(solve.x.subarray(0, free.length))

  const { passes } = oracle
  const plan = yield* measurePlan(job, oracle, solve.terms(settings.maxNonzeros, 0), solve.x, monitor)
  own.set(oracle.potential)
  const converged = plan.rowError + plan.columnError <= settings.tolerance
  const ended = solve.expired ? status.timeLimit : solve.shared ? status.stalled : solve.status
  const found = {
    ...plan,
    status: converged ? status.converged : ended === status.converged ? status.stalled : ended,
    iterations: solve.iterations,
    passes,
    stages: solve.stages,
    gamma,
  }
  for (const [name, at] of Object.entries(sparsityField)) job.report[at] = found[name as keyof typeof sparsityField]
}

function run(solve: Solve, settings: SparsitySettings): Work<void> {
  const { method, continuation, maxNonzeros, tolerance } = settings
  if (method === 'adam') return solve.adam()
  if (method === 'stochastic') return solve.stochastic()
  const constrained = maxNonzeros < solve.oracle.columns.length
  if (constrained && continuation === 'smoothing') return solve.smoothing()
  if (constrained && continuation === 'halving') return solve.halving()
  return solve.descend(maxNonzeros, 0, tolerance)
}
